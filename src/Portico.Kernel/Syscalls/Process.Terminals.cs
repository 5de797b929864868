using Portico.Net;

namespace Portico.Kernel;

// Terminals: the other end of a master (TIOCGPTPEER), and reads that wait for so long only (VTIME).
public sealed partial class Process
{
    /// <summary>Opens a master's slave without a path. Errors: EIO, also for a slave; EMFILE, ENFILE.</summary>
    private SyscallResult OpenPeer(Terminal master, ReadOnlySpan<byte> argument)
    {
        OpenFlags flags = argument.Length < sizeof(int) ? 0 : (OpenFlags)BitConverter.ToInt32(argument);
        if (!master.IsMaster)
        {
            return Errno.EIO;
        }

        Errno error = FindFree(0, out int fd);
        KernelFile? file = null;
        error = error == Errno.None ? master.Pair.OpenSlave(this, flags, out file) : error;
        OpenFileDescription? description = null;
        if (error == Errno.None)
        {
            // Not by way of open(2): O_CLOEXEC stays among the flags that F_GETFL returns.
            OpenFlags status = flags & KnownFlags & ~(OnceFlags & ~OpenFlags.O_CLOEXEC);
            error = Describe(Kernel.Terminals.EntryOf(master.Pair.Number)!, file!, status, out description);
        }

        if (error != Errno.None)
        {
            return error;
        }

        _descriptors.Put(fd, description!, (flags & OpenFlags.O_CLOEXEC) != 0);
        return fd;
    }

    /// <summary>
    /// Goes on with a read that waits for VTIME: from its beginning on where VMIN is 0, otherwise each time from the byte before on. What has
    /// come until then is what it returns.
    /// </summary>
    private SyscallResult FinishTimed(ref ReadCall call)
    {
        OpenFileDescription description = call.Description;
        TerminalFile terminal = (TerminalFile)description.File;
        SyscallResult result;
        do
        {
            BlockingWaiter waiter;
            TimeSpan time;
            using (Driver.Enter())
            {
                long read = 0;
                Errno error = HasExited ? Errno.EINTR : call.TryPerform(out read);
                if (error != Errno.EAGAIN)
                {
                    result = error == Errno.None ? read : error;
                    continue;
                }

                time = terminal.TimesFirstByte || read > 0 ? terminal.ReadTime : Timeout.InfiniteTimeSpan;
                waiter = BeginWait(description, SocketEvents.Readable);
            }

            result = Finish(ref call, waiter, time);
            result = result.Error == Errno.EAGAIN ? 0 : result;
        }
        while (call.WantsMore);

        using (Driver.Enter())
        {
            description.Release();
        }

        return result;
    }
}
