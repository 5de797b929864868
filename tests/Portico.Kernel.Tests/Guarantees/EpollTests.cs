using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>F5, F6, F7 and F15 with many threads: no edge is lost, no event told to more than it is for, all have their turn.</summary>
public sealed class EpollTests
{
    private const int Rounds = 50_000;

    public static TheoryData<string, int, bool> Races
    {
        get
        {
            TheoryData<string, int, bool> races = [];
            foreach (string kind in (string[])["eventfd", "pipe", "unix", "tcp"])
            {
                races.Add(kind, 1, false);
                races.Add(kind, 1, true);
            }

            races.Add("eventfd", 3, false);
            races.Add("eventfd", 3, true);
            return races;
        }
    }

    [Theory]
    [MemberData(nameof(Races))]
    public void No_edge_is_lost_however_writers_and_readers_race(string kind, int consumers, bool isNested)
    {
        using TestKernel test = new();
        Process process = test.Process;
        (int input, int output) = kind == "eventfd" ? EventfdTwice(process) : Sockets.StreamsOf(process, kind);
        Sockets.SetNonBlocking(process, input, true);
        int epoll = process.EpollCreate1(0).OrThrow();
        process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, input, new EpollEvent(EpollFlags.EPOLLIN | EpollFlags.EPOLLET, 1)).OrThrow();
        int outer = epoll;
        if (isNested)
        {
            outer = process.EpollCreate1(0).OrThrow();
            process.EpollCtl(outer, EpollOperation.EPOLL_CTL_ADD, epoll, new EpollEvent(EpollFlags.EPOLLIN | EpollFlags.EPOLLET, 2)).OrThrow();
        }

        long total = 0;
        long wakeUps = 0;
        int stop = process.Eventfd(0, EventfdFlags.None).OrThrow();
        process.EpollCtl(outer, EpollOperation.EPOLL_CTL_ADD, stop, new EpollEvent(EpollFlags.EPOLLIN, 3)).OrThrow();
        void Consume()
        {
            Span<EpollEvent> events = stackalloc EpollEvent[4];
            Span<byte> buffer = stackalloc byte[256];
            while (Volatile.Read(ref total) < Rounds)
            {
                long ready = process.EpollWait(outer, events, 60_000).Raw;
                Assert.True(ready > 0, "an edge was lost");
                if (events[0].Data == 3)
                {
                    break;
                }

                if (isNested)
                {
                    process.EpollWait(epoll, events, 0).OrThrow();
                }

                Interlocked.Increment(ref wakeUps);
                SyscallResult read;
                while ((read = process.Read(input, buffer)).Raw > 0)
                {
                    long got = kind == "eventfd" ? BitConverter.ToInt64(buffer) : read.Raw;
                    if (Interlocked.Add(ref total, got) == Rounds)
                    {
                        process.Write(stop, BitConverter.GetBytes(1L)).OrThrow();
                    }
                }
            }
        }

        TestKernel.Together(
        [
            .. Enumerable.Repeat<Action>(Consume, consumers),
            () =>
            {
                byte[] one = kind == "eventfd" ? BitConverter.GetBytes(1L) : [1];
                for (int i = 0; i < Rounds; i++)
                {
                    process.Write(output, one).OrThrow();
                }
            },
        ]);
        Assert.Equal(Rounds, total);
        Assert.InRange(wakeUps, 1, Rounds);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void One_shots_on_one_instance_are_each_told_to_one_thread()
    {
        using TestKernel test = new();
        Process process = test.Process;
        const int Files = 8;
        const int Turns = 400;
        int epoll = process.EpollCreate1(0).OrThrow();
        int[] fds = [.. Enumerable.Range(0, Files).Select(_ => process.Eventfd(1, EventfdFlags.EFD_NONBLOCK).OrThrow())];
        int[] inside = new int[Files];
        int[] turns = new int[Files];
        int done = 0;
        EpollEvent Wanted(int index) => new(EpollFlags.EPOLLIN | EpollFlags.EPOLLONESHOT, (ulong)index);
        for (int i = 0; i < Files; i++)
        {
            process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fds[i], Wanted(i)).OrThrow();
        }

