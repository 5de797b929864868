using System.Diagnostics.CodeAnalysis;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A call on a descriptor that can be made again when the file was not ready.</summary>
internal interface IDescriptorCall : IFileCall<long>
{
    /// <summary>What the descriptor stood for when the call was made: a close meanwhile changes nothing (close(2)).</summary>
    OpenFileDescription Description { get; set; }
}

// The one way in which calls on descriptors are made: look the number up, try, and wait only where that says EAGAIN.
public sealed partial class Process
{
    /// <summary>
    /// Makes a call on a descriptor, and where its file is not ready waits for <paramref name="interest"/>, unless
    /// <paramref name="mayBlock"/> or the description says otherwise. With <paramref name="pinned"/> the number has been looked up already:
    /// the call goes on with what it stood for then.
    /// </summary>
    private SyscallResult Run<TCall>(
        int fd, ref TCall call, SocketEvents interest, bool mayBlock = true, OpenFileDescription? pinned = null)
        where TCall : struct, IDescriptorCall, allows ref struct
    {
        OpenFileDescription? description = pinned;
        BlockingWaiter waiter;
        TimeSpan timeout;
        using (Driver.Enter())
        {
            Errno failure = HasExited ? Errno.ESRCH : Errno.None;
            BeginCall();
            if (failure != Errno.None || (description == null && !TryGet(fd, out description, out failure)))
            {
                return failure;
            }

            call.Description = description;
            Errno error = call.TryPerform(out long result);
            timeout = description.File.TimeoutOf(interest);
            if (error != Errno.EAGAIN || !mayBlock || description.IsNonBlocking || timeout == TimeSpan.Zero)
            {
                return error == Errno.None ? result : error;
            }

            waiter = BeginWait(description, interest);
            waiter.Offer(ref call);
        }

        return Finish(ref call, waiter, timeout);
    }

    private SyscallResult Finish<TCall>(ref TCall call, BlockingWaiter waiter, TimeSpan timeout)
        where TCall : struct, IDescriptorCall, allows ref struct
    {
        Errno error = call.Description.File.WaitFor<TCall, long>(ref call, waiter, Driver.DeadlineAfter(timeout), out long result);
        result = waiter.IsDone ? waiter.Result : result;

        // A write that came to an end half-way has its count for an answer.
        return error == Errno.None || (result > 0 && error is Errno.EAGAIN or Errno.EINTR) ? result : error;
    }

    /// <summary>Under the lock: the calling thread begins to wait, and holds the description meanwhile.</summary>
    private BlockingWaiter BeginWait(OpenFileDescription description, SocketEvents interest)
    {
        BlockingWaiter waiter = description.File.BeginWait(interest);
        waiter.BeginCall(this, description);
        waiter.IsRestartable = description.File is not EpollFile;
        AddBlocked(waiter);
        return waiter;
    }

    /// <summary>The same for what is no file's: a child, a signal.</summary>
    private BlockingWaiter BeginWait(ref WaitQueue queue, bool isRestartable)
    {
        BlockingWaiter waiter = BlockingWaiter.Current;
        waiter.Arm(Driver);
        waiter.Interest = SocketEvents.Readable;
        waiter.BeginCall(this, held: null);
        waiter.IsRestartable = isRestartable;
        queue.Add(waiter);
        AddBlocked(waiter);
        return waiter;
    }

    private void AddBlocked(IBlockedCall waiter)
    {
        waiter.BlockedIndex = _blocked.Count;
        _blocked.Add(waiter);
    }

    internal void EndWait(IBlockedCall waiter)
    {
        int last = _blocked.Count - 1;
        _blocked[waiter.BlockedIndex] = _blocked[last];
        _blocked[waiter.BlockedIndex].BlockedIndex = waiter.BlockedIndex;
        _blocked.RemoveAt(last);
    }

    /// <summary>Under the lock: files may ask from now on who calls.</summary>
    internal void BeginCall() => Kernel.Caller = this;

    /// <summary>Errors: ESRCH after the process has exited, EBADF, for an O_PATH descriptor too.</summary>
    private bool TryGet(int fd, [NotNullWhen(true)] out OpenFileDescription? description, out Errno error)
    {
        if (TryGetAny(fd, out description, out error) && description.IsPathOnly)
        {
            error = Errno.EBADF;
        }

        return error == Errno.None;
    }

    /// <summary>The same for the few calls that take an O_PATH descriptor (open(2)).</summary>
    private bool TryGetAny(int fd, [NotNullWhen(true)] out OpenFileDescription? description, out Errno error)
    {
        BeginCall();
        if (HasExited)
        {
            description = null;
            error = Errno.ESRCH;
            return false;
        }

        error = _descriptors.TryGet(fd, out description) ? Errno.None : Errno.EBADF;
        return error == Errno.None;
    }

    /// <summary>Under the lock: opens a file and gives it the lowest free descriptor. Errors: EMFILE, ENFILE, in Linux's order.</summary>
    private Errno Install(KernelFile file, OpenFlags flags, bool closeOnExec, out int fd)
    {
        Errno error = FindFree(0, out fd);
        OpenFileDescription? description = null;
        if (error == Errno.None)
        {
            error = Kernel.Open(this, file, flags, out description);
        }

        if (error == Errno.None)
        {
            _descriptors.Put(fd, description!, closeOnExec);
        }

        return error;
    }

    /// <summary>Under the lock: a descriptor for a description that has come with a message. Errors: EMFILE.</summary>
    internal Errno InstallReceived(OpenFileDescription description, bool closeOnExec, out int fd)
    {
        Errno error = FindFree(0, out fd);
        if (error == Errno.None)
        {
            description.AddReference();
            _descriptors.Put(fd, description, closeOnExec);
        }

        return error;
    }

    private Errno FindFree(int least, out int fd)
    {
        fd = -1;
        if (HasExited)
        {
            return Errno.ESRCH;
        }

        Errno error = _descriptors.FindFree(least, Limits.Files, out fd);
        if (error == Errno.EMFILE)
        {
            Kernel.Counters[KernelCounter.ProcessFileLimit]++;
        }

        return error;
    }
}
