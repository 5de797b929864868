using System.Globalization;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.FcntlCommand;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>What can be done to any descriptor, whatever it points to. None of them blocks.</summary>
internal static unsafe class FileOperations
{
    public static readonly IReadOnlyDictionary<string, Action<Kit, long>> All = new Dictionary<string, Action<Kit, long>>
    {
        ["read nothing"] = (kit, fd) => kit.Read(fd, 0),
        ["read 4 bytes"] = (kit, fd) => kit.Read(fd, 4),
        ["read 8 bytes twice"] = (kit, fd) =>
        {
            kit.Read(fd, 8);
            kit.Read(fd, 8);
        },
        ["read 100,000 bytes"] = (kit, fd) => kit.Read(fd, 100_000),
        ["read into nowhere"] = (kit, fd) => kit.Call(read, fd, 0, 0),
        ["readv into nothing"] = (kit, fd) => kit.Call(readv, fd, 0, 0),
        ["readv into two pieces"] = (kit, fd) => Vector(kit, fd, readv, 3, 5),
        ["readv into too many pieces"] = (kit, fd) => kit.Call(readv, fd, 0, 1025),
        ["readv into a negative number of pieces"] = (kit, fd) => kit.Call(readv, fd, 0, -1),
        ["write nothing"] = (kit, fd) => kit.WriteBytes(fd, []),
        ["write 4 bytes"] = (kit, fd) => kit.WriteBytes(fd, "abcd"u8),
        ["write the number 1"] = (kit, fd) => kit.WriteUInt64(fd, 1),
        ["write the largest number"] = (kit, fd) => kit.WriteUInt64(fd, ulong.MaxValue),
        ["write one less than the largest number"] = (kit, fd) =>
        {
            kit.WriteUInt64(fd, ulong.MaxValue - 1);
            kit.Poll(0, (fd, (SocketEvents)0x7FFF));
        },
        ["write 100,000 bytes"] = (kit, fd) => kit.WriteBytes(fd, new byte[100_000]),
        ["writev from nothing"] = (kit, fd) => kit.Call(writev, fd, 0, 0),
        ["writev from two pieces"] = (kit, fd) => Vector(kit, fd, writev, 3, 5),
        ["writev from too many pieces"] = (kit, fd) => kit.Call(writev, fd, 0, 1025),
        ["pread"] = (kit, fd) => Positional(kit, fd, pread64, 4, 0),
        ["pread at a negative offset"] = (kit, fd) => Positional(kit, fd, pread64, 4, -1),
        ["pwrite"] = (kit, fd) => Positional(kit, fd, pwrite64, 4, 0),
        ["pwrite at a negative offset"] = (kit, fd) => Positional(kit, fd, pwrite64, 4, -1),
        ["lseek to the beginning"] = (kit, fd) => kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET),
        ["lseek to 10"] = (kit, fd) => kit.Call(lseek, fd, 10, (long)SeekWhence.SEEK_SET),
        ["lseek from here"] = (kit, fd) => kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_CUR),
        ["lseek from the end"] = (kit, fd) => kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_END),
        ["lseek from nowhere"] = (kit, fd) => kit.Call(lseek, fd, 0, 9),
        ["fstat"] = Status,
        ["FIONREAD to nowhere"] = (kit, fd) => kit.Call(ioctl, fd, (long)IoctlRequest.FIONREAD, 0),
        ["FIONREAD"] = (kit, fd) => kit.IoctlInt(fd, IoctlRequest.FIONREAD),
        ["FIONBIO on and off"] = (kit, fd) =>
        {
            kit.IoctlInt(fd, IoctlRequest.FIONBIO, 1);
            kit.Fcntl(fd, F_GETFL);
            kit.IoctlInt(fd, IoctlRequest.FIONBIO, 0);
            kit.Fcntl(fd, F_GETFL);
        },
        ["FIOCLEX and FIONCLEX"] = (kit, fd) =>
        {
            kit.IoctlInt(fd, IoctlRequest.FIOCLEX);
            kit.Fcntl(fd, F_GETFD);
            kit.IoctlInt(fd, IoctlRequest.FIONCLEX);
            kit.Fcntl(fd, F_GETFD);
        },
        ["TCGETS"] = (kit, fd) => kit.IoctlInt(fd, IoctlRequest.TCGETS),
        ["TIOCGWINSZ"] = (kit, fd) => kit.IoctlInt(fd, IoctlRequest.TIOCGWINSZ),
        ["SIOCOUTQ"] = (kit, fd) => kit.IoctlInt(fd, IoctlRequest.SIOCOUTQ),
        ["SIOCATMARK"] = (kit, fd) => kit.IoctlInt(fd, IoctlRequest.SIOCATMARK),
        ["an unknown ioctl"] = (kit, fd) => kit.IoctlInt(fd, (IoctlRequest)0x1234),
        ["dup"] = (kit, fd) => kit.Call(dup, fd),
        ["dup2 to itself"] = (kit, fd) => kit.Call(dup2, fd, fd),
        ["dup2 to 50"] = (kit, fd) =>
        {
            kit.Call(dup2, fd, 50);
            kit.Call(dup, 0);
        },
        ["dup2 over an open one"] = (kit, fd) => kit.Call(dup2, fd, 0),
        ["dup2 to -1"] = (kit, fd) => kit.Call(dup2, fd, -1),
        ["dup2 beyond the limit"] = (kit, fd) => kit.Call(dup2, fd, 1 << 24),
        ["dup3 to itself"] = (kit, fd) => kit.Call(dup3, fd, fd, 0),
        ["dup3 with O_CLOEXEC"] = (kit, fd) =>
        {
            kit.Call(dup3, fd, 60, (long)OpenFlags.O_CLOEXEC);
            kit.Fcntl(60, F_GETFD);
        },
        ["dup3 with another flag"] = (kit, fd) => kit.Call(dup3, fd, 60, (long)OpenFlags.O_NONBLOCK),
        ["F_DUPFD from 40"] = (kit, fd) => kit.Fcntl(fd, F_DUPFD, 40),
        ["F_DUPFD_CLOEXEC from 40"] = (kit, fd) => kit.Fcntl(kit.Fcntl(fd, F_DUPFD_CLOEXEC, 40), F_GETFD),
        ["F_DUPFD from -1"] = (kit, fd) => kit.Fcntl(fd, F_DUPFD, -1),
        ["F_DUPFD beyond the limit"] = (kit, fd) => kit.Fcntl(fd, F_DUPFD, 1 << 24),
        ["F_DUPFD_QUERY"] = (kit, fd) =>
        {
            kit.Fcntl(fd, F_DUPFD_QUERY, kit.Call(dup, fd));
            kit.Fcntl(fd, F_DUPFD_QUERY, 0);
            kit.Fcntl(fd, F_DUPFD_QUERY, 999);
        },
        ["F_GETFD and F_SETFD"] = (kit, fd) =>
        {
            kit.Fcntl(fd, F_GETFD);
            kit.Fcntl(fd, F_SETFD, 1);
            kit.Fcntl(fd, F_GETFD);
            kit.Fcntl(fd, F_SETFD, 2);
            kit.Fcntl(fd, F_GETFD);
        },
        ["F_GETFL"] = (kit, fd) => kit.Fcntl(fd, F_GETFL),
        ["F_SETFL takes only what it may"] = (kit, fd) =>
        {
            kit.Fcntl(fd, F_SETFL, (long)(OpenFlags.O_NONBLOCK | OpenFlags.O_APPEND | OpenFlags.O_RDWR | OpenFlags.O_TRUNC | OpenFlags.O_CREAT));
            kit.Fcntl(fd, F_GETFL);
        },
        ["F_SETFL with O_DIRECT"] = (kit, fd) =>
        {
            kit.Fcntl(fd, F_SETFL, (long)(OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT));
            kit.Fcntl(fd, F_GETFL);
        },
        ["F_GETPIPE_SZ"] = (kit, fd) => kit.Fcntl(fd, F_GETPIPE_SZ),
        ["F_SETPIPE_SZ"] = (kit, fd) =>
        {
            foreach (long size in (long[])[1, 4096, 5000, 100_000, 1 << 20, (1 << 20) + 1, 0, -1, 1L << 31, (1L << 31) + 1])
            {
                kit.Fcntl(fd, F_SETPIPE_SZ, size);
            }
        },
        ["F_GETOWN and F_GETSIG"] = (kit, fd) =>
        {
            kit.Fcntl(fd, F_GETOWN);
            kit.Fcntl(fd, F_GETSIG);
        },
        ["an unknown fcntl"] = (kit, fd) => kit.Fcntl(fd, (FcntlCommand)9999),
        ["poll for everything"] = (kit, fd) => kit.Poll(0, (fd, (SocketEvents)0x7FFF)),
        ["poll for nothing"] = (kit, fd) => kit.Poll(0, (fd, SocketEvents.None)),
        ["poll it twice in one call"] = (kit, fd) => kit.Poll(0, (fd, SocketEvents.Readable), (fd, SocketEvents.Writable)),
        ["select"] = SelectOne,
        ["epoll, level-triggered"] = (kit, fd) => Watch(kit, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLOUT | EpollFlags.EPOLLPRI | EpollFlags.EPOLLRDHUP),
        ["epoll, edge-triggered"] = (kit, fd) => Watch(kit, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLOUT | EpollFlags.EPOLLET),
        ["epoll, one shot"] = (kit, fd) => Watch(kit, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLOUT | EpollFlags.EPOLLONESHOT),
        ["epoll, for nothing"] = (kit, fd) => Watch(kit, fd, 0),
        ["epoll, exclusive"] = (kit, fd) => Watch(kit, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLOUT | EpollFlags.EPOLLEXCLUSIVE),
        ["epoll, exclusive and one shot"] = (kit, fd) => Watch(kit, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLEXCLUSIVE | EpollFlags.EPOLLONESHOT),
        ["epoll_ctl on it as if it were an epoll"] = (kit, fd) =>
        {
            long event1 = kit.Call(eventfd2, 0, 0);
            kit.EpollControl(fd, EpollOperation.EPOLL_CTL_ADD, event1, EpollFlags.EPOLLIN);
            kit.EpollControl(fd, EpollOperation.EPOLL_CTL_DEL, 99, EpollFlags.EPOLLIN);
        },
        ["epoll_ctl on itself"] = (kit, fd) => kit.EpollControl(fd, EpollOperation.EPOLL_CTL_ADD, fd, EpollFlags.EPOLLIN),
        ["epoll_wait on it"] = (kit, fd) => kit.EpollWait(fd),
        ["epoll_wait on it for no events"] = (kit, fd) => kit.EpollWait(fd, 0),
        ["timerfd_gettime"] = (kit, fd) =>
        {
            long* spec = stackalloc long[4];
            kit.Call(timerfd_gettime, fd, (long)spec);
        },
        ["timerfd_settime with bad values"] = (kit, fd) =>
        {
            long* spec = stackalloc long[4] { 0, 0, 1, 1_000_000_000 };
            kit.Call(timerfd_settime, fd, 0, (long)spec, 0);
            spec[3] = -1;
            kit.Call(timerfd_settime, fd, 0, (long)spec, 0);
            spec[3] = 0;
            kit.Call(timerfd_settime, fd, 64, (long)spec, 0);
            kit.Call(timerfd_settime, fd, 0, 0, 0);
        },
        ["close it twice"] = (kit, fd) =>
        {
            kit.Call(close, fd);
            kit.Call(close, fd);
        },
        ["close_range over it"] = (kit, fd) =>
        {
            kit.Call(close_range, fd, fd, 0);
            kit.Call(close, fd);
        },
        ["close_range marks it"] = (kit, fd) =>
        {
            kit.Call(close_range, fd, fd, (long)CloseRangeFlags.CLOSE_RANGE_CLOEXEC);
            kit.Fcntl(fd, F_GETFD);
        },
        ["its number is free after close"] = (kit, fd) =>
        {
            kit.Call(close, fd);
            kit.Call(dup, 0);
            kit.Call(dup, 0);
        },
    };

    private static void Vector(Kit kit, long fd, SyscallNumber call, int first, int second)
    {
        byte* bytes = stackalloc byte[16];
        for (int i = 0; i < 16; i++)
        {
            bytes[i] = (byte)(i + 1);
        }

        IoVector* pieces = stackalloc IoVector[3]
        {
            new IoVector(bytes, (nuint)first), new IoVector(bytes, 0), new IoVector(bytes + first, (nuint)second),
        };
        long result = kit.Raw(call, fd, (long)pieces, 3);
        kit.Write(call.ToString(), result, call == readv && result > 0 ? new ReadOnlySpan<byte>(bytes, (int)result) : default);
    }

    private static void Positional(Kit kit, long fd, SyscallNumber call, int count, long offset)
    {
        byte* bytes = stackalloc byte[16];
        kit.Call(call, fd, (long)bytes, count, offset);
    }

    private static void Status(Kit kit, long fd)
    {
        long* stat = stackalloc long[18];
        long result = kit.Raw(fstat, fd, (long)stat);
        int mode = ((int*)stat)[6];
        kit.Write("fstat " + (result < 0 ? "" : Convert.ToString(mode, 8) + " size " + stat[6].ToString(CultureInfo.InvariantCulture)), result);
    }

    private static void SelectOne(Kit kit, long fd)
    {
        ulong* sets = stackalloc ulong[48];
        new Span<ulong>(sets, 48).Clear();
        for (int i = 0; i < 3; i++)
        {
            if (fd >= 0)
            {
                sets[(i * 16) + (fd >> 6)] = 1UL << (int)(fd & 63);
            }
        }

        long* none = stackalloc long[2] { 0, 0 };
        long result = kit.Raw(select, fd + 1, (long)sets, (long)(sets + 16), (long)(sets + 32), (long)none);
        long word = Math.Max(fd, 0) >> 6;
        kit.Write($"select {(result < 0 ? "" : $"{sets[word]:X} {sets[16 + word]:X} {sets[32 + word]:X}")}", result);
    }

    private static void Watch(Kit kit, long fd, EpollFlags events)
    {
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, events, 42);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, events, 43);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_MOD, fd, events & ~EpollFlags.EPOLLEXCLUSIVE, 44);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_DEL, fd, 0);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_DEL, fd, 0);
    }
}
