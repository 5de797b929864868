using Portico.Net;

namespace Portico.Kernel;

// Descriptors that lead to streams of the embedder, such as the console: what a shell does when it redirects.
public sealed partial class Process
{
    /// <summary>
    /// Makes a descriptor, such as 0, the reading end of a pipe that a stream's bytes come out of; what the number was before is closed. Throws the
    /// exception of the errno: EBADF beyond RLIMIT_NOFILE, EBUSY, ENFILE, EPERM for too large a buffer, ESRCH.
    /// </summary>
    /// <exception cref="System.Net.Sockets.SocketException">The descriptor cannot be made.</exception>
    public StreamBinding BindInput(int fd, Stream source, StreamBindingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(source);
        return Bind(fd, source, options ?? new StreamBindingOptions(), isInput: true);
    }

    /// <summary>
    /// Makes a descriptor, such as 1, the writing end of a pipe that leads to a stream. <c>Dup2(1, 2)</c> has both go there. Throws as
    /// <see cref="BindInput"/>.
    /// </summary>
    /// <exception cref="System.Net.Sockets.SocketException">The descriptor cannot be made.</exception>
    public StreamBinding BindOutput(int fd, Stream target, StreamBindingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(target);
        return Bind(fd, target, options ?? new StreamBindingOptions(), isInput: false);
    }

    /// <summary>
    /// Makes descriptors, such as 0, 1 and 2, a terminal whose keyboard and screen are streams. It becomes the controlling terminal of a session's
    /// leader that has none. Throws as <see cref="BindInput"/>, and ENOSPC at kernel.pty.max.
    /// </summary>
    /// <exception cref="System.Net.Sockets.SocketException">The descriptors cannot be made.</exception>
    public TerminalBinding BindTerminal(ReadOnlySpan<int> fds, Stream keyboard, Stream screen, StreamBindingOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(keyboard);
        ArgumentNullException.ThrowIfNull(screen);
        Process carrier = MakeCarrier("terminal");
        try
        {
            int master = carrier.Open("/dev/ptmx", OpenFlags.O_RDWR | OpenFlags.O_NOCTTY | OpenFlags.O_CLOEXEC).OrThrow();
            int value = 0;
            carrier.Ioctl(master, IoctlRequest.TIOCSPTLCK, ref value).OrThrow();
            carrier.Ioctl(master, IoctlRequest.TIOCGPTN, ref value).OrThrow();
            int slave = Open($"/dev/pts/{value}", OpenFlags.O_RDWR).OrThrow();
            foreach (int fd in fds)
            {
                Dup2(slave, fd).OrThrow();
            }

            if (!fds.Contains(slave))
            {
                Close(slave).OrThrow();
            }

            return new TerminalBinding(carrier, master, keyboard, screen, options?.LeaveOpen == true);
        }
        catch
        {
            carrier.Exit();
            throw;
        }
    }

    private StreamBinding Bind(int fd, Stream stream, StreamBindingOptions options, bool isInput)
    {
        Process carrier = MakeCarrier("stream");
        try
        {
            carrier.Pipe2(OpenFlags.O_CLOEXEC, out int reader, out int writer).OrThrow();
            carrier.Fcntl(writer, FcntlCommand.F_SETPIPE_SZ, options.BufferBytes).OrThrow();
            (int given, int kept) = isInput ? (reader, writer) : (writer, reader);
            TakeFrom(carrier, given, fd).OrThrow();
            carrier.Close(given).OrThrow();
            return isInput
                ? StreamBinding.FromStream(carrier, kept, stream, options.LeaveOpen)
                : StreamBinding.ToStream(carrier, kept, stream, options.LeaveOpen);
        }
        catch
        {
            carrier.Exit();
            throw;
        }
    }

    /// <summary>A process of the same user that carries bytes, and does nothing else.</summary>
    private Process MakeCarrier(string name) =>
        Kernel.CreateProcess(new ProcessOptions { Name = name, UserId = UserId, GroupId = GroupId, Network = Network });

    /// <summary>Gives one of this process's numbers to what another process has open.</summary>
    private SyscallResult TakeFrom(Process other, int otherFd, int target)
    {
        SyscallResult result;
        InetStreamSocket[] lingering;
        using (Driver.Enter())
        {
            if (HasExited)
            {
                return Errno.ESRCH;
            }

            if (!other.TryGet(otherFd, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            BeginCall();
            result = PutAt(target, description, closeOnExec: false, out lingering);
        }

        Linger(lingering);
        return result;
    }
}
