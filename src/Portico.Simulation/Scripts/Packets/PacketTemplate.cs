namespace Portico.Simulation.Scripts;

/// <summary>How far a packet's traffic class is looked at.</summary>
internal enum TosCheck
{
    None,

    /// <summary>The two bits of RFC 3168.</summary>
    Ecn,

    /// <summary>[ect01]: one of the two ECT code points.</summary>
    EitherEct,

    /// <summary>All eight bits.</summary>
    All,
}

/// <summary>What is said about the IP header, in parentheses or brackets.</summary>
internal readonly record struct IpTemplate(TosCheck TosCheck, byte Tos, byte Ttl, uint FlowLabel);

/// <summary>A packet as a script writes it: to be sent, or expected.</summary>
internal abstract record PacketTemplate(ScriptPosition Position, bool IsInbound, IpTemplate Ip);

/// <param name="Position">Where it begins.</param>
/// <param name="IsInbound">Whether the script sends it.</param>
/// <param name="Ip">The IP header.</param>
/// <param name="SourcePort">The source port, 0 for the connection's own.</param>
/// <param name="DestinationPort">The destination port, 0 for the connection's own.</param>
/// <param name="Flags">The flags.</param>
/// <param name="HasAce">Whether the flags' last three are one number, that of RFC 9768.</param>
/// <param name="Sequence">The first sequence number.</param>
/// <param name="PayloadLength">How many bytes it bears; all of them are 0.</param>
/// <param name="Acknowledgment">The acknowledgment number.</param>
/// <param name="Window">The window field; null for any.</param>
/// <param name="Urgent">The urgent pointer.</param>
/// <param name="Options">The options; null for any.</param>
internal sealed record TcpTemplate(
    ScriptPosition Position, bool IsInbound, IpTemplate Ip, ushort SourcePort, ushort DestinationPort, TcpFlagBits Flags, bool HasAce,
    uint Sequence, int PayloadLength, uint Acknowledgment, ushort? Window, ushort Urgent, List<TcpOptionBytes>? Options)
    : PacketTemplate(Position, IsInbound, Ip);

internal sealed record UdpTemplate(
    ScriptPosition Position, bool IsInbound, IpTemplate Ip, ushort SourcePort, ushort DestinationPort, int PayloadLength)
    : PacketTemplate(Position, IsInbound, Ip);

/// <summary>What an ICMP error quotes.</summary>
internal enum IcmpQuote
{
    Tcp,
    Udp,

    /// <summary>Nothing: bytes of 0.</summary>
    Raw,
}

/// <param name="Position">Where it begins.</param>
/// <param name="IsInbound">Whether the script sends it.</param>
/// <param name="Ip">The IP header.</param>
/// <param name="Type">The type's name.</param>
/// <param name="Code">The code's name, if there is one.</param>
/// <param name="Mtu">The MTU of a packet that was too big.</param>
/// <param name="EchoId">The identifier of an echo.</param>
/// <param name="Quote">What it quotes.</param>
/// <param name="QuotedSequence">The first sequence number of the segment that it quotes.</param>
/// <param name="QuotedLength">The quoted segment's payload.</param>
internal sealed record IcmpTemplate(
    ScriptPosition Position, bool IsInbound, IpTemplate Ip, string Type, string? Code, uint? Mtu, ushort EchoId, IcmpQuote Quote,
    uint QuotedSequence, int QuotedLength)
    : PacketTemplate(Position, IsInbound, Ip);

/// <summary>The flags of TCP's header, as it has them, AE (RFC 9768) above the others.</summary>
[Flags]
internal enum TcpFlagBits
{
    None = 0,
    Fin = 1,
    Syn = 2,
    Rst = 4,
    Psh = 8,
    Ack = 16,
    Urg = 32,
    Ece = 64,
    Cwr = 128,
    Ae = 256,
    Reserved = 0xE00,
}

/// <summary>A TCP option: its kind, and the bytes behind kind and length.</summary>
internal sealed record TcpOptionBytes(byte Kind, byte[] Data)
{
    public const byte EndOfList = 0;
    public const byte NoOperation = 1;
    public const byte MaximumSegmentSize = 2;
    public const byte WindowScale = 3;
    public const byte SackPermitted = 4;
    public const byte Sack = 5;
    public const byte Timestamps = 8;
    public const byte Md5 = 19;
    public const byte FastOpen = 34;
    public const byte AccEcn0 = 172;
    public const byte AccEcn1 = 174;
    public const byte Experimental = 254;

    /// <summary>The bytes that it takes in a header.</summary>
    public int Length => Kind is EndOfList or NoOperation ? 1 : 2 + Data.Length;

    public TcpOptionBytes Copy() => new(Kind, [.. Data]);
}
