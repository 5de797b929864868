using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>The field's names for what a trace tells, and a few words for who does not know them yet.</summary>
internal static class TraceNames
{
    private static readonly (TcpFlags Flag, string Name)[] s_flags =
    [
        (TcpFlags.Syn, "SYN"), (TcpFlags.Fin, "FIN"), (TcpFlags.Rst, "RST"), (TcpFlags.Psh, "PSH"), (TcpFlags.Ack, "ACK"),
        (TcpFlags.Urg, "URG"),
    ];

    /// <summary>RFC 9293 3.3.2.</summary>
    public static string State(TcpState state) => state switch
    {
        TcpState.Listen => "LISTEN",
        TcpState.SynSent => "SYN-SENT",
        TcpState.SynReceived => "SYN-RECEIVED",
        TcpState.Established => "ESTABLISHED",
        TcpState.FinWait1 => "FIN-WAIT-1",
        TcpState.FinWait2 => "FIN-WAIT-2",
        TcpState.CloseWait => "CLOSE-WAIT",
        TcpState.Closing => "CLOSING",
        TcpState.LastAck => "LAST-ACK",
        TcpState.TimeWait => "TIME-WAIT",
        _ => "CLOSED",
    };

    public static string Flags(TcpFlags flags)
    {
        Span<char> text = stackalloc char[64];
        int length = 0;
        foreach ((TcpFlags flag, string name) in s_flags)
        {
            if ((flags & flag) != 0)
            {
                string part = length == 0 ? name : "," + name;
                part.CopyTo(text[length..]);
                length += part.Length;
            }
        }

        return length == 0 ? "none" : new string(text[..length]);
    }

    public static string Protocol(IpProtocol protocol) => protocol switch
    {
        IpProtocol.Tcp => "TCP",
        IpProtocol.Udp => "UDP",
        IpProtocol.Icmp => "ICMP",
        _ => "ICMPv6",
    };

    /// <summary>Why Portico's end changed its state.</summary>
    public static string Cause(TcpCause cause) => cause switch
    {
        TcpCause.Open => "connection opened from outside",
        TcpCause.SynReceived => "SYN received",
        TcpCause.SynAckReceived => "SYN,ACK received",
        TcpCause.AckReceived => "ACK received",
        TcpCause.FinReceived => "FIN received",
        TcpCause.Close => "close by Portico",
        TcpCause.Abort => "abort by Portico",
        TcpCause.UnreadData => "closed with data unread",
        TcpCause.DataAfterClose => "data after close",
        TcpCause.Linger => "no time to linger",
        TcpCause.ResetReceived => "RST received",
        TcpCause.IcmpError => "ICMP error received",
        TcpCause.Refused => "refused",
        TcpCause.Timeout => "timed out",
        TcpCause.KeepAliveTimeout => "keep-alive timed out",
        TcpCause.FinTimeout => "the other FIN did not come in time",
        TcpCause.TimeWaitExpired => "time is over",
        TcpCause.TimeWaitReused => "port used again",
        TcpCause.OutOfResources => "out of resources",
        _ => "unknown",
    };

    /// <summary>What the command's end is about, by the state that it enters.</summary>
    public static string Meaning(TcpState state) => state switch
    {
        TcpState.SynSent => "it asks for a connection",
        TcpState.SynReceived => "it was asked for a connection and agrees",
        TcpState.Established => "connected",
        TcpState.FinWait1 => "it has closed and will send no more",
        TcpState.FinWait2 => "its FIN is acknowledged",
        TcpState.CloseWait => "it has the other side's FIN",
        TcpState.Closing => "both closed at the same time",
        TcpState.LastAck => "it closes too",
        TcpState.TimeWait => "both have closed; it waits for late packets",
        _ => "over",
    };

    /// <summary>Why a segment was sent other than in its turn: what a capture says of it.</summary>
    public static string Notes(PacketNotes notes) => string.Join(", ", PcapngWriter.CommentsOf(notes));

    public static string Closer(TraceCloser closer) => closer switch
    {
        TraceCloser.Command => "command",
        TraceCloser.Server => "server",
        _ => "portico",
    };

    /// <summary>A counter's name in words, where the name alone would not do.</summary>
    public static string? DropMeaning(string reason) => reason switch
    {
        nameof(TcpCounter.NoSocket) or nameof(UdpCounter.NoPorts) => "nobody has that port",
        nameof(TcpCounter.InCsumErrors) => "wrong checksum",
        nameof(TcpCounter.BeyondWindow) => "beyond the window",
        nameof(TcpCounter.SequenceDrops) => "outside of the window",
        nameof(TcpCounter.DelayedACKLost) => "received before",
        nameof(TcpCounter.PAWSEstab) => "timestamp from the past",
        nameof(TcpCounter.InvalidAcks) => "acknowledges what was never sent",
        nameof(TcpCounter.InvalidResets) => "reset with a wrong sequence number",
        nameof(TcpCounter.TCPSYNChallenge) => "SYN for a connection that exists",
        nameof(TcpCounter.TCPZeroWindowDrop) => "the window is closed",
        nameof(TcpCounter.ListenDrops) => "the listener's queue is full",
        _ => null,
    };

    /// <summary>How the host's connect(2) ended.</summary>
    public static string Outcome(Errno error) => error switch
    {
        Errno.None => "connected",
        Errno.ECONNREFUSED => "refused",
        Errno.ETIMEDOUT => "timed out",
        Errno.EHOSTUNREACH or Errno.EHOSTDOWN => "host unreachable",
        Errno.ENETUNREACH or Errno.ENETDOWN => "network unreachable",
        Errno.ECONNRESET => "reset",
        Errno.EACCES or Errno.EPERM => "not allowed",
        _ => error.ToString(),
    };

    /// <summary>RFC 792, RFC 4443, in the words of Linux's tools.</summary>
    public static string IcmpError(in TraceEvent e) => (e.Protocol, e.IcmpType, e.IcmpCode) switch
    {
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, IcmpUnreachableCode.Network) => "network unreachable",
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, IcmpUnreachableCode.Host) => "host unreachable",
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, IcmpUnreachableCode.Protocol) => "protocol unreachable",
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, IcmpUnreachableCode.Port) => "port unreachable",
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, IcmpUnreachableCode.FragmentationNeeded) => "fragmentation needed",
        (IpProtocol.Icmp, IcmpType.DestinationUnreachable, _) => "administratively prohibited",
        (IpProtocol.Icmp, IcmpType.TimeExceeded, _) => "time to live exceeded",
        (IpProtocol.Icmp, _, _) => "parameter problem",
        (_, Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.NoRoute) => "network unreachable",
        (_, Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Prohibited) => "administratively prohibited",
        (_, Icmpv6Type.DestinationUnreachable, Icmpv6UnreachableCode.Port) => "port unreachable",
        (_, Icmpv6Type.DestinationUnreachable, _) => "host unreachable",
        (_, Icmpv6Type.PacketTooBig, _) => "packet too big",
        (_, Icmpv6Type.TimeExceeded, _) => "hop limit exceeded",
        _ => "parameter problem",
    };
}
