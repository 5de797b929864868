using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// Bytes on their way from one file to another (splice(2), tee(2), sendfile(2), copy_file_range(2)): a call that may have to wait now for the
/// one and now for the other. Guarded by the kernel's lock.
/// </summary>
internal partial struct Transfer(OpenFileDescription source, OpenFileDescription target, ulong count, SpliceFlags flags)
{
    /// <summary>The most that one call moves (MAX_RW_COUNT).</summary>
    public const ulong BytesMax = 0x7FFF_F000;

    /// <summary>What goes from file to file at once: as much as a pipe has pages for.</summary>
    private const int ChunkBytes = Pipe.SlotsDefault * Pipe.PageBytes;

    private long _sourcePosition;
    private long _targetPosition;
    private ulong _left = count;
    private long _done;
    private bool _hasWaited;

    /// <summary>Where the bytes come from.</summary>
    public readonly OpenFileDescription Source => source;

    /// <summary>Where they go.</summary>
    public readonly OpenFileDescription Target => target;

    /// <summary>Where the source has been read up to, if it has positions.</summary>
    public long SourcePosition { readonly get => _sourcePosition; init => _sourcePosition = value; }

    /// <summary>Where the target has been written up to, if it has positions.</summary>
    public long TargetPosition { readonly get => _targetPosition; init => _targetPosition = value; }

    /// <summary>Whether the bytes stay where they are, too (tee).</summary>
    public bool Copies { get; init; }

    /// <summary>Whether a pipe is no source, as for sendfile(2).</summary>
    public bool IsOfFiles { get; init; }

    /// <summary>For which of the two to wait after EAGAIN; null where the call may not wait.</summary>
    public OpenFileDescription? Awaited { get; private set; }

    /// <summary>For what to wait.</summary>
    public SocketEvents Interest { get; private set; }

    /// <summary>Whether nobody can read what goes to the target any more, so that SIGPIPE is due.</summary>
    public bool BreaksPipe { get; private set; }

    private readonly bool IsNonBlocking => (flags & SpliceFlags.SPLICE_F_NONBLOCK) != 0;

    /// <summary>
    /// Goes on as far as the files allow; <paramref name="moved"/> is what has been moved since the beginning. Errors: EAGAIN, EPIPE, EINVAL
    /// for a file that cannot do this, the files' own; none where something has been moved and the call is not to wait.
    /// </summary>
    public Errno TryPerform(out long moved)
    {
        Errno error = (IsOfFiles ? null : source.File as PipeFile, target.File as PipeFile) switch
        {
            ({ } from, { } to) => FromPipeToPipe(from, to),
            ({ } from, null) => FromPipe(from),
            (null, { } to) => ToPipe(to),
            _ => FromFileToFile(),
        };
        moved = _done;
        BreaksPipe = error == Errno.EPIPE && (target.File is PipeFile || (target.File.WritesAll && _done == 0));
        return error == Errno.EAGAIN && Awaited != null ? error : _done > 0 ? Errno.None : error;
    }

    private Errno Await(OpenFileDescription file, SocketEvents interest, bool mayWait)
    {
        Awaited = mayWait ? file : null;
        Interest = interest;
        return Errno.EAGAIN;
    }

    /// <summary>Reads from where the call has come to; a file without positions just reads on.</summary>
    private readonly Errno Read(ref long position, Span<byte> buffer, out int count)
    {
        IoCursor cursor = IoCursor.Into(buffer);
        Errno error = source.File.IsSeekable
            ? source.File.ReadAt(source, position, ref cursor, out long read)
            : source.File.Read(source, ref cursor, out read);
        count = (int)read;
        position += source.File.MovesPosition ? read : 0;

        // A socket that has given something and would wait for more (SO_RCVLOWAT) has given what there is.
        return read > 0 ? Errno.None : error;
    }

    /// <summary>Writes to where the call has come to, and counts it; a socket is told whether more is to follow.</summary>
    private Errno Write(ReadOnlySpan<byte> bytes, bool more, out int count)
    {
        IoCursor cursor = IoCursor.From(bytes);
        Errno error;
        long written;
        if (target.File is SocketFile socket)
        {
            SocketMessage message = new() { Flags = more ? MessageFlags.MSG_MORE : MessageFlags.None };
            message.Flags |= target.IsNonBlocking ? MessageFlags.MSG_DONTWAIT : MessageFlags.None;
            message.Unix.HasBegun = _hasWaited;
            error = socket.Send(ref cursor, ref message, out written);
        }
        else
        {
            error = target.File.IsSeekable
                ? target.File.WriteAt(target, _targetPosition, ref cursor, out written)
                : target.File.Write(target, ref cursor, out written);
        }

        count = (int)written;
        _targetPosition += target.File.MovesPosition ? written : 0;
        _done += written;
        _left -= (ulong)written;
        if (error == Errno.EAGAIN)
        {
            _hasWaited = true;
            Await(target, SocketEvents.Writable, !target.IsNonBlocking);
        }

        return error;
    }
}