        TestKernel.Together([.. Enumerable.Repeat<Action>(
            () =>
            {
                EpollEvent[] events = new EpollEvent[3];
                while (Volatile.Read(ref done) < Files)
                {
                    long ready = process.EpollWait(epoll, events, 10).Raw;
                    for (int i = 0; i < ready; i++)
                    {
                        int index = (int)events[i].Data;
                        Assert.Equal(1, Interlocked.Increment(ref inside[index]));
                        if (++turns[index] == Turns)
                        {
                            Interlocked.Increment(ref done);
                        }

                        Interlocked.Decrement(ref inside[index]);
                        if (turns[index] < Turns)
                        {
                            process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_MOD, fds[index], Wanted(index)).OrThrow();
                        }
                    }
                }
            },
            4)]);
        Assert.All(turns, count => Assert.Equal(Turns, count));
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void All_that_are_ready_have_their_turn_equally_often()
    {
        using TestKernel test = new();
        Process process = test.Process;
        const int Files = 100;
        int epoll = process.EpollCreate1(0).OrThrow();
        for (int i = 0; i < Files; i++)
        {
            int fd = process.Eventfd(1, EventfdFlags.None).OrThrow();
            process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, new EpollEvent(EpollFlags.EPOLLIN, (ulong)i)).OrThrow();
        }

        int[] told = new int[Files];
        EpollEvent[] events = new EpollEvent[7];
        for (int i = 0; i < 100_000; i++)
        {
            foreach (EpollEvent one in events.AsSpan(0, process.EpollWait(epoll, events, 0).OrThrow()))
            {
                told[one.Data]++;
            }
        }

        Assert.All(told, count => Assert.Equal(7000, count));
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Exclusive_waiters_lose_no_event_between_them()
    {
        using TestKernel test = new();
        Process process = test.Process;
        const int Waiters = 4;
        int semaphore = process.Eventfd(0, EventfdFlags.EFD_SEMAPHORE | EventfdFlags.EFD_NONBLOCK).OrThrow();
        long taken = 0;
        void Take()
        {
            int epoll = process.EpollCreate1(0).OrThrow();
            process.EpollCtl(epoll, EpollOperation.EPOLL_CTL_ADD, semaphore, new EpollEvent(EpollFlags.EPOLLIN | EpollFlags.EPOLLEXCLUSIVE, 1)).OrThrow();
            Span<EpollEvent> events = stackalloc EpollEvent[1];
            Span<byte> value = stackalloc byte[8];
            while (Volatile.Read(ref taken) < Rounds)
            {
                // All are told in the end that there is no more: the last one wakes them one by one.
                Assert.True(process.EpollWait(epoll, events, 60_000).Raw > 0, "an event was lost");
                if (process.Read(semaphore, value).Raw == 8 && Interlocked.Increment(ref taken) >= Rounds)
                {
                    process.Write(semaphore, BitConverter.GetBytes((long)Waiters)).OrThrow();
                }
            }
        }

        TestKernel.Together(
        [
            .. Enumerable.Repeat<Action>(Take, Waiters),
            () =>
            {
                for (int i = 0; i < Rounds; i++)
                {
                    process.Write(semaphore, BitConverter.GetBytes(1L)).OrThrow();
                }
            },
        ]);
        Assert.True(taken >= Rounds);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Two_instances_that_are_added_to_each_other_at_once_never_make_a_circle()
    {
        using TestKernel test = new();
        Process process = test.Process;
        for (int round = 0; round < 300; round++)
        {
            int[] epolls = [.. Enumerable.Range(0, 3).Select(_ => process.EpollCreate1(0).OrThrow())];
            int refused = 0;
            TestKernel.Together([.. Enumerable.Range(0, 3).Select(i => (Action)(() =>
            {
                Errno error = process.EpollCtl(epolls[i], EpollOperation.EPOLL_CTL_ADD, epolls[(i + 1) % 3], new EpollEvent(EpollFlags.EPOLLIN, 0)).Error;
                Assert.True(error is Errno.None or Errno.ELOOP);
                Interlocked.Add(ref refused, error == Errno.ELOOP ? 1 : 0);
            }))]);
            Assert.Equal(1, refused);
            foreach (int epoll in epolls)
            {
                process.Close(epoll).OrThrow();
            }
        }

        test.AssertNothingIsLeft();
    }

    [Fact]
    public void What_poll_says_of_a_listener_and_its_connections_is_so()
    {
        using TestKernel test = new();
        Process process = test.Process;
        (int listener, byte[] address) = Sockets.Listen(process, 64);
        Sockets.SetNonBlocking(process, listener, true);
        const int Clients = 4;
        const int Each = 200;
        TestKernel.Together(
        [
            .. Enumerable.Repeat<Action>(
                () =>
                {
                    PollDescriptor[] one = new PollDescriptor[1];
                    Span<byte> error = stackalloc byte[4];
                    for (int i = 0; i < Each; i++)
                    {
                        int client = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM | SocketType.SOCK_NONBLOCK, 0).OrThrow();
                        Errno begun = process.Connect(client, address).Error;
                        Assert.True(begun is Errno.None or Errno.EINPROGRESS);
                        one[0] = new PollDescriptor { Fd = client, Events = (short)SocketEvents.Writable };
                        Assert.Equal(1, process.Poll(one, 60_000).Raw);
                        process.GetSockOpt(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_ERROR, error).OrThrow();
                        Assert.Equal(0, BitConverter.ToInt32(error));
                        Assert.Equal(1, process.Write(client, [7]).Raw);
                        process.Close(client).OrThrow();
                    }
                },
                Clients),
            () =>
            {
                PollDescriptor[] one = new PollDescriptor[1];
                Span<byte> buffer = stackalloc byte[8];
                for (int i = 0; i < Clients * Each; i++)
                {
                    one[0] = new PollDescriptor { Fd = listener, Events = (short)SocketEvents.Readable };
                    Assert.Equal(1, process.Poll(one, 60_000).Raw);

                    // Nobody else accepts: there is one.
                    int server = process.Accept4(listener, default, out _, SocketType.SOCK_NONBLOCK).OrThrow();
                    one[0] = new PollDescriptor { Fd = server, Events = (short)SocketEvents.Readable };
                    Assert.Equal(1, process.Poll(one, 60_000).Raw);
                    Assert.Equal(1, process.Read(server, buffer).Raw);
                    process.Close(server).OrThrow();
                }
            },
        ]);
        test.AssertNothingIsLeft();
    }

    private static (int Input, int Output) EventfdTwice(Process process)
    {
        int fd = process.Eventfd(0, EventfdFlags.EFD_NONBLOCK).OrThrow();
        return (fd, process.Dup(fd).OrThrow());
    }
}
