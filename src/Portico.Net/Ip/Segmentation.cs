using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>
/// Cuts a super-segment into the segments that it stands for, at the last moment, for links that do not do it themselves. Each gets a
/// copy of the headers; its payload stays in the blocks where it is. UDP super-segments (UDP_SEGMENT) are cut into datagrams.
/// </summary>
internal ref struct Segmentation
{
    /// <summary>What links do that take super-segments of any kind.</summary>
    public const LinkFeatures AllFeatures = LinkFeatures.Tso4 | LinkFeatures.Tso6 | LinkFeatures.Uso;

    /// <summary>A super-segment is shorter with its link's header (gso_max_size).</summary>
    public const int BytesMax = 65_536;

    private const byte FinAndPush = 0x09;
    private const byte CongestionWindowReduced = 0x80;

    private readonly Packet _packet;
    private readonly int _linkBytes;
    private readonly int _networkBytes;
    private readonly int _transportBytes;
    private readonly int _headers;
    private readonly int _payload;
    private readonly bool _isIpv4;
    private readonly bool _isTcp;
    private int _offset;
    private int _index;

    private Segmentation(Packet packet, bool isIpv4, bool isTcp)
    {
        _packet = packet;
        _isIpv4 = isIpv4;
        _isTcp = isTcp;
        _linkBytes = packet.NetworkOffset - packet.Start;
        _networkBytes = packet.TransportOffset - packet.NetworkOffset;
        _transportBytes = isTcp ? (packet.TransportHeader[12] >> 4) * 4 : UdpHeader.Length;
        _headers = _linkBytes + _networkBytes + _transportBytes;
        _payload = packet.Length - _headers;
    }

    /// <summary>What a link has to do to take a super-segment.</summary>
    public static LinkFeatures FeatureFor(Packet packet)
    {
        Span<byte> network = packet.NetworkHeader;
        bool isIpv4 = network[0] >> 4 == 4;
        return network[isIpv4 ? 9 : 6] == (byte)IpProtocol.Udp ? LinkFeatures.Uso : isIpv4 ? LinkFeatures.Tso4 : LinkFeatures.Tso6;
    }

    /// <summary>Whether all segments have been cut.</summary>
    public readonly bool IsDone => _index > 0 && _offset >= _payload;

    /// <summary>Begins; false where the headers are not as a super-segment has them. The packet stays its owner's.</summary>
    public static bool TryBegin(Packet packet, out Segmentation cutter)
    {
        cutter = default;
        int end = packet.Start + packet.LinearLength;
        int networkBytes = packet.TransportOffset - packet.NetworkOffset;
        int transportBytes = end - packet.TransportOffset;
        if (packet.GsoSize <= 0 || packet.NetworkOffset < packet.Start || networkBytes < Ipv4Header.LengthMin
            || transportBytes < UdpHeader.Length)
        {
            return false;
        }

        Span<byte> network = packet.NetworkHeader;
        bool isIpv4 = network[0] >> 4 == 4;
        bool isTcp = isIpv4 ? network[9] == (byte)IpProtocol.Tcp : network[6] != (byte)IpProtocol.Udp;
        if ((!isIpv4 && networkBytes < Ipv6Header.Length) || (isTcp && transportBytes < TcpHeader.LengthMin))
        {
            return false;
        }

        cutter = new Segmentation(packet, isIpv4, isTcp);
        return cutter._transportBytes >= (isTcp ? TcpHeader.LengthMin : UdpHeader.Length)
            && cutter._headers <= Math.Min(packet.LinearLength, Packet.Headroom);
    }

    /// <summary>The next segment, with its checksum left out; null when memory is short.</summary>
    public Packet? Next(PacketPool pool)
    {
        int length = Math.Min(_packet.GsoSize, _payload - _offset);
        Packet? segment = PacketPiece.Make(pool, _packet, _headers + _offset, length);
        if (segment == null)
        {
            return null;
        }

        Span<byte> own = segment.Push(_headers);
        _packet.Linear[.._headers].CopyTo(own);
        segment.NetworkOffset = segment.Start + _linkBytes;
        segment.TransportOffset = segment.NetworkOffset + _networkBytes;
        segment.Timestamp = _packet.Timestamp;
        segment.Notes = _packet.Notes;
        segment.Congestion = _packet.Congestion;
        segment.Checksum = ChecksumState.Partial;
        if (IsStamped(length))
        {
            segment.Stamp = _packet.Stamp;
        }

        WriteNetworkHeader(own[_linkBytes..], length);
        Span<byte> transport = own[(_linkBytes + _networkBytes)..];
        if (_isTcp)
        {
            WriteTcpHeader(transport, isLast: _offset + length >= _payload);
        }
        else
        {
            BinaryPrimitives.WriteUInt16BigEndian(transport[4..], (ushort)(UdpHeader.Length + length));
        }

        _offset += _packet.GsoSize;
        _index++;
        return segment;
    }

    /// <summary>Who is told when the packet leaves hears of the segment that has the byte; of UDP of the first (Linux: tcp_gso_tstamp).</summary>
    private readonly bool IsStamped(int length)
    {
        if (_packet.Stamp.Client == null)
        {
            return false;
        }

        uint place = _isTcp ? _packet.Stamp.Key - BinaryPrimitives.ReadUInt32BigEndian(_packet.TransportHeader[4..]) : 0;
        return place - (uint)_offset < (uint)length;
    }

    /// <summary>Sends the segments on an interface, with their checksums where its link wants them. Takes ownership.</summary>
    public static Errno Transmit(Packet packet, NetworkInterface output, in IpAddress nextHop)
    {
        IpLayer ip = output.Stack.Ip;
        bool completes = (output.Features & LinkFeatures.ChecksumOffload) == 0;
        bool isIpv4 = packet.NetworkHeader[0] >> 4 == 4;
        if (packet.Start != packet.NetworkOffset || !TryBegin(packet, out Segmentation cutter))
        {
            IpLayer.Discard(packet, isIpv4 ? ip.Ipv4Counters : ip.Ipv6Counters, IpCounter.OutDiscards, IpCounter.DropBadHeader);
            return Errno.EINVAL;
        }

        while (!cutter.IsDone)
        {
            Packet? segment = cutter.Next(output.Stack.Engine.Packets);
            if (segment == null)
            {
                IpLayer.Discard(packet, isIpv4 ? ip.Ipv4Counters : ip.Ipv6Counters, IpCounter.OutDiscards, IpCounter.DropNoMemory);
                return Errno.ENOBUFS;
            }

            if (completes)
            {
                ChecksumOffload.Complete(segment);
            }

            output.TransmitTo(segment, nextHop);
        }

        packet.Release();
        return Errno.None;
    }

    private readonly void WriteNetworkHeader(Span<byte> header, int length)
    {
        int transportLength = _transportBytes + length;
        if (!_isIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(_networkBytes - Ipv6Header.Length + transportLength));
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)(_networkBytes + transportLength));
        bool dontFragment = (header[6] & 0x40) != 0;
        if (!dontFragment)
        {
            ushort identification = BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(identification + _index));
        }

        Ipv4Header.WriteChecksum(header, _networkBytes);
    }

    private readonly void WriteTcpHeader(Span<byte> header, bool isLast)
    {
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], sequence + (uint)_offset);
        if (!isLast)
        {
            header[13] = (byte)(header[13] & ~FinAndPush);
        }

        if (_index > 0)
        {
            // RFC 3168 6.1.2: CWR answers one echo; it is told once.
            header[13] = (byte)(header[13] & ~CongestionWindowReduced);
        }
    }
}
