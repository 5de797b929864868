#if PORTICO_CHECK
using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>
/// F22: every pair of calls on one descriptor, in every order in which their parts can follow each other. A call is made of parts, each of
/// which the kernel's lock makes one; a test says before each part whose turn it is. What comes of it has to be what comes of one call
/// after the other, in one order or the other; and nothing may be left.
/// </summary>
public sealed class InterleavedCallsTests
{
    /// <summary>Two threads of which one runs at a time: up to where it would take the lock.</summary>
    private sealed class Turns(Func<string> first, Func<string> second) : IDisposable
    {
        private readonly SemaphoreSlim[] _mayGo = [new(0), new(0)];
        private readonly SemaphoreSlim _hasStopped = new(0);
        private readonly bool[] _isDone = new bool[2];
        private readonly string[] _results = ["", ""];

        /// <summary>
        /// Runs both. <paramref name="choices"/> says whose turn it is wherever there is a choice, and is made longer by the first one's; the
        /// places at which there was a choice are all in it afterwards.
        /// </summary>
        public (string First, string Second) Run(List<int> choices)
        {
            Thread[] threads = [Start(0, first), Start(1, second)];
            _hasStopped.Wait();
            _hasStopped.Wait();
            int at = 0;
            while (!_isDone[0] || !_isDone[1])
            {
                int next = _isDone[0] ? 1 : 0;
                if (!_isDone[0] && !_isDone[1])
                {
                    if (at == choices.Count)
                    {
                        choices.Add(0);
                    }

                    next = choices[at++];
                }

                _mayGo[next].Release();
                _hasStopped.Wait();
            }

            threads[0].Join();
            threads[1].Join();
            return (_results[0], _results[1]);
        }

        public void Dispose()
        {
            _mayGo[0].Dispose();
            _mayGo[1].Dispose();
            _hasStopped.Dispose();
        }

        private Thread Start(int index, Func<string> call)
        {
            Thread thread = new(() =>
            {
                Stop(index);
                StackDriver.BeforeScope = () => Stop(index);
                _results[index] = call();
                StackDriver.BeforeScope = null;
                _isDone[index] = true;
                _hasStopped.Release();
            });
            thread.Start();
            return thread;
        }

        private void Stop(int index)
        {
            _hasStopped.Release();
            _mayGo[index].Wait();
        }
    }

    private const int Fd = 0;
    private const int Peer = 1;
    private const int Other = 2;
    private const int Spare = 3;

