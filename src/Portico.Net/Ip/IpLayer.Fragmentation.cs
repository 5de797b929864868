using System.Buffers.Binary;

namespace Portico.Net;

// Cutting packets that do not fit (RFC 791 3.2, RFC 8200 4.5), and the identifications that tie the pieces together (RFC 6864, RFC 7739).
public sealed unsafe partial class IpLayer
{
    private const int IdentificationSlots = 2048;

    private readonly ushort[] _identifications = new ushort[IdentificationSlots];
    private readonly SipKey _identificationKey;

    /// <summary>
    /// An identification that does not repeat soon for the same source, destination and protocol (RFC 6864 4.3), and does not tell one
    /// peer how many packets go to another: each destination counts from a secret start, in random steps (RFC 7739 5.3).
    /// </summary>
    private ushort NextIpv4Identification(in IpAddress source, in IpAddress destination, IpProtocol protocol)
    {
        ulong hash = SipHash.HashFlow(_identificationKey, source, destination, (ushort)protocol, 0);
        ref ushort count = ref _identifications[hash % IdentificationSlots];
        count += (ushort)(1 + _stack.Engine.Random.NextBelow(4));
        return (ushort)(count + (ushort)(hash >> 48));
    }

    /// <summary>RFC 7739 5.2: random, and never 0.</summary>
    private uint NextIpv6Identification()
    {
        uint identification = _stack.Engine.Random.NextUInt32();
        return identification == 0 ? 1 : identification;
    }

    /// <summary>Cuts a packet that begins with its complete IPv4 header, which may itself be a fragment on its way through.</summary>
    private Errno SendIpv4Fragments(Packet packet, in RouteCache route)
    {
        MibTable<IpCounter> mib = Ipv4Counters;
        ChecksumOffload.Complete(packet);
        Span<byte> header = packet.Linear;
        int headerLength = (header[0] & 0xF) * 4;
        int room = (route.PathMtu - headerLength) & ~7;
        ushort field = BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        int firstUnit = field & Ipv4Header.OffsetMask;
        int payload = packet.Length - headerLength;
        bool isFirst = true;
        for (int offset = 0; offset < payload; offset += room)
        {
            int length = Math.Min(room, payload - offset);
            bool isLast = offset + length == payload;
            Packet? piece = PacketPiece.Make(_stack.Engine.Packets, packet, headerLength + offset, length);
            if (piece == null)
            {
                return Refuse(packet, mib, Errno.ENOBUFS, IpCounter.DropNoMemory);
            }

            piece.TransportOffset = piece.Start;
            Span<byte> own = piece.Push(headerLength);
            packet.Linear[..headerLength].CopyTo(own);
            if (!isFirst && headerLength > Ipv4HeaderBytes)
            {
                BlankUncopiedOptions(own[Ipv4HeaderBytes..]);
            }

            int flags = (field & Ipv4Header.MoreFragmentsFlag) | (isLast ? 0 : Ipv4Header.MoreFragmentsFlag);
            BinaryPrimitives.WriteUInt16BigEndian(own[2..], (ushort)(headerLength + length));
            BinaryPrimitives.WriteUInt16BigEndian(own[6..], (ushort)(flags | (firstUnit + (offset / 8))));
            Ipv4Header.WriteChecksum(own, headerLength);
            FinishPiece(piece, packet);
            mib[IpCounter.FragCreates]++;
            Transmit(piece, route);
            isFirst = false;
        }

        mib[IpCounter.FragOKs]++;
        packet.Release();
        return Errno.None;
    }

    /// <summary>Cuts a packet that begins with a plain IPv6 header of this host's own; into smaller fragments than the path takes unless 0.</summary>
    private Errno SendIpv6Fragments(Packet packet, in RouteCache route, int fragmentMtu)
    {
        MibTable<IpCounter> mib = Ipv6Counters;
        ChecksumOffload.Complete(packet);
        uint identification = NextIpv6Identification();
        int room = (UdpLayer.Smaller(route.PathMtu, fragmentMtu) - Ipv6HeaderBytes - FragmentHeaderBytes) & ~7;
        int payload = packet.Length - Ipv6HeaderBytes;
        IpProtocol next = (IpProtocol)packet.Linear[6];
        for (int offset = 0; offset < payload; offset += room)
        {
            int length = Math.Min(room, payload - offset);
            Packet? piece = PacketPiece.Make(_stack.Engine.Packets, packet, Ipv6HeaderBytes + offset, length);
            if (piece == null)
            {
                return Refuse(packet, mib, Errno.ENOBUFS, IpCounter.DropNoMemory);
            }

            piece.TransportOffset = piece.Start;
            Span<byte> own = piece.Push(Ipv6HeaderBytes + FragmentHeaderBytes);
            packet.Linear[..Ipv6HeaderBytes].CopyTo(own);
            own[6] = (byte)IpProtocol.Ipv6Fragment;
            BinaryPrimitives.WriteUInt16BigEndian(own[4..], (ushort)(FragmentHeaderBytes + length));
            Ipv6ExtensionHeaders.WriteFragment(own[Ipv6HeaderBytes..], next, offset, offset + length < payload, identification);
            FinishPiece(piece, packet);
            mib[IpCounter.FragCreates]++;
            Transmit(piece, route);
        }

        mib[IpCounter.FragOKs]++;
        packet.Release();
        return Errno.None;
    }

    private static void FinishPiece(Packet piece, Packet whole)
    {
        piece.NetworkOffset = piece.Start;
        piece.Checksum = ChecksumState.Verified;
        piece.Timestamp = whole.Timestamp;

        // Who is told when the packet leaves hears of the first piece.
        piece.Stamp = whole.Stamp;
        whole.Stamp.Client = null;
    }

    /// <summary>RFC 791 3.1: an option without the copied flag stands in the first fragment only; no-operations take its place.</summary>
    private static void BlankUncopiedOptions(Span<byte> options)
    {
        const int CopiedFlag = 0x80;
        int position = 0;
        while (position < options.Length && options[position] != Ipv4OptionKind.EndOfList)
        {
            int length = options[position] == Ipv4OptionKind.NoOperation ? 1 : position + 1 < options.Length ? options[position + 1] : 0;
            if (length < 1 || position + length > options.Length)
            {
                return;
            }

            if ((options[position] & CopiedFlag) == 0)
            {
                options.Slice(position, length).Fill(Ipv4OptionKind.NoOperation);
            }

            position += length;
        }
    }
}
