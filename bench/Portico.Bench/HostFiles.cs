using System.Runtime.InteropServices;

namespace Portico.Bench;

/// <summary>The Linux kernel's own pipes, eventfds and epoll instances, by bare system calls.</summary>
internal static unsafe partial class HostFiles
{
    private const int EPOLL_CTL_ADD = 1;
    private const int EPOLLIN = 1;
    private const int RLIMIT_NOFILE = 7;

    /// <summary>How many descriptors this process may have (the soft limit).</summary>
    public static int DescriptorsMax
    {
        get
        {
            ulong* limit = stackalloc ulong[2];
            Checked(getrlimit(RLIMIT_NOFILE, limit), "getrlimit");
            return (int)Math.Min(limit[0], 1 << 30);
        }
    }

    public static (int Reader, int Writer) Pipe()
    {
        int* fds = stackalloc int[2];
        Checked(pipe2(fds, 0), "pipe2");
        return (fds[0], fds[1]);
    }

    public static int Eventfd(uint initial = 0) => Checked(eventfd(initial, 0), "eventfd");

    public static int Duplicate(int fd) => Checked(dup(fd), "dup");

    public static int EpollCreate() => Checked(epoll_create1(0), "epoll_create1");

    public static void EpollAdd(int epoll, int fd)
    {
        byte* request = stackalloc byte[12];
        *(uint*)request = EPOLLIN;
        *(ulong*)(request + 4) = (ulong)fd;
        Checked(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, request), "epoll_ctl");
    }

    public static int EpollWait(int epoll, byte[] events)
    {
        fixed (byte* p = events)
        {
            return Checked(epoll_wait(epoll, p, events.Length / 12, 0), "epoll_wait");
        }
    }

    public static int Write(int fd, byte[] data)
    {
        fixed (byte* p = data)
        {
            return Checked((int)write(fd, p, (nuint)data.Length), "write");
        }
    }

    public static int Read(int fd, byte[] buffer)
    {
        fixed (byte* p = buffer)
        {
            return Checked((int)read(fd, p, (nuint)buffer.Length), "read");
        }
    }

    public static void Close(params int[] fds)
    {
        foreach (int fd in fds)
        {
            _ = close(fd);
        }
    }

    public static void Close(int fd) => _ = close(fd);

    private static int Checked(int result, string call) =>
        result >= 0 ? result : throw new IOException($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", SetLastError = true)]
    private static partial int pipe2(int* fds, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int eventfd(uint initial, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int dup(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_create1(int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_ctl(int epoll, int operation, int fd, void* wanted);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int epoll_wait(int epoll, void* events, int most, int timeout);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint write(int fd, void* data, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint read(int fd, void* data, nuint length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getrlimit(int resource, ulong* limit);
}
