using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

/// <summary>
/// What a case is written in: system calls with names, each of which writes a line with what it returned into the case's log. The two
/// kernels' logs must be the same.
/// </summary>
internal sealed unsafe partial class Kit(ISystem system, StringBuilder? log = null, string prefix = "")
{
    public const int EAGAIN = 11;

    private readonly StringBuilder _log = log ?? new StringBuilder();

    /// <summary>What has happened so far.</summary>
    public string Log => _log.ToString();

    public void Note(string line) => _log.Append(prefix).AppendLine(line);

    /// <summary>Makes a call without writing it down.</summary>
    public long Raw(SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0) =>
        system.Call(number, a0, a1, a2, a3, a4, a5);

    /// <summary>Makes a call and writes down what it returned.</summary>
    public long Call(SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        long result = Raw(number, a0, a1, a2, a3, a4, a5);
        Write(number.ToString(), result);
        return result;
    }

    public void Write(string call, long result, ReadOnlySpan<byte> bytes = default)
    {
        _log.Append(prefix).Append(call).Append(" = ").Append(Show(result));
        if (!bytes.IsEmpty)
        {
            _log.Append(' ').Append(bytes.Length <= 64 ? Convert.ToHexString(bytes) : Hash(bytes));
        }

        _log.AppendLine();
    }

    public static string Show(long result) =>
        result < 0 ? ((Errno)(-result)).ToString() : result.ToString(CultureInfo.InvariantCulture);

    public long Read(long fd, int count)
    {
        byte[] buffer = new byte[Math.Max(1, count)];
        fixed (byte* p = buffer)
        {
            long result = Raw(read, fd, (long)p, count);
            Write($"read {count}", result, buffer.AsSpan(0, (int)Math.Max(0, result)));
            return result;
        }
    }

    public long WriteBytes(long fd, ReadOnlySpan<byte> data)
    {
        byte[] copy = data.IsEmpty ? [0] : data.ToArray();
        fixed (byte* p = copy)
        {
            long result = Raw(write, fd, (long)p, data.Length);
            Write($"write {data.Length}", result);
            return result;
        }
    }

    public long WriteUInt64(long fd, ulong value) => WriteBytes(fd, MemoryMarshal.AsBytes(new ReadOnlySpan<ulong>(ref value)));

    public (int Reader, int Writer) Pipe(OpenFlags flags = 0)
    {
        int* fds = stackalloc int[2];
        long result = Raw(pipe2, (long)fds, (long)flags);
        Write($"pipe2 {flags}", result);
        return result < 0 ? (-1, -1) : (fds[0], fds[1]);
    }

    public void NonBlocking(long fd) => Raw(fcntl, fd, (long)FcntlCommand.F_SETFL, Raw(fcntl, fd, (long)FcntlCommand.F_GETFL) | (long)OpenFlags.O_NONBLOCK);

    public long Fcntl(long fd, FcntlCommand command, long argument = 0)
    {
        long result = Raw(fcntl, fd, (long)command, argument);
        Write($"fcntl {command} {argument}", result);
        return result;
    }

    public long IoctlInt(long fd, IoctlRequest request, int value = 0)
    {
        // Room for a request that writes more than an int where it should not.
        int* argument = stackalloc int[32];
        new Span<int>(argument, 32).Clear();
        *argument = value;
        long result = Raw(ioctl, fd, (long)request, (long)argument);
        Write($"ioctl {(uint)request:X} {value} -> {(result < 0 ? 0 : *argument)}", result);
        return result;
    }

    public long Poll(int timeout, params (long Fd, SocketEvents Events)[] descriptors)
    {
        PollDescriptor[] list = [.. descriptors.Select(d => new PollDescriptor { Fd = (int)d.Fd, Events = (short)d.Events })];
        fixed (PollDescriptor* p = list)
        {
            long result = Raw(poll, (long)p, list.Length, timeout);
            string seen = string.Join(" ", list.Select(d => ((ushort)d.Returned).ToString("X", CultureInfo.InvariantCulture)));
            Write($"poll -> {seen}", result);
            return result;
        }
    }

    public long EpollControl(long epoll, EpollOperation operation, long fd, EpollFlags events, ulong data = 0)
    {
        byte* request = stackalloc byte[12];
        *(uint*)request = (uint)events;
        *(ulong*)(request + 4) = data;
        long result = Raw(epoll_ctl, epoll, (long)operation, fd, (long)request);
        Write($"epoll_ctl {operation} {events}", result);
        return result;
    }

    /// <summary>What is ready, in the order in which it is told.</summary>
    public long EpollWait(long epoll, int most = 16, int timeout = 0)
    {
        byte* events = stackalloc byte[12 * Math.Clamp(most, 1, 64)];
        long result = Raw(epoll_wait, epoll, (long)events, most, timeout);
        StringBuilder seen = new();
        for (int i = 0; i < result; i++)
        {
            seen.Append(CultureInfo.InvariantCulture, $" {*(ulong*)(events + (12 * i) + 4)}:{*(uint*)(events + (12 * i)):X}");
        }

        Write($"epoll_wait{seen}", result);
        return result;
    }

    public void Rlimit(Resource resource, ulong soft, ulong hard)
    {
        ulong* limit = stackalloc ulong[2] { soft, hard };
        Call(setrlimit, (long)resource, (long)limit);
    }

    /// <summary>
    /// Makes a call that blocks on a thread of the same process. What it returns is written down when <see cref="Join"/> is called.
    /// </summary>
    public Task<(string Call, long Result, byte[] Bytes)> StartRead(long fd, int count) => Start("read", () =>
    {
        byte[] buffer = new byte[count];
        fixed (byte* p = buffer)
        {
            long result = Raw(read, fd, (long)p, count);
            return (result, buffer[..(int)Math.Max(0, result)]);
        }
    });

    public Task<(string Call, long Result, byte[] Bytes)> Start(string name, Func<(long Result, byte[] Bytes)> call)
    {
        TaskCompletionSource<(string, long, byte[])> done = new(TaskCreationOptions.RunContinuationsAsynchronously);
        Thread thread = new(() =>
        {
            (long result, byte[] bytes) = call();
            done.SetResult((name, result, bytes));
        })
        { IsBackground = true };
        thread.Start();
        return done.Task;
    }

    /// <summary>Gives other threads the time to block, or to be woken.</summary>
    public static void Settle() => Thread.Sleep(30);

    public void NoteWhetherDone(string what, Task task) => Note($"{what} {(task.Wait(0) ? "has returned" : "is blocked")}");

    public void Join(Task<(string Call, long Result, byte[] Bytes)> task)
    {
        if (!task.Wait(TimeSpan.FromSeconds(20)))
        {
            Note("never returned");
            return;
        }

        Write(task.Result.Call, task.Result.Result, task.Result.Bytes);
    }

    private static string Hash(ReadOnlySpan<byte> bytes) =>
        $"{bytes.Length} bytes {Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes))[..16]}";
}
