using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>
/// Cuts a super-segment into the segments that it stands for, at the last moment, for links that do not do it themselves. Each gets a
/// copy of the headers; its payload stays in the blocks where it is. UDP super-segments (UDP_SEGMENT) are cut into datagrams.
/// </summary>
internal static class Segmentation
{
    private const byte FinAndPush = 0x09;
    private const byte CongestionWindowReduced = 0x80;

    /// <summary>Sends the segments on an interface, with their checksums where its link wants them. Takes ownership.</summary>
    public static Errno Transmit(Packet packet, NetworkInterface output, in IpAddress nextHop)
    {
        IpLayer ip = output.Stack.Ip;
        bool completes = (output.Features & LinkFeatures.ChecksumOffload) == 0;
        int networkBytes = packet.TransportOffset - packet.NetworkOffset;
        bool isIpv4 = packet.NetworkHeader[0] >> 4 == 4;
        bool isTcp = isIpv4
            ? packet.NetworkHeader[9] == (byte)IpProtocol.Tcp
            : packet.NetworkHeader[6] == (byte)IpProtocol.Tcp || packet.NetworkHeader[6] != (byte)IpProtocol.Udp;
        int transportBytes = isTcp ? (packet.TransportHeader[12] >> 4) * 4 : UdpHeader.Length;
        int headers = networkBytes + transportBytes;
        if (headers > packet.LinearLength || transportBytes < UdpHeader.Length || packet.Start != packet.NetworkOffset)
        {
            IpLayer.Discard(packet, isIpv4 ? ip.Ipv4Counters : ip.Ipv6Counters, IpCounter.OutDiscards, IpCounter.DropBadHeader);
            return Errno.EINVAL;
        }

        int size = packet.GsoSize;
        int payload = packet.Length - headers;
        int index = 0;
        for (int offset = 0; offset < payload || index == 0; offset += size)
        {
            int length = Math.Min(size, payload - offset);
            Packet? segment = PacketPiece.Make(output.Stack.Engine.Packets, packet, headers + offset, length);
            if (segment == null)
            {
                IpLayer.Discard(packet, isIpv4 ? ip.Ipv4Counters : ip.Ipv6Counters, IpCounter.OutDiscards, IpCounter.DropNoMemory);
                return Errno.ENOBUFS;
            }

            Span<byte> own = segment.Push(headers);
            packet.Linear[..headers].CopyTo(own);
            segment.NetworkOffset = segment.Start;
            segment.TransportOffset = segment.Start + networkBytes;
            segment.Timestamp = packet.Timestamp;
            segment.Notes = packet.Notes;
            segment.Checksum = ChecksumState.Partial;
            WriteNetworkHeader(own, networkBytes, isIpv4, transportBytes + length, index);
            if (isTcp)
            {
                WriteTcpHeader(own[networkBytes..], offset, index == 0, offset + length >= payload);
            }
            else
            {
                BinaryPrimitives.WriteUInt16BigEndian(own[(networkBytes + 4)..], (ushort)(UdpHeader.Length + length));
            }

            if (completes)
            {
                ChecksumOffload.Complete(segment);
            }

            output.TransmitTo(segment, nextHop);
            index++;
        }

        packet.Release();
        return Errno.None;
    }

    private static void WriteNetworkHeader(Span<byte> header, int networkBytes, bool isIpv4, int transportLength, int index)
    {
        if (!isIpv4)
        {
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(networkBytes - IpLayer.Ipv6HeaderBytes + transportLength));
            return;
        }

        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)(networkBytes + transportLength));
        bool dontFragment = (header[6] & 0x40) != 0;
        if (!dontFragment)
        {
            ushort identification = BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
            BinaryPrimitives.WriteUInt16BigEndian(header[4..], (ushort)(identification + index));
        }

        Ipv4Header.WriteChecksum(header, networkBytes);
    }

    private static void WriteTcpHeader(Span<byte> header, int offset, bool isFirst, bool isLast)
    {
        uint sequence = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], sequence + (uint)offset);
        if (!isLast)
        {
            header[13] = (byte)(header[13] & ~FinAndPush);
        }

        if (!isFirst)
        {
            // RFC 3168 6.1.2: CWR answers one echo; it is told once.
            header[13] = (byte)(header[13] & ~CongestionWindowReduced);
        }
    }
}
