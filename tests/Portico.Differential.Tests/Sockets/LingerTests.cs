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
}
