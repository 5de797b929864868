using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>ICMP types (RFC 792).</summary>
public static class IcmpType
{
#pragma warning disable CS1591 // The names are the RFC's.
    public const byte EchoReply = 0;
    public const byte DestinationUnreachable = 3;
    public const byte SourceQuench = 4;
    public const byte Redirect = 5;
    public const byte EchoRequest = 8;
    public const byte TimeExceeded = 11;
    public const byte ParameterProblem = 12;
    public const byte TimestampRequest = 13;
    public const byte TimestampReply = 14;
#pragma warning restore CS1591
}

/// <summary>Codes of <see cref="IcmpType.DestinationUnreachable"/> (RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1).</summary>
public static class IcmpUnreachableCode
{
#pragma warning disable CS1591 // The names are the RFCs'.
    public const byte Network = 0;
    public const byte Host = 1;
    public const byte Protocol = 2;
    public const byte Port = 3;
    public const byte FragmentationNeeded = 4;
    public const byte SourceRouteFailed = 5;
    public const byte NetworkProhibited = 9;
    public const byte HostProhibited = 10;
    public const byte CommunicationProhibited = 13;
#pragma warning restore CS1591
}

/// <summary>ICMPv6 types (RFC 4443, RFC 4861, RFC 2710, RFC 3810).</summary>
public static class Icmpv6Type
{
#pragma warning disable CS1591 // The names are the RFCs'.
    public const byte DestinationUnreachable = 1;
    public const byte PacketTooBig = 2;
    public const byte TimeExceeded = 3;
    public const byte ParameterProblem = 4;
    public const byte EchoRequest = 128;
    public const byte EchoReply = 129;
    public const byte MulticastListenerQuery = 130;
    public const byte MulticastListenerReport = 131;
    public const byte MulticastListenerDone = 132;
    public const byte RouterSolicitation = 133;
    public const byte RouterAdvertisement = 134;
    public const byte NeighbourSolicitation = 135;
    public const byte NeighbourAdvertisement = 136;
    public const byte Redirect = 137;
    public const byte MulticastListenerReportV2 = 143;
#pragma warning restore CS1591
}

/// <summary>Codes of <see cref="Icmpv6Type.DestinationUnreachable"/> (RFC 4443 3.1).</summary>
public static class Icmpv6UnreachableCode
{
#pragma warning disable CS1591 // The names are the RFC's.
    public const byte NoRoute = 0;
    public const byte Prohibited = 1;
    public const byte BeyondScope = 2;
    public const byte Address = 3;
    public const byte Port = 4;
    public const byte SourcePolicy = 5;
    public const byte RejectRoute = 6;
#pragma warning restore CS1591
}

/// <summary>The first 8 bytes of an ICMP message (RFC 792).</summary>
public readonly ref struct IcmpHeader
{
    /// <summary>Bytes that the header takes, the type's own 4 bytes included.</summary>
    public const int Length = 8;

    private readonly ref byte _first;

    private IcmpHeader(ref byte first) => _first = ref first;

    /// <summary>One of <see cref="IcmpType"/>.</summary>
    public byte Type => _first;

    /// <summary>What it means depends on the type.</summary>
    public byte Code => Unsafe.Add(ref _first, 1);

    /// <summary>The checksum field.</summary>
    public ushort Checksum => Big.Read16(ref _first, 2);

    /// <summary>The 4 bytes whose meaning depends on the type.</summary>
    public uint Rest => Big.Read32(ref _first, 4);

    /// <summary>Of an echo message.</summary>
    public ushort Identifier => Big.Read16(ref _first, 4);

    /// <summary>Of an echo message.</summary>
    public ushort SequenceNumber => Big.Read16(ref _first, 6);

    /// <summary>Of "fragmentation needed": the next hop's MTU (RFC 1191 4), 0 where the router did not say.</summary>
    public ushort NextHopMtu => Big.Read16(ref _first, 6);

    /// <summary>Of a parameter problem.</summary>
    public byte Pointer => Unsafe.Add(ref _first, 4);

    /// <summary>Of a redirect: the better router.</summary>
    public IpAddress Gateway => IpAddress.FromIpv4(Rest);

    /// <summary>Whether the message is about a packet, which it quotes: no error is sent about it (RFC 1122 3.2.2).</summary>
    public bool IsError => IsErrorType(Type);

    /// <summary>Whether messages of this type quote a packet.</summary>
    public static bool IsErrorType(byte type) =>
        type is IcmpType.DestinationUnreachable or IcmpType.SourceQuench or IcmpType.Redirect or IcmpType.TimeExceeded
            or IcmpType.ParameterProblem;

    /// <summary>Views the header; false where there are fewer than 8 bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out IcmpHeader header)
    {
        if (bytes.Length >= Length)
        {
            header = new IcmpHeader(ref MemoryMarshal.GetReference(bytes));
            return true;
        }

        header = default;
        return false;
    }

    /// <summary>Writes a header with checksum 0.</summary>
    public static void Write(Span<byte> header, byte type, byte code, uint rest) =>
        BinaryPrimitives.WriteUInt64BigEndian(header, ((ulong)type << 56) | ((ulong)code << 48) | rest);

    /// <summary>Computes the checksum of a whole message and puts it in its place.</summary>
    public static void WriteChecksum(Span<byte> message)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], 0);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Compute(message));
    }
}

/// <summary>The first 8 bytes of an ICMPv6 message (RFC 4443 2.1); a message may be as short as 4.</summary>
public readonly ref struct Icmpv6Header
{
    /// <summary>Bytes that the header takes, the type's own 4 bytes included.</summary>
    public const int Length = 8;

    private readonly ref byte _first;

    private Icmpv6Header(ref byte first) => _first = ref first;

    /// <summary>One of <see cref="Icmpv6Type"/>.</summary>
    public byte Type => _first;

    /// <summary>What it means depends on the type.</summary>
    public byte Code => Unsafe.Add(ref _first, 1);

    /// <summary>The checksum field.</summary>
    public ushort Checksum => Big.Read16(ref _first, 2);

    /// <summary>The 4 bytes whose meaning depends on the type.</summary>
    public uint Rest => Big.Read32(ref _first, 4);

    /// <summary>Of an echo message.</summary>
    public ushort Identifier => Big.Read16(ref _first, 4);

    /// <summary>Of an echo message.</summary>
    public ushort SequenceNumber => Big.Read16(ref _first, 6);

    /// <summary>Of "packet too big" (RFC 4443 3.2).</summary>
    public uint Mtu => Rest;

    /// <summary>Of a parameter problem (RFC 4443 3.4).</summary>
    public uint Pointer => Rest;

    /// <summary>Whether the message is an error, which quotes a packet: types below 128.</summary>
    public bool IsError => Type < 128;

    /// <summary>Views the header; false where there are fewer than 8 bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out Icmpv6Header header)
    {
        if (bytes.Length >= Length)
        {
            header = new Icmpv6Header(ref MemoryMarshal.GetReference(bytes));
            return true;
        }

        header = default;
        return false;
    }

    /// <summary>Writes a header with checksum 0.</summary>
    public static void Write(Span<byte> header, byte type, byte code, uint rest) => IcmpHeader.Write(header, type, code, rest);

    /// <summary>Computes the checksum of a whole message, pseudo header included (RFC 4443 2.3), and puts it in its place.</summary>
    public static void WriteChecksum(Span<byte> message, in IpAddress source, in IpAddress destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], 0);
        ulong sum = InternetChecksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, message.Length);
        BinaryPrimitives.WriteUInt16BigEndian(message[2..], InternetChecksum.Finish(InternetChecksum.Accumulate(sum, message)));
    }
}
