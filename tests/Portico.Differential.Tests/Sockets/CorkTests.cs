using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>UDP_CORK and MSG_MORE put one datagram together from several sends; UDP_SEGMENT makes several of one.</summary>
public sealed class CorkTests
{
    private const int SOL_UDP = 17;
    private const int UDP_CORK = 1;
    private const int UDP_SEGMENT = 103;

    private static readonly Dictionary<string, Action<Kit, long, byte[]>> s_sends = new()
    {
        ["MSG_MORE"] = (kit, fd, to) =>
        {
            kit.Send(fd, "one "u8, MSG_MORE, to);
            kit.Send(fd, "two "u8, MSG_MORE, to);
            kit.Send(fd, "three"u8, 0, to);
        },
        ["MSG_MORE, then without an address"] = (kit, fd, to) =>
        {
            kit.Send(fd, "one "u8, MSG_MORE, to);
            kit.Send(fd, "two"u8);
            kit.Send(fd, "three"u8);
        },
        ["MSG_MORE to two addresses"] = (kit, fd, to) =>
        {
            kit.Send(fd, "one "u8, MSG_MORE, to);
            kit.Send(fd, "two"u8, 0, [.. to[..2], 0, 9, .. to[4..]]);
        },
        ["UDP_CORK"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_CORK, 1);
            kit.Send(fd, "one "u8, 0, to);
            kit.Send(fd, "two"u8, 0, to);
            kit.Option(fd, SOL_UDP, UDP_CORK, 0);
        },
        ["UDP_CORK that stays"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_CORK, 1);
            kit.Send(fd, "one "u8, 0, to);
        },
        ["UDP_CORK with nothing in it"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_CORK, 1);
            kit.Option(fd, SOL_UDP, UDP_CORK, 0);
        },
        ["more than a datagram holds"] = (kit, fd, to) =>
        {
            kit.Send(fd, new byte[40_000], MSG_MORE, to);
            kit.Send(fd, new byte[40_000], MSG_MORE, to);
            kit.Send(fd, "after"u8, 0, to);
        },
        ["MSG_MORE with nothing"] = (kit, fd, to) =>
        {
            kit.Send(fd, [], MSG_MORE, to);
            kit.Send(fd, "something"u8, 0, to);
        },
        ["MSG_MORE out of band"] = (kit, fd, to) =>
        {
            kit.Send(fd, "one "u8, MSG_MORE, to);
            kit.Send(fd, "two "u8, MSG_OOB, to);
            kit.Send(fd, "three"u8, 0, to);
        },
        ["UDP_SEGMENT"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_SEGMENT, 4);
            kit.Send(fd, "0123456789"u8, 0, to);
        },
        ["UDP_SEGMENT larger than what is sent"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_SEGMENT, 400);
            kit.Send(fd, "0123456789"u8, 0, to);
        },
        ["UDP_SEGMENT with too many segments"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_SEGMENT, 1);
            kit.Send(fd, new byte[128], 0, to);
            kit.Send(fd, new byte[129], 0, to);
        },
        ["UDP_SEGMENT without checksums"] = (kit, fd, to) =>
        {
            kit.Option(fd, 1, (int)SocketOption.SO_NO_CHECK, 1);
            kit.Option(fd, SOL_UDP, UDP_SEGMENT, 4);
            kit.Send(fd, "0123456789"u8, 0, to);
            kit.Send(fd, "012"u8, 0, to);
        },
        ["UDP_SEGMENT of one message alone"] = (kit, fd, to) =>
        {
            kit.SendMessage(fd, "0123456789"u8, ControlMessages.Of(SOL_UDP, UDP_SEGMENT, [3, 0]), 0, to);
            kit.Send(fd, "0123456789"u8, 0, to);
        },
        ["UDP_SEGMENT and MSG_MORE"] = (kit, fd, to) =>
        {
            kit.Option(fd, SOL_UDP, UDP_SEGMENT, 4);
            kit.Send(fd, "0123456789"u8, MSG_MORE, to);
            kit.Send(fd, "abc"u8, 0, to);
        },
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string send in s_sends.Keys)
            {
                cases.Add(send, "127.0.0.1");
                cases.Add(send, "::1");
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Datagrams_are_as_in_Linux(string send, string address) => BothKernels.Run(kit =>
    {
        AddressFamily family = address == "::1" ? AF_INET6 : AF_INET;
        long receiver = kit.Socket(family, SOCK_DGRAM);
        byte[] to = Kit.Loopback(family, kit.BindAny(receiver, family));
        long sender = kit.Socket(family, SOCK_DGRAM);
        s_sends[send](kit, sender, to);
        kit.PortOf(sender);
        kit.Poll(0, (receiver, SocketEvents.Readable));
        for (int i = 0; i < 5; i++)
        {
            kit.Receive(receiver, 70_000, MSG_DONTWAIT);
        }
    });

    [Theory]
    [InlineData(3)]
    [InlineData(100)]
    public void A_stream_tells_how_much_is_left(int count) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Option(server, 6, 36, 1);
        kit.WriteBytes(client, "some bytes"u8);
        kit.Poll(1000, (server, SocketEvents.Readable));
        kit.ReceiveControl(server, count, 100, MSG_DONTWAIT | MSG_PEEK);
        kit.ReceiveControl(server, count, 100, MSG_DONTWAIT);
        kit.ReceiveControl(server, count, 100, MSG_DONTWAIT);
        kit.Call(SyscallNumber.shutdown, client, (long)ShutdownHow.SHUT_WR);
        kit.Poll(1000, (server, SocketEvents.ReadHangUp));
        kit.ReceiveControl(server, 100, 100, MSG_DONTWAIT);
        kit.ReceiveControl(server, 100, 100, MSG_DONTWAIT);
    });
}
