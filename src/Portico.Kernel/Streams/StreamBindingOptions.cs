namespace Portico.Kernel;

/// <summary>How a descriptor is bound to a stream of the embedder.</summary>
public sealed class StreamBindingOptions
{
    /// <summary>
    /// Bytes that wait between the two at most (fcntl(2), F_SETPIPE_SZ): a process that writes faster than the stream takes waits then, and so
    /// does the stream that a process does not read from. Rounded up to pages, by default 64 KiB; what is above <c>fs.pipe-max-size</c> is EPERM.
    /// </summary>
    public int BufferBytes { get; init; } = 65_536;

    /// <summary>Whether the stream stays open when the binding ends; by default it is disposed.</summary>
    public bool LeaveOpen { get; init; }
}
