using System.Diagnostics;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A call on a file that can be made again when the file was not ready.</summary>
internal interface IFileCall<TResult>
{
    /// <summary>Whether it makes no difference when the call is made: see <see cref="StackDriver.EnterTimeless"/>.</summary>
    static virtual bool IsTimeless => false;

    /// <summary>Under the lock: makes the call; EAGAIN when the file is not ready.</summary>
    Errno TryPerform(out TResult result);
}

/// <summary>
/// What a descriptor points to in the end: a pipe's end, a socket, an epoll instance, a device, ... The methods are the file's own
/// part of the system calls: they are called under the kernel's lock, never wait, and say EAGAIN where the caller would have to.
/// </summary>
/// <remarks>
/// Blocking, <c>poll</c>, epoll and ValueTasks all wait in <see cref="Waiters"/>; a file that becomes ready tells that queue, and nobody
/// else.
/// </remarks>
public abstract class KernelFile
{
    internal WaitQueue Waiters;

    private protected KernelFile(StackDriver driver) => Driver = driver;

    /// <summary>Holds the lock that the file belongs to.</summary>
    public StackDriver Driver { get; }

    /// <summary>Whether the file can say when it is ready; epoll takes no other (EPERM).</summary>
    internal virtual bool IsPollable => true;

    /// <summary>Whether the file has a position that reads and writes move (regular files).</summary>
    internal virtual bool IsSeekable => false;

    /// <summary>Whether reads and writes at a position move it on; for most devices all positions are one.</summary>
    internal virtual bool MovesPosition => IsSeekable;

    /// <summary>Whether lseek(2) makes sense, if only to stay where one is: sendfile(2) asks that.</summary>
    internal virtual bool CanSeek => IsSeekable;

    /// <summary>Whether splice(2) and sendfile(2) can take bytes from it (EINVAL).</summary>
    internal virtual bool CanSpliceFrom => false;

    /// <summary>Whether they can give it bytes (EINVAL).</summary>
    internal virtual bool CanSpliceTo => false;

    /// <summary>Whether splice(2) takes its pages as they are, each of them one of the pipe's.</summary>
    internal virtual bool IsPaged => false;

    /// <summary>Whether it has a read at all; an empty vector does not get to the file and is EINVAL only where it has none.</summary>
    internal virtual bool HasRead => true;

    /// <summary>The same for writes.</summary>
    internal virtual bool HasWrite => true;

    /// <summary>Whether a blocking write waits until all of it is written (streams), or is done with what was taken (messages).</summary>
    internal virtual bool WritesAll => false;

    /// <summary>Whether O_DIRECT may be set: pipes, for which it means packets.</summary>
    internal virtual bool TakesDirect => false;

    /// <summary>What kind of file it is, as S_IFMT of st_mode.</summary>
    internal abstract FileType Type { get; }

    /// <summary>What the file is ready for, as poll(2) says.</summary>
    public abstract SocketEvents Poll();

    /// <summary>The same for one description, where it matters which: the two ends of a pipe are one file.</summary>
    internal virtual SocketEvents Poll(OpenFileDescription description) => Poll();

    /// <summary>
    /// What an epoll's interest in a description can hear of at all: an event that is for the other end of a pipe is no edge for this one.
    /// </summary>
    internal virtual SocketEvents HeardBy(OpenFileDescription description) => (SocketEvents)EpollFile.EventMask;

    /// <summary>read(2): EINVAL for a file that is not for reading.</summary>
    internal virtual Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        return Errno.EINVAL;
    }

    /// <summary>write(2): EINVAL for a file that is not for writing.</summary>
    internal virtual Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        count = 0;
        return Errno.EINVAL;
    }

    /// <summary>pread(2) and pwrite(2) at a position, which only a seekable file has.</summary>
    internal virtual Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        return Errno.ESPIPE;
    }

    /// <summary>See <see cref="ReadAt"/>.</summary>
    internal virtual Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = 0;
        return Errno.ESPIPE;
    }

    /// <summary>lseek(2).</summary>
    internal virtual Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = 0;
        return Errno.ESPIPE;
    }

    /// <summary>ioctl(2); the argument is an int in and out. ENOTTY for a request that the file does not know.</summary>
    internal virtual Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument) => Errno.ENOTTY;

    /// <summary>What stands for it where it has no path: the target of its link in /proc/PID/fd.</summary>
    internal virtual string ShownName => "anon_inode:inode";

    /// <summary>The lines of /proc/PID/fdinfo that are the file's own.</summary>
    internal virtual void WriteDetails(ProcText text)
    {
    }

    /// <summary>What fstat(2) says.</summary>
    internal virtual void Stat(ref FileStatus status)
    {
        status.Type = Type;
        status.BlockSize = 4096;
        status.LinkCount = 1;
    }

    /// <summary>fcntl(2) requests that are the file's own, such as F_SETPIPE_SZ.</summary>
    internal virtual Errno Control(OpenFileDescription description, FcntlCommand command, long argument, out long result)
    {
        result = 0;
        return command is FcntlCommand.F_GETPIPE_SZ or FcntlCommand.F_SETPIPE_SZ ? Errno.EBADF
            : command == FcntlCommand.F_ADD_SEALS && !description.IsWritable ? Errno.EPERM
            : Errno.EINVAL;
    }

    /// <summary>fchmod(2) of what has no name: EOPNOTSUPP for what has not even an inode of its own.</summary>
    internal virtual Errno SetPermissions(int permissions) => Errno.EOPNOTSUPP;

    /// <summary>fchown(2) of what has no name; -1 leaves an id as it is.</summary>
    internal virtual Errno SetOwner(int userId, int groupId) => Errno.EOPNOTSUPP;

    /// <summary>fsync(2): EINVAL for what is kept nowhere.</summary>
    internal virtual Errno Sync() => Errno.EINVAL;

    /// <summary>A description of the file was made, by open or by the call that made the file.</summary>
    internal virtual void OnOpened(OpenFileDescription description)
    {
    }

    /// <summary>A description of the file has lost its last reference.</summary>
    internal abstract void OnReleased(OpenFileDescription description);

    /// <summary>How long a blocking call waits (SO_RCVTIMEO, SO_SNDTIMEO).</summary>
    internal virtual TimeSpan TimeoutOf(SocketEvents interest) => Timeout.InfiniteTimeSpan;

    /// <summary>Queues the calling thread's waiter; under the lock.</summary>
    internal BlockingWaiter BeginWait(SocketEvents interest)
    {
        BlockingWaiter waiter = BlockingWaiter.Current;
        waiter.Arm(Driver);
        waiter.Interest = interest;
        Waiters.Add(waiter);
        return waiter;
    }

    /// <summary>Waits until the call is done or the time (of <see cref="StackDriver.DeadlineAfter"/>) has come, then takes the waiter out.</summary>
    internal Errno WaitFor<TCall, TResult>(ref TCall call, BlockingWaiter waiter, long deadlineTicks, out TResult result)
        where TCall : struct, IFileCall<TResult>, allows ref struct =>
        waiter.WaitFor(ref Waiters, Driver, ref call, deadlineTicks, out result);
}
