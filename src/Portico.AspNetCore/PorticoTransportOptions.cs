namespace Portico.AspNetCore;

/// <summary>
/// Settings of <see cref="PorticoTransportFactory"/>; the names and defaults are those of Kestrel's own socket transport.
/// </summary>
public sealed class PorticoTransportOptions
{
    /// <summary>The most connections that wait to be accepted at an end point (the backlog of listen(2)).</summary>
    public int Backlog { get; set; } = 512;

    /// <summary>
    /// The bytes that are received ahead of the application. Beyond that nothing more is taken from the stack, so that the peer's
    /// window closes. Null or 0 sets no limit.
    /// </summary>
    public long? MaxReadBufferSize { get; set; } = 1024 * 1024;

    /// <summary>
    /// The bytes that the application may write ahead of the stack; beyond that its flushes wait. Null or 0 sets no limit.
    /// </summary>
    public long? MaxWriteBufferSize { get; set; } = 64 * 1024;

    /// <summary>Whether small writes go out at once instead of waiting for an acknowledgment (TCP_NODELAY).</summary>
    public bool NoDelay { get; set; } = true;

    /// <summary>
    /// Whether a connection takes a buffer only once there is something to receive, so that idle connections own none. It costs one
    /// call more for each batch of bytes.
    /// </summary>
    public bool WaitForDataBeforeAllocatingBuffer { get; set; } = true;

    /// <summary>
    /// Whether the application continues on the thread that brought the bytes, which may be the one that runs the whole network. It
    /// spares two hops; an application that blocks or computes for long then holds everybody up.
    /// </summary>
    public bool UnsafePreferInlineScheduling { get; set; }
}
