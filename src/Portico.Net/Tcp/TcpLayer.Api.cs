namespace Portico.Net;

// What an application calls. STUB bodies until the engine is in.
public sealed partial class TcpLayer
{
    /// <summary>Takes SYNs that nobody listens for; null to refuse them.</summary>
    public ITcpForwarder? Forwarder { get; set; }

    /// <summary>
    /// Active open (RFC 9293 3.10.1). On success the SYN is on its way: the owner hears Writable when the connection is established,
    /// Error when it failed (<see cref="TakeError"/> says why). Errors: EADDRNOTAVAIL, EADDRINUSE, ENETUNREACH, EINVAL, ENOBUFS.
    /// </summary>
    public Errno Open(in TcpOpenRequest request, ISocketOwner? owner, out TcpHandle handle) => throw new NotImplementedException();

    /// <summary>Passive open. The owner hears Readable when there is a connection to accept. Errors: EADDRINUSE, EADDRNOTAVAIL, ENOBUFS.</summary>
    public Errno Listen(in TcpListenRequest request, ISocketOwner? owner, out TcpListenerHandle listener) => throw new NotImplementedException();

    /// <summary>The port that the listener is bound to.</summary>
    public Endpoint LocalEndpoint(TcpListenerHandle listener) => throw new NotImplementedException();

    /// <summary>Takes the oldest completed connection. Errors: EAGAIN when there is none, EBADF for a stale handle.</summary>
    public Errno Accept(TcpListenerHandle listener, ISocketOwner? owner, out TcpHandle handle) => throw new NotImplementedException();

    /// <summary>Stops listening; connections that nobody accepted are reset, as close(2) of a listening socket does.</summary>
    public void Close(TcpListenerHandle listener) => throw new NotImplementedException();

    /// <summary>
    /// Copies bytes into the send buffer, as many as fit. Errors: EAGAIN when none fit, EPIPE after shutdown, ENOTCONN before the
    /// connection exists, or the connection's pending error (ECONNRESET, ETIMEDOUT, ...).
    /// </summary>
    public Errno Send(TcpHandle handle, ReadOnlySpan<byte> data, TcpSendFlags flags, out int sent) => throw new NotImplementedException();

    /// <summary>Copies received bytes out. None with 0 bytes is the end of the stream. Errors: EAGAIN, ENOTCONN, or the pending error.</summary>
    public Errno Receive(TcpHandle handle, Span<byte> buffer, TcpReceiveFlags flags, out int received) => throw new NotImplementedException();

    /// <summary>Ends one or both directions. Errors: ENOTCONN.</summary>
    public Errno Shutdown(TcpHandle handle, TcpShutdown how) => throw new NotImplementedException();

    /// <summary>
    /// Gives the connection up: it finishes on its own (FIN, retransmissions, TIME-WAIT) as after close(2), or is reset where unread
    /// data is left or SO_LINGER asks for it. The handle is dead from here on.
    /// </summary>
    public void Close(TcpHandle handle) => throw new NotImplementedException();

    /// <summary>Resets the connection (RFC 9293 3.10.5); the handle is dead from here on.</summary>
    public void Abort(TcpHandle handle) => throw new NotImplementedException();

    /// <summary>What the connection is ready for, as poll(2) would say.</summary>
    public SocketEvents Poll(TcpHandle handle) => throw new NotImplementedException();

    /// <summary>What the listener is ready for.</summary>
    public SocketEvents Poll(TcpListenerHandle listener) => throw new NotImplementedException();

    /// <summary>Reads and clears the pending error (SO_ERROR).</summary>
    public Errno TakeError(TcpHandle handle) => throw new NotImplementedException();

    /// <summary>Sets an option. Errors: EINVAL for a value out of range, ENOPROTOOPT.</summary>
    public Errno SetOption(TcpHandle handle, TcpOption option, int value) => throw new NotImplementedException();

    /// <summary>Reads an option.</summary>
    public Errno GetOption(TcpHandle handle, TcpOption option, out int value) => throw new NotImplementedException();

    /// <summary>The two ends. Errors: EBADF for a stale handle.</summary>
    public Errno GetEndpoints(TcpHandle handle, out Endpoint local, out Endpoint remote) => throw new NotImplementedException();

    /// <summary>The connection's state and measurements, as TCP_INFO. Errors: EBADF for a stale handle.</summary>
    public Errno GetInfo(TcpHandle handle, out TcpInfo info) => throw new NotImplementedException();

    /// <summary>
    /// Decides a connection request that the forwarder took. With <see cref="TcpForwardVerdict.Accept"/> the handle is in
    /// SYN-RECEIVED and the owner hears Writable when the handshake is done. Errors: ENOENT when the request has expired.
    /// </summary>
    public Errno CompleteForward(long requestId, TcpForwardVerdict verdict, ISocketOwner? owner, out TcpHandle handle) => throw new NotImplementedException();
}

/// <summary>State and measurements of a connection, as struct tcp_info (tcp(7)); times in microseconds, sizes in bytes.</summary>
public struct TcpInfo
{
#pragma warning disable CS1591 // The names are tcp_info's.
    public TcpState State;
    public byte CaState;
    public byte Retransmits;
    public byte Probes;
    public byte Backoff;
    public bool Timestamps;
    public bool Sack;
    public byte SndWindShift;
    public byte RcvWindShift;
    public uint RtoMicros;
    public uint AtoMicros;
    public uint SndMss;
    public uint RcvMss;
    public uint Unacked;
    public uint Sacked;
    public uint Lost;
    public uint Retrans;
    public uint PathMtu;
    public uint RcvSsThresh;
    public uint RttMicros;
    public uint RttVarMicros;
    public uint MinRttMicros;
    public uint SndSsThresh;
    public uint SndCwnd;
    public uint AdvMss;
    public uint Reordering;
    public uint SndWnd;
    public uint RcvWnd;
    public uint RcvSpace;
    public uint TotalRetrans;
    public uint NotSentBytes;
    public uint ReceiveQueueBytes;
    public uint SendQueueBytes;
    public ulong BytesAcked;
    public ulong BytesReceived;
    public ulong BytesSent;
    public ulong BytesRetrans;
    public uint SegsOut;
    public uint SegsIn;
    public TcpCongestion Congestion;
#pragma warning restore CS1591
}
