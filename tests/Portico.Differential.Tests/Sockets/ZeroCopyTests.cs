using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// MSG_ZEROCOPY of TCP: sends have numbers, and the error queue says which of them are done with. Between two ends on one machine the bytes
/// are copied, by Linux too.
/// </summary>
public sealed class ZeroCopyTests
{
    private const int SOL_SOCKET = 1;
    private const int SO_ZEROCOPY = 60;
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    private static readonly Dictionary<string, Action<Kit, long, long>> s_cases = new()
    {
        ["one send"] = (kit, fd, peer) =>
        {
            kit.Send(fd, "one"u8, MSG_ZEROCOPY);
            Read(kit, peer, 3);
            Told(kit, fd);
        },
        ["one after the other"] = (kit, fd, peer) =>
        {
            for (int i = 0; i < 3; i++)
            {
                kit.Send(fd, "one"u8, MSG_ZEROCOPY);
                Read(kit, peer, 3);
                Told(kit, fd);
            }
        },
        ["several that are told of together"] = (kit, fd, peer) =>
        {
            for (int i = 0; i < 3; i++)
            {
                kit.Send(fd, "one"u8, MSG_ZEROCOPY);
                Read(kit, peer, 3);
                kit.Poll(2000, (fd, SocketEvents.Priority));
            }

            Told(kit, fd);
        },
        ["sends without the flag have no number"] = (kit, fd, peer) =>
        {
            kit.Send(fd, "one"u8);
            kit.Send(fd, "two"u8, MSG_ZEROCOPY);
            kit.Send(fd, "three"u8);
            Read(kit, peer, 11);
            Told(kit, fd);
        },
        ["nothing is not told of"] = (kit, fd, _) =>
        {
            kit.Send(fd, [], MSG_ZEROCOPY);
            kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
        },
        ["the option was taken back"] = (kit, fd, peer) =>
        {
            kit.Option(fd, SOL_SOCKET, SO_ZEROCOPY, 0);
            kit.Send(fd, "one"u8, MSG_ZEROCOPY);
            Read(kit, peer, 3);
            kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
        },
        ["little room for the notice"] = (kit, fd, peer) =>
        {
            kit.Send(fd, "one"u8, MSG_ZEROCOPY);
            Read(kit, peer, 3);
            kit.Poll(5000, (fd, SocketEvents.Priority));
            kit.ReceiveControl(fd, 10, 20, MSG_ERRQUEUE);
            kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
        },
        ["the peer has ended"] = (kit, fd, peer) =>
        {
            kit.Send(fd, "one"u8, MSG_ZEROCOPY);
            Read(kit, peer, 3);
            kit.Call(SyscallNumber.close, peer);
            kit.Poll(5000, (fd, SocketEvents.ReadHangUp));
            kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
            kit.Receive(fd, 10, MSG_DONTWAIT);
        },
    };

    public static TheoryData<string, AddressFamily> Cases
    {
        get
        {
            TheoryData<string, AddressFamily> cases = [];
            foreach (string name in s_cases.Keys)
            {
                cases.Add(name, AF_INET);
                cases.Add(name, AF_INET6);
            }

            return cases;
        }
    }

    private static void Read(Kit kit, long fd, int count) => kit.Receive(fd, count, MSG_WAITALL);

    private static void Told(Kit kit, long fd)
    {
        kit.Poll(5000, (fd, SocketEvents.Priority));
        kit.Poll(0, (fd, Everything));
        kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
        kit.Poll(0, (fd, Everything));
        kit.ReceiveControl(fd, 10, 256, MSG_ERRQUEUE);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void What_is_done_with_is_told(string name, AddressFamily family) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(family);
        kit.Option(client, SOL_SOCKET, SO_ZEROCOPY, 1);
        s_cases[name](kit, client, server);
    });

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public void The_option_is_on_or_off(int value) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Option(listener, SOL_SOCKET, SO_ZEROCOPY, value);
        kit.GetOption(listener, SOL_SOCKET, SO_ZEROCOPY);
        long client = kit.Socket(AF_INET, SocketType.SOCK_STREAM);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.GetOption(kit.Call(SyscallNumber.accept, listener), SOL_SOCKET, SO_ZEROCOPY);
    });
}
