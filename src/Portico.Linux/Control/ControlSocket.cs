using System.Runtime.InteropServices;
using System.Text;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A unix stream socket with a name in a <see cref="ControlDirectory"/> (unix(7)), or one end of a connection to it.</summary>
public sealed unsafe class ControlSocket : IDisposable
{
    /// <summary>The bytes of a name's path, as sockaddr_un has them, without the 0.</summary>
    private const int PathBytesMax = 107;
    private const int Backlog = 16;

    private int _fd;
    private string? _path;

    private ControlSocket(int fd, string? path = null)
    {
        _fd = fd;
        _path = path;
    }

    /// <summary>
    /// Listens under a name, and takes the place of a socket there that nobody listens on any more. EADDRINUSE where somebody does.
    /// </summary>
    public static Errno Listen(ControlDirectory place, string name, out ControlSocket? socket)
    {
        ArgumentNullException.ThrowIfNull(place);
        socket = null;

        // The last run that ends removes the directory, maybe just when this one has made sure that it exists.
        for (int attempt = 0; attempt < 10; attempt++)
        {
            string directory = place.Create();
            using IDisposable? locked = ControlDirectory.Lock(directory);
            string path = $"{directory}/{name}";
            Errno error = Connect(path, out ControlSocket? other);
            other?.Dispose();
            if (error == Errno.ECONNREFUSED)
            {
                LibC.Unlink(path);
            }
            else if (error != Errno.ENOENT)
            {
                return error is Errno.None or Errno.EAGAIN ? Errno.EADDRINUSE : error;
            }

            error = ListenAt(path, out socket);
            if (error != Errno.ENOENT)
            {
                return error;
            }
        }

        return Errno.ENOENT;
    }

    private static Errno ListenAt(string path, out ControlSocket? socket)
    {
        socket = null;
        int fd = LibC.Socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC, 0);
        if (fd < 0)
        {
            return HostSocket.LastError;
        }

        byte* address = stackalloc byte[PathBytesMax + 3];
        uint length = WriteAddress(path, address);
        Errno error = length == 0 ? Errno.ENAMETOOLONG
            : LibC.Bind(fd, address, length) != 0 ? HostSocket.LastError : Errno.None;
        if (error == Errno.None)
        {
            // The directory is closed already: this is for whoever opens it later.
            if (LibC.ChangeMode(path, 0x180) != 0 || LibC.Listen(fd, Backlog) != 0)
            {
                error = HostSocket.LastError;
                LibC.Unlink(path);
            }
        }

        if (error != Errno.None)
        {
            LibC.Close(fd);
            return error;
        }

