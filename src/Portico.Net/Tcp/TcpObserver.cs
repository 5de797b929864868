namespace Portico.Net;

/// <summary>Why a connection changes its state.</summary>
public enum TcpCause
{
    /// <summary>Not known.</summary>
    None,

    /// <summary>The application opens the connection.</summary>
    Open,

    /// <summary>A SYN came in.</summary>
    SynReceived,

    /// <summary>The answer to our SYN came in.</summary>
    SynAckReceived,

    /// <summary>Our SYN, or our FIN, is acknowledged.</summary>
    AckReceived,

    /// <summary>The peer's FIN came in: it sends no more.</summary>
    FinReceived,

    /// <summary>The application has closed the connection, or its sending direction.</summary>
    Close,

    /// <summary>The application has aborted the connection: the peer gets a reset.</summary>
    Abort,

    /// <summary>The application has closed with data unread: the peer gets a reset (RFC 2525 2.17).</summary>
    UnreadData,

    /// <summary>Data came after close(2): the peer gets a reset (RFC 9293 3.6.1).</summary>
    DataAfterClose,

    /// <summary>SO_LINGER or TCP_LINGER2 asks for a reset instead of waiting.</summary>
    Linger,

    /// <summary>A reset came in.</summary>
    ResetReceived,

    /// <summary>An ICMP error came in that ends a connection which is being opened.</summary>
    IcmpError,

    /// <summary>The forwarder has refused the connection.</summary>
    Refused,

    /// <summary>Enough retransmissions or window probes had no answer (RFC 9293 3.8.3), or a held SYN had no verdict.</summary>
    Timeout,

    /// <summary>Enough keep-alive probes had no answer.</summary>
    KeepAliveTimeout,

    /// <summary>The peer's FIN did not come within tcp_fin_timeout.</summary>
    FinTimeout,

    /// <summary>TIME-WAIT is over.</summary>
    TimeWaitExpired,

    /// <summary>A new connection takes the place of one in TIME-WAIT (RFC 6191).</summary>
    TimeWaitReused,

    /// <summary>There was no memory, or no room in a table or queue.</summary>
    OutOfResources,
}

/// <summary>The two ends of a connection, as the stack sees them.</summary>
public readonly record struct TcpFlow(Endpoint Local, Endpoint Remote);

/// <summary>
/// A connection goes from one state to another. What has not been accepted yet counts as LISTEN, and TIME-WAIT lasts until
/// its record is given up.
/// </summary>
public readonly record struct TcpStateChange(TcpFlow Flow, TcpState From, TcpState To, TcpCause Cause, Errno Error);

/// <summary>
/// A segment is sent for another reason than that it is its turn: again, or as a probe. <paramref name="Offset"/> is its sequence
/// number counted from the SYN's, <paramref name="Attempt"/> how many timeouts or probes in a row it stands for; 0 without a timeout.
/// </summary>
public readonly record struct TcpRetransmission(TcpFlow Flow, PacketNotes Cause, uint Offset, int Length, TcpFlags Flags, int Attempt);

/// <summary>A window closes (to <paramref name="Bytes"/> = 0) or opens: the one that the peer offers, or our own.</summary>
public readonly record struct TcpWindowChange(TcpFlow Flow, bool IsPeers, uint Bytes);

/// <summary>Hears what a stack's connections do, for traces. Called from within the engine: it must not call back.</summary>
public interface ITcpObserver
{
    /// <summary>A connection changes its state.</summary>
    void OnStateChange(in TcpStateChange change);

    /// <summary>A segment is sent again, or a probe.</summary>
    void OnRetransmission(in TcpRetransmission retransmission);

    /// <summary>A window closes or opens.</summary>
    void OnWindowChange(in TcpWindowChange change);
}
