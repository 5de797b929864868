using System.Diagnostics;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>How long the last close of a TCP connection takes (SO_LINGER of socket(7)), and what it waits for.</summary>
public sealed unsafe class LingerWaitTests
{
    private static readonly IReadOnlyDictionary<string, Action<Kit, long>> s_closes = new Dictionary<string, Action<Kit, long>>
    {
        ["close"] = (kit, fd) => kit.Call(close, fd),
        ["dup2 over it"] = (kit, fd) => kit.Note(kit.Raw(dup2, 0, fd) >= 0 ? "dup2" : "no dup2"),
        ["dup3 over it"] = (kit, fd) => kit.Note(kit.Raw(dup3, 0, fd) >= 0 ? "dup3" : "no dup3"),
        ["close_range"] = (kit, fd) => kit.Call(close_range, fd, fd),
        ["close of a duplicate, then close"] = (kit, fd) =>
        {
            Timed(kit, "close of the duplicate", () => kit.Call(close, kit.Raw(dup, fd)));
            kit.Call(close, fd);
        },
        ["shutdown for writing, then close"] = (kit, fd) =>
        {
            Timed(kit, "shutdown", () => kit.Call(shutdown, fd, (long)ShutdownHow.SHUT_WR));
            kit.Call(close, fd);
        },
        ["shutdown both ways, then close"] = (kit, fd) =>
        {
            Timed(kit, "shutdown", () => kit.Call(shutdown, fd, (long)ShutdownHow.SHUT_RDWR));
            kit.Call(close, fd);
        },
    };

    public static TheoryData<string, int, string, bool> Cases
    {
        get
        {
            TheoryData<string, int, string, bool> cases = [];
            foreach (string way in s_closes.Keys)
            {
                foreach (string state in (string[])["quiet", "full", "full, with something to read"])
                {
                    cases.Add(way, 1, state, false);
                }
            }

            foreach (int linger in (int[])[-1, 0, 2])
            {
                cases.Add("close", linger, "full", false);
                cases.Add("close", linger, "full", true);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_close_takes_as_long_as_on_Linux(string way, int linger, string state, bool isNonBlocking) => BothKernels.Run(kit =>
    {
        (long client, long server) = Prepare(kit, linger, isFull: state != "quiet");
        if (state.Contains("something", StringComparison.Ordinal))
        {
            kit.WriteBytes(server, "unread"u8);
            kit.Poll(5000, (client, SocketEvents.Readable));
        }

        if (isNonBlocking)
        {
            kit.NonBlocking(client);
        }

        Timed(kit, way, () => s_closes[way](kit, client));
        bool isEnd = Drain(kit, server);
        kit.Note(isEnd ? "the other end reads everything" : "the other end is reset");
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void It_ends_when_everything_has_been_acknowledged(bool isRead) => BothKernels.Run(kit =>
    {
        (long client, long server) = Prepare(kit, 20, isFull: true);
        Task<(string, long, byte[])> closing = kit.Start("close", () => (kit.Raw(close, client), []));
        Kit.Settle();
        kit.NoteWhetherDone("close", closing);
        if (isRead)
        {
            Drain(kit, server);
        }
        else
        {
            kit.Call(close, server);
        }

        Timed(kit, "then", () => kit.Join(closing));
    });

    [Fact]
    public void A_signal_ends_it_and_nobody_is_told() => BothKernels.Run(kit =>
    {
        Kit one = kit.Fork("one");
        one.Action(10, 2, 0x1000_0000);
        one.Mask(1, Kit.Set(10));
        (long client, _) = Prepare(one, 20, isFull: true);
        Task<(string, long, byte[])> closing = one.Start("close", () => (one.Raw(close, client), []));
        Kit.Settle();
        kit.Kill(one.Id, 28);
        Kit.Settle();
        kit.NoteWhetherDone("after one that is ignored close", closing);
        kit.Kill(one.Id, 10);
        Timed(kit, "then", () => one.Join(closing));
    });

    [Fact]
    public void The_end_of_a_process_waits_for_nothing() => BothKernels.Run(kit =>
    {
        Kit parent = kit.Leader("parent");
        Kit child = parent.Fork("child");
        Prepare(child, 20, isFull: true);
        child.Exit(3);
        Timed(kit, "the end", () => parent.Wait4(child.Id));
    });

    [Theory]
    [InlineData(ShutdownHow.SHUT_RD)]
    [InlineData(ShutdownHow.SHUT_WR)]
    [InlineData(ShutdownHow.SHUT_RDWR)]
    public void What_comes_after_a_shutdown_is_taken_or_refused(ShutdownHow how) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Call(shutdown, client, (long)how);
        Kit.Settle();
        kit.Send(server, "late"u8);
        Kit.Settle();
        kit.Poll(0, (client, (SocketEvents)0x7FFF), (server, (SocketEvents)0x7FFF));
        kit.NonBlocking(client);
        kit.NonBlocking(server);
        kit.Read(client, 10);
        kit.Send(server, "later"u8);
        kit.Read(server, 10);
        kit.GetOption(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    private static (long Client, long Server) Prepare(Kit kit, int linger, bool isFull)
    {
        (long client, long server) = kit.Connected(AF_INET);
        if (linger >= 0)
        {
            kit.Option(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, (byte)linger, 0, 0, 0]);
        }

        if (isFull)
        {
            byte[] block = new byte[1 << 16];
            long flags = kit.Raw(fcntl, client, (long)FcntlCommand.F_GETFL);
            kit.NonBlocking(client);
            fixed (byte* p = block)
            {
                for (int full = 0; full < 3; full++)
                {
                    while (kit.Raw(write, client, (long)p, block.Length) > 0)
                    {
                        full = 0;
                    }

                    Thread.Sleep(2);
                }
            }

            kit.Raw(fcntl, client, (long)FcntlCommand.F_SETFL, flags);
        }

        return (client, server);
    }

    /// <summary>Reads everything; whether that ends with the end of the stream.</summary>
    private static bool Drain(Kit kit, long fd)
    {
        byte[] block = new byte[1 << 16];
        fixed (byte* p = block)
        {
            while (true)
            {
                PollDescriptor one = new() { Fd = (int)fd, Events = (short)SocketEvents.Readable };
                kit.Raw(poll, (long)(&one), 1, 5_000);
                long result = kit.Raw(read, fd, (long)p, block.Length);
                if (result <= 0)
                {
                    return result == 0;
                }
            }
        }
    }

    /// <summary>Seconds, rounded: what takes less than half of one is at once.</summary>
    private static void Timed(Kit kit, string what, Action action)
    {
        long begin = Stopwatch.GetTimestamp();
        action();
        kit.Note($"{what} took {Math.Round(Stopwatch.GetElapsedTime(begin).TotalSeconds)} s");
    }
}
