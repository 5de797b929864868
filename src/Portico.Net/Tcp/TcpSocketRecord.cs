namespace Portico.Net;

/// <summary>Which timer of a socket fires next, with the numbers of inet_diag (idiag_timer).</summary>
public enum TcpTimerKind : byte
{
    /// <summary>None runs.</summary>
    Off = 0,

    /// <summary>Retransmission.</summary>
    On = 1,

    /// <summary>Keepalive, or the end of FIN-WAIT-2.</summary>
    KeepAlive = 2,

    /// <summary>The end of TIME-WAIT.</summary>
    TimeWait = 3,

    /// <summary>A probe of a closed window.</summary>
    Persist = 4,
}

/// <summary>A socket as sock_diag(7) reports it: of whatever kind, in a listening, half-open, full or TIME-WAIT state.</summary>
public struct TcpSocketRecord
{
    /// <summary>The own end.</summary>
    public Endpoint Local;

    /// <summary>The other end; unspecified for a listener.</summary>
    public Endpoint Remote;

    /// <summary>The state.</summary>
    public TcpState State;

    /// <summary>The timer that fires next.</summary>
    public TcpTimerKind Timer;

    /// <summary>Retransmissions or probes of that timer so far.</summary>
    public byte TimerRetransmits;

    /// <summary>Milliseconds until it fires.</summary>
    public uint TimerMillis;

    /// <summary>Unread bytes; for a listener the connections that nobody has accepted.</summary>
    public uint ReceiveQueue;

    /// <summary>Bytes that are not acknowledged; for a listener its backlog.</summary>
    public uint SendQueue;

    /// <summary>Names the socket as long as it lives.</summary>
    public ulong Cookie;

    /// <summary>Who holds it; null for nobody, as before a connection is accepted and after it is closed.</summary>
    public ISocketOwner? Owner;

    /// <summary>IPV6_V6ONLY, of a listener on ::.</summary>
    public bool Ipv6Only;

    /// <summary>Whether the receiving direction has ended (RCV_SHUTDOWN).</summary>
    public bool IsReceiveShut;

    /// <summary>Whether the sending direction has ended (SEND_SHUTDOWN).</summary>
    public bool IsSendShut;

    /// <summary>Whether <see cref="Info"/> is there: for full connections, in no other state.</summary>
    public bool HasInfo;

    /// <summary>The connection's measurements.</summary>
    public TcpInfo Info;
}

/// <summary>How far <see cref="TcpLayer.ListSockets"/> has come.</summary>
public struct TcpSocketCursor
{
    internal int Table;
    internal uint Next;

    /// <summary>Whether all has been seen.</summary>
    public readonly bool IsAtEnd => Table > 3;
}