        socket = new ControlSocket(fd, path);
        return Errno.None;
    }

    /// <summary>
    /// Connects to a name. ECONNREFUSED where its process is gone, EAGAIN where more clients wait than it has room for, ENOENT,
    /// EACCES.
    /// </summary>
    public static Errno Connect(string path, out ControlSocket? socket)
    {
        socket = null;
        LibC.FileStatus status;
        if (LibC.GetStatus(LibC.AT_FDCWD, path, LibC.AT_SYMLINK_NOFOLLOW, LibC.STATX_BASIC_STATS, &status) != 0)
        {
            return HostSocket.LastError;
        }

        if ((status.Mode & LibC.S_IFMT) != LibC.S_IFSOCK)
        {
            return Errno.ENOTSOCK;
        }

        // Non-blocking to connect: a stopped process must not stop its visitors, who may hold the directory's lock.
        int fd = LibC.Socket(LibC.AF_UNIX, LibC.SOCK_STREAM | LibC.SOCK_CLOEXEC | LibC.SOCK_NONBLOCK, 0);
        if (fd < 0)
        {
            return HostSocket.LastError;
        }

        byte* address = stackalloc byte[PathBytesMax + 3];
        uint length = WriteAddress(path, address);
        Errno error = length == 0 ? Errno.ENAMETOOLONG
            : LibC.Connect(fd, address, length) != 0 ? HostSocket.LastError : Errno.None;
        if (error != Errno.None)
        {
            LibC.Close(fd);
            return error;
        }

        LibC.Fcntl(fd, LibC.F_SETFL, LibC.Fcntl(fd, LibC.F_GETFL, 0) & ~LibC.O_NONBLOCK);
        socket = new ControlSocket(fd);
        return Errno.None;
    }

    /// <summary>
    /// Waits for a client; null once the socket was shut down. A client of another user is turned away here: directory and mode keep
    /// them out already, but root may open what it likes, and a descriptor can be passed on.
    /// </summary>
    public ControlSocket? Accept()
    {
        while (true)
        {
            int fd = LibC.Accept(_fd, null, null, LibC.SOCK_CLOEXEC);
            if (fd < 0)
            {
                switch (HostSocket.LastError)
                {
                    case Errno.EINTR or Errno.ECONNABORTED:
                        continue;
                    case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                        // Nothing to be had now: the client waits in the backlog.
                        Thread.Sleep(100);
                        continue;
                    default:
                        return null;
                }
            }

            if (ReadPeer(fd, out _) == LibC.EffectiveUserId())
            {
                return new ControlSocket(fd);
            }

            LibC.Close(fd);
        }
    }

    /// <summary>The process at the other end, whoever listened or connected; 0 where it is in another process namespace.</summary>
    public int PeerProcessId
    {
        get
        {
            ReadPeer(_fd, out int process);
            return process;
        }
    }

    /// <summary>The user at the other end; one that does not exist where that is not known.</summary>
    private static uint ReadPeer(int fd, out int process)
    {
        // struct ucred: pid, uid, gid.
        uint* credentials = stackalloc uint[3];
        uint length = 12;
        bool known = LibC.GetSocketOption(fd, LibC.SOL_SOCKET, LibC.SO_PEERCRED, credentials, &length) == 0;
        process = known ? (int)credentials[0] : 0;
        return known ? credentials[1] : uint.MaxValue;
    }

    /// <summary>How long a receive or a send may take before it fails with EAGAIN.</summary>
    public void SetTimeouts(Duration receive, Duration send)
    {
        SetTimeout(LibC.SO_RCVTIMEO, receive);
        SetTimeout(LibC.SO_SNDTIMEO, send);
    }

    private void SetTimeout(int option, Duration timeout)
    {
        // struct timeval: seconds and microseconds.
        long* value = stackalloc long[2] { timeout.Nanoseconds / 1_000_000_000, timeout.Nanoseconds % 1_000_000_000 / 1000 };
        LibC.SetSocketOption(_fd, LibC.SOL_SOCKET, option, value, 16);
    }

    /// <summary>Waits for bytes; 0 of them at the end.</summary>
    public Errno Receive(Span<byte> buffer, out int received)
    {
        fixed (byte* bytes = buffer)
        {
            nint count;
            do
            {
                count = LibC.Receive(_fd, bytes, (nuint)buffer.Length, 0);
            }
            while (count < 0 && HostSocket.LastError == Errno.EINTR);

            received = (int)Math.Max(count, 0);
            return count < 0 ? HostSocket.LastError : Errno.None;
        }
    }

    /// <summary>Sends all of it.</summary>
    public Errno Send(ReadOnlySpan<byte> data)
    {
        fixed (byte* bytes = data)
        {
            int sent = 0;
            while (sent < data.Length)
            {
                nint count = LibC.Send(_fd, bytes + sent, (nuint)(data.Length - sent), LibC.MSG_NOSIGNAL);
                if (count >= 0)
                {
                    sent += (int)count;
                }
                else if (HostSocket.LastError != Errno.EINTR)
                {
                    return HostSocket.LastError;
                }
            }

            return Errno.None;
        }
    }

    /// <summary>Ends both directions: whoever waits in a call on it returns. By any thread.</summary>
    public void Shutdown() => LibC.Shutdown(_fd, LibC.SHUT_RDWR);

    private static uint WriteAddress(string path, byte* address)
    {
        *(ushort*)address = LibC.AF_UNIX;
        int bytes = Encoding.UTF8.GetByteCount(path);
        if (bytes > PathBytesMax)
        {
            return 0;
        }

        Encoding.UTF8.GetBytes(path, new Span<byte>(address + 2, bytes));
        address[2 + bytes] = 0;
        return (uint)(3 + bytes);
    }

    /// <summary>Closes it; a listening one takes its name out of the directory, and the directory with it when it is the last.</summary>
    public void Dispose()
    {
        if (_fd < 0)
        {
            return;
        }

        if (_path != null)
        {
            string directory = System.IO.Path.GetDirectoryName(_path)!;
            using IDisposable? locked = ControlDirectory.Lock(directory);
            LibC.Unlink(_path);
            LibC.RemoveDirectory(directory);
            _path = null;
        }

        LibC.Close(_fd);
        _fd = -1;
    }
}