    private static readonly (string Name, Func<Process, SyscallResult> Call)[] s_calls =
    [
        ("close", process => process.Close(Fd)),
        ("dup2 of another onto it", process => process.Dup2(Other, Fd)),
        ("dup", process => process.Dup(Fd)),
        ("read", process => process.ReceiveFrom(Fd, new byte[4], MessageFlags.MSG_DONTWAIT, default, out _)),
        ("write", process => process.SendTo(Fd, "abc"u8, MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_NOSIGNAL, default)),
        ("sendmsg with descriptors", process => process.SendMessage(Fd, "d"u8, MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_NOSIGNAL, default, ControlMessages.OfDescriptors([Spare]))),
        ("sendmmsg", SendTwo),
        ("recvmmsg", ReceiveTwo),
        ("accept", process => process.Accept4(Fd, default, out _, SocketType.SOCK_NONBLOCK)),
        ("shutdown", process => process.Shutdown(Fd, ShutdownHow.SHUT_RDWR)),
        ("listen", process => process.Listen(Fd, 4)),
        ("poll", process => process.Poll(new PollDescriptor[] { new() { Fd = Fd, Events = 0x7FFF } }, 0)),
        ("epoll_ctl", process => process.EpollCtl(Spare, EpollOperation.EPOLL_CTL_ADD, Fd, new EpollEvent(EpollFlags.EPOLLIN, 1))),
        ("fcntl", process => process.Fcntl(Fd, FcntlCommand.F_SETFL, (long)OpenFlags.O_NONBLOCK)),
        ("setrlimit", process => process.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit(4, 16))),
        ("exit", process =>
        {
            process.Exit();
            return 0;
        }),
    ];

    private static readonly string[] s_kinds = ["a unix stream", "a unix datagram socket", "a TCP connection", "a listener with two connections"];

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string kind in s_kinds)
            {
                foreach ((string name, _) in s_calls)
                {
                    cases.Add(kind, name);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Two_calls_come_to_what_one_after_the_other_comes_to(string kind, string first)
    {
        using TestKernel test = new();
        Func<Process, SyscallResult> one = s_calls.Single(call => call.Name == first).Call;
        foreach ((string second, Func<Process, SyscallResult> other) in s_calls)
        {
            HashSet<string> inOrder = [InOrder(test, kind, one, other, false), InOrder(test, kind, one, other, true)];
            List<int> choices = [];
            do
            {
                Process process = Make(test, kind);
                using Turns turns = new(() => one(process).ToString(), () => other(process).ToString());
                (string a, string b) = turns.Run(choices);
                string outcome = Outcome(test, process, a, b);

                // Several messages are several calls, and something may come between them: on Linux, too.
                if (first is not ("sendmmsg" or "recvmmsg") && second is not ("sendmmsg" or "recvmmsg"))
                {
                    Assert.True(inOrder.Contains(outcome), $"{first} and {second} ({string.Join("", choices)}): {outcome}\nnot {string.Join("\nnor ", inOrder)}");
                }
            }
            while (Next(choices));
        }

        test.AssertNothingIsLeft();
    }

    /// <summary>The next order: the last place where the first one had its turn is given to the second.</summary>
    private static bool Next(List<int> choices)
    {
        int last = choices.LastIndexOf(0);
        if (last < 0)
        {
            return false;
        }

        choices.RemoveRange(last, choices.Count - last);
        choices.Add(1);
        return true;
    }

    private static string InOrder(TestKernel test, string kind, Func<Process, SyscallResult> one, Func<Process, SyscallResult> other, bool isTurned)
    {
        Process process = Make(test, kind);
        string b = isTurned ? other(process).ToString() : "";
        string a = one(process).ToString();
        b = isTurned ? b : other(process).ToString();
        return Outcome(test, process, a, b);
    }

    /// <summary>What both returned, what is open now, and what has come out at the other end and at the file that took the number.</summary>
    private static string Outcome(TestKernel test, Process process, string a, string b)
    {
        string open = string.Concat(Enumerable.Range(0, 8).Select(fd => test.Of(process, fd) == null ? '-' : 'x'));
        byte[] buffer = new byte[16];
        string peer = process.ReceiveFrom(Peer, buffer, MessageFlags.MSG_DONTWAIT, default, out _).ToString();
        PollDescriptor[] both = [new() { Fd = Peer, Events = 0x7FFF }, new() { Fd = Other, Events = 0x7FFF }];
        process.Poll(both, 0);
        process.Exit();
        return $"{a} {b} {open} {peer} {both[0].Returned:X} {both[1].Returned:X}";
    }

    /// <summary>The descriptor, its other end, another file, and an epoll instance.</summary>
    private static Process Make(TestKernel test, string kind)
    {
        Process process = test.NewProcess(new ResourceLimit(16, 16));
        int input;
        int output;
        switch (kind)
        {
            case "a unix stream":
                process.SocketPair(AddressFamily.AF_UNIX, SocketType.SOCK_STREAM, 0, out input, out output).OrThrow();
                break;
            case "a unix datagram socket":
                process.SocketPair(AddressFamily.AF_UNIX, SocketType.SOCK_DGRAM, 0, out input, out output).OrThrow();
                break;
            case "a TCP connection":
                (int listener, byte[] address) = Sockets.Listen(process, 8);
                output = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
                process.Connect(output, address).OrThrow();
                input = process.Accept4(listener, default, out _, 0).OrThrow();
                process.Dup2(input, Fd).OrThrow();
                process.Close(input).OrThrow();
                input = Fd;
                break;
            default:
                (input, address) = Sockets.Listen(process, 8);
                output = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
                process.Connect(output, address).OrThrow();
                break;
        }

        Assert.Equal((Fd, Peer), (input, output));
        process.SendTo(output, "xyz"u8, MessageFlags.None, default).OrThrow();
        Assert.Equal(Other, process.Eventfd(1, EventfdFlags.None).Raw);
        Assert.Equal(Spare, process.EpollCreate1(0).Raw);
        Sockets.SetNonBlocking(process, Fd, true);
        return process;
    }

    private static unsafe SyscallResult SendTwo(Process process)
    {
        byte* bytes = stackalloc byte[4];
        IoVector vector = new(bytes, 2);
        MultipleMessageHeader* messages = stackalloc MultipleMessageHeader[2];
        Fill(messages, &vector);
        return process.Sendmmsg(Fd, new Span<MultipleMessageHeader>(messages, 2), MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_NOSIGNAL);
    }

    private static unsafe SyscallResult ReceiveTwo(Process process)
    {
        byte* bytes = stackalloc byte[4];
        IoVector vector = new(bytes, 2);
        MultipleMessageHeader* messages = stackalloc MultipleMessageHeader[2];
        Fill(messages, &vector);
        Duration? forEver = null;
        return process.Recvmmsg(Fd, new Span<MultipleMessageHeader>(messages, 2), MessageFlags.MSG_DONTWAIT, ref forEver);
    }

    private static unsafe void Fill(MultipleMessageHeader* messages, IoVector* vector)
    {
        for (int i = 0; i < 2; i++)
        {
            messages[i] = default;
            messages[i].Header.Vectors = vector;
            messages[i].Header.VectorCount = 1;
        }
    }
}
#endif
