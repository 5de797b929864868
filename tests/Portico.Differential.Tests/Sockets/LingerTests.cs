using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>What the other end hears of a close (F13): with unread data, with unsent data, and with each SO_LINGER.</summary>
public sealed class LingerTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static TheoryData<string, int, bool, bool> Cases
    {
        get
        {
            TheoryData<string, int, bool, bool> cases = [];
            foreach (string end in (string[])["close", "shutdown, then close", "exit of a duplicate first"])
            {
                foreach (int linger in (int[])[-1, 0, 1])
                {
                    foreach ((bool unread, bool sent) in ((bool, bool)[])[(false, false), (false, true), (true, false), (true, true)])
                    {
                        cases.Add(end, linger, unread, sent);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_other_end_hears_what_Linux_tells_it(string end, int linger, bool hasUnread, bool hasSent) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        if (linger >= 0)
        {
            kit.Option(client, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, (byte)linger, 0, 0, 0]);
        }

        if (hasUnread)
        {
            kit.WriteBytes(server, "unread"u8);
            kit.Poll(5000, (client, SocketEvents.Readable));
        }

        if (hasSent)
        {
            kit.WriteBytes(client, "sent before"u8);
        }

        switch (end)
        {
            case "exit of a duplicate first":
                kit.Call(close, kit.Call(dup, client));
                break;
            case "shutdown, then close":
                kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
                break;
        }

        kit.Call(close, client);
        kit.Poll(5000, (server, SocketEvents.Readable | SocketEvents.ReadHangUp));
        Kit.Settle();
        kit.NonBlocking(server);
        kit.Poll(0, (server, Everything));
        kit.GetOption(server, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_ERROR);
        kit.Read(server, 100);
        kit.Read(server, 100);
        kit.Send(server, "anybody?"u8);
        Kit.Settle();
        kit.Poll(0, (server, Everything));
        kit.Send(server, "anybody?"u8);
        kit.Read(server, 100);
    });

    [Theory]
    [InlineData(AF_INET, false)]
    [InlineData(AF_INET, true)]
    [InlineData(AF_UNIX, false)]
    [InlineData(AF_UNIX, true)]
    public void A_write_that_waits_when_the_connection_is_reset_leaves_the_error_to_the_next_one(AddressFamily family, bool isFull) => BothKernels.Run(kit =>
    {
        (long writer, long peer) = family == AF_UNIX ? kit.Pair(SocketType.SOCK_STREAM) : kit.Connected(family);
        if (isFull)
        {
            Fill(kit, writer);
        }

        // What is in the way is more than any buffer takes, and how much of it has gone is each kernel's own.
        var write = kit.Start("write", () => (WriteMuch(kit, writer) is var count && count > 0 ? 1 : count, []));
        Kit.Settle();
        kit.NoteWhetherDone("the write", write);
        kit.Option(peer, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
        kit.Call(close, peer);
        kit.Join(write);
        kit.Send(writer, "next"u8);
        kit.Send(writer, "and one more"u8);
        kit.GetOption(writer, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    private static void Fill(Kit kit, long fd)
    {
        long flags = kit.Raw(fcntl, fd, (long)FcntlCommand.F_GETFL);
        kit.NonBlocking(fd);
        for (int i = 0; i < 5; i++)
        {
            while (WriteMuch(kit, fd) > 0)
            {
            }

            Kit.Settle();
        }

        kit.Raw(fcntl, fd, (long)FcntlCommand.F_SETFL, flags);
    }

    private static unsafe long WriteMuch(Kit kit, long fd)
    {
        byte[] data = new byte[40 << 20];
        fixed (byte* p = data)
        {
            return kit.Raw(sendto, fd, (long)p, data.Length, (long)MessageFlags.MSG_NOSIGNAL);
        }
    }
}
