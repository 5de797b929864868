using Portico.Net;

namespace Portico.Kernel.Tests.Syscalls;

/// <summary>VMIN and VTIME of a terminal: a read without a thread ends when the one that blocks does, and with the same bytes.</summary>
public sealed class TimedTerminalReadTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>VMIN, VTIME, room, and what is typed when: "100 ab" is two bytes after 100 milliseconds.</summary>
    public static TheoryData<int, int, int, string> Cases
    {
        get
        {
            TheoryData<int, int, int, string> cases = [];
            foreach ((int least, int time) in ((int, int)[])[(0, 0), (0, 2), (1, 0), (1, 2), (3, 0), (3, 2), (10, 1), (80, 2)])
            {
                foreach (string typed in (string[])
                    ["", "0 a", "0 abc", "100 a", "100 ab, 200 c", "0 a, 150 b, 300 c", "0 a, 150 b, 500 c", "100 abcdefghijkl", "100 a, 250 b, 400 c, 550 d"])
                {
                    cases.Add(least, time, 10, typed);
                }

                cases.Add(least, time, 2, "0 a, 150 b, 300 c");
                cases.Add(least, time, 2, "0 abc");
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void An_asynchronous_read_ends_as_a_blocking_one(int least, int time, int room, string typed)
    {
        (int blockedUntil, string blocking) = Run(least, time, room, typed, expectedEnd: null);
        (int waitedUntil, string asynchronous) = Run(least, time, room, typed, blockedUntil);
        Assert.Equal((blockedUntil, blocking), (waitedUntil, asynchronous));
    }

    /// <summary>
    /// The step after which the read has ended, -1 for never, and what it gave. Without an expectation it blocks a thread, whose steps can be
    /// followed; with one it is asynchronous.
    /// </summary>
    private static (int End, string Read) Run(int least, int time, int room, string typed, int? expectedEnd)
    {
        using VirtualTime clock = new();
        using PorticoKernel kernel = new(clock.Driver);
        Process process = kernel.CreateProcess();
        (int master, int slave) = Terminal(process, least, time);
        byte[] buffer = new byte[room];
        (int At, string Bytes)[] steps = [.. typed.Split(", ", StringSplitOptions.RemoveEmptyEntries).Select(step => step.Split(' '))
            .Select(words => (int.Parse(words[0], System.Globalization.CultureInfo.InvariantCulture), words[1])), (10_000, "")];
        int next = 0;
        if (steps[0].At == 0)
        {
            process.Write(master, System.Text.Encoding.ASCII.GetBytes(steps[next++].Bytes)).OrThrow();
        }

        Task<SyscallResult> read = expectedEnd == null
            ? Task.Factory.StartNew(() => process.Read(slave, buffer), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)
            : process.ReadAsync(slave, buffer).AsTask();
        int end = -1;
        Settle(-2);
        for (; next < steps.Length; next++)
        {
            while (!clock.RunUntil(MonoTime.Zero + Duration.FromMilliseconds(steps[next].At)))
            {
                Settle(next);
            }

            Settle(next);
            process.Write(master, System.Text.Encoding.ASCII.GetBytes(steps[next].Bytes)).OrThrow();
            Settle(next + 100);
        }

        string result = end == -1 ? "" : $"{read.Result.Raw} {System.Text.Encoding.ASCII.GetString(buffer, 0, (int)Math.Max(0, read.Result.Raw))}";
        process.Exit();
        Assert.True(read.Wait(s_patience));
        return (end, result);

        // Waits for the read to have seen all that there is and what the time is, and notes whether it has ended.
        void Settle(int step)
        {
            bool isOver = SpinWait.SpinUntil(
                () => read.IsCompleted || (expectedEnd is { } expected ? expected != step && Unread(process, slave) == 0 : clock.Blocked == 1 && clock.Runnable == 0),
                s_patience);
            Assert.True(isOver, "the read neither ends nor waits");
            end = end == -1 && read.IsCompleted ? step : end;
        }
    }

    private static int Unread(Process process, int slave)
    {
        byte[] count = new byte[4];
        process.Ioctl(slave, IoctlRequest.FIONREAD, count).OrThrow();
        return BitConverter.ToInt32(count);
    }

    private static (int Master, int Slave) Terminal(Process process, int least, int time)
    {
        int master = process.Open("/dev/ptmx", OpenFlags.O_RDWR | OpenFlags.O_NOCTTY, 0).OrThrow();
        process.Ioctl(master, IoctlRequest.TIOCSPTLCK, new byte[4]).OrThrow();
        int slave = process.Ioctl(master, IoctlRequest.TIOCGPTPEER, BitConverter.GetBytes((int)(OpenFlags.O_RDWR | OpenFlags.O_NOCTTY))).OrThrow();
        byte[] termios = new byte[36];
        process.Ioctl(slave, IoctlRequest.TCGETS, termios).OrThrow();

        // c_lflag without ICANON and ECHO; VTIME is c_cc[5], VMIN c_cc[6].
        termios[12] &= unchecked((byte)~0x0A);
        (termios[17 + 5], termios[17 + 6]) = ((byte)time, (byte)least);
        process.Ioctl(slave, IoctlRequest.TCSETS, termios).OrThrow();
        return (master, slave);
    }
}
