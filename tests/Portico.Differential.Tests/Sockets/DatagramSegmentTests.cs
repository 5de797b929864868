using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>UDP_SEGMENT sends several datagrams as one packet, and UDP_GRO receives them so.</summary>
public sealed class DatagramSegmentTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_UDP = 17;
    private const int SOL_IPV6 = 41;
    private const int UDP_CORK = 1;
    private const int UDP_NO_CHECK6_TX = 101;
    private const int UDP_NO_CHECK6_RX = 102;
    private const int UDP_SEGMENT = 103;
    private const int UDP_GRO = 104;

    /// <summary>Bytes in all, and bytes of a segment.</summary>
    private static readonly (int Total, int Segment)[] s_sizes =
    [
        (0, 4), (3, 4), (4, 4), (5, 4), (8, 4), (10, 4), (128, 1), (129, 1), (257, 2), (3000, 1000), (4001, 1000), (60_000, 1472), (65_507, 20_000),
        (65_507, 65_507), (65_508, 1000), (65_527, 30_000), (65_528, 1000), (10, 65_535), (6, 5),
    ];

    public static TheoryData<AddressFamily, int, int, bool> Sizes
    {
        get
        {
            TheoryData<AddressFamily, int, int, bool> cases = [];
            foreach (AddressFamily family in (AddressFamily[])[AF_INET, AF_INET6])
            {
                foreach ((int total, int segment) in s_sizes)
                {
                    cases.Add(family, total, segment, true);
                    cases.Add(family, total, segment, false);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public void Segments_arrive_as_one_where_the_receiver_asks_for_it(AddressFamily family, int total, int segment, bool takes) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = Pair(kit, family);
        kit.Option(receiver, SOL_SOCKET, (int)SocketOption.SO_RCVBUF, 1 << 20);
        kit.Option(receiver, SOL_UDP, UDP_GRO, takes ? 1 : 0);
        kit.Option(sender, SOL_UDP, UDP_SEGMENT, segment);
        long link = kit.PacketSocket(SOCK_DGRAM, (ushort)(family == AF_INET ? 0x0800 : 0x86DD));
        kit.Send(sender, Bytes(total), 0, to);
        kit.PortOf(sender);
        kit.ReceivePackets(link, linkBytes: 0);
        kit.IoctlInt(receiver, IoctlRequest.FIONREAD);
        kit.ReceiveControl(receiver, 70_000, 64, MSG_DONTWAIT | MSG_PEEK);
        kit.ReceiveControl(receiver, 70_000, 64, MSG_DONTWAIT);
        for (int i = 0; i < 6; i++)
        {
            kit.ReceiveControl(receiver, 7, 64, MSG_DONTWAIT | MSG_TRUNC);
        }
    });

    /// <summary>What may be said besides.</summary>
    private static readonly Dictionary<string, Action<Kit, long, long, byte[]>> s_cases = new()
    {
        ["UDP_GRO is taken back before the receive"] = (kit, sender, receiver, to) =>
        {
            Send(kit, sender, to);
            kit.Option(receiver, SOL_UDP, UDP_GRO, 0);
        },
        ["UDP_GRO comes after the datagrams"] = (kit, sender, receiver, to) =>
        {
            kit.Option(receiver, SOL_UDP, UDP_GRO, 0);
            Send(kit, sender, to);
            kit.Option(receiver, SOL_UDP, UDP_GRO, 1);
        },
        ["one message alone"] = (kit, sender, receiver, to) => kit.SendMessage(sender, Bytes(10), ControlMessages.Of(SOL_UDP, UDP_SEGMENT, [3, 0]), 0, to),
        ["one message not at all"] = (kit, sender, receiver, to) =>
        {
            kit.Option(sender, SOL_UDP, UDP_SEGMENT, 4);
            kit.SendMessage(sender, Bytes(10), ControlMessages.Of(SOL_UDP, UDP_SEGMENT, [0, 0]), 0, to);
        },
        ["all that can be told"] = (kit, sender, receiver, to) =>
        {
            foreach ((int level, int option) in ((int, int)[])[(SOL_IP, 8), (SOL_IP, 12), (SOL_IPV6, 49), (SOL_IPV6, 51), (SOL_SOCKET, 40)])
            {
                kit.Option(receiver, level, option, 1);
            }

            Send(kit, sender, to);
        },
        ["put together by UDP_CORK"] = (kit, sender, receiver, to) =>
        {
            kit.Option(sender, SOL_UDP, UDP_SEGMENT, 4);
            kit.Option(sender, SOL_UDP, UDP_CORK, 1);
            kit.Send(sender, Bytes(5), 0, to);
            kit.Send(sender, Bytes(6), 0, to);
            kit.Option(sender, SOL_UDP, UDP_CORK, 0);
        },
        ["connected"] = (kit, sender, receiver, to) =>
        {
            kit.Connect(sender, to);
            kit.Option(sender, SOL_UDP, UDP_SEGMENT, 4);
            kit.Send(sender, Bytes(9));
        },
        ["without checksums"] = (kit, sender, receiver, to) =>
        {
            kit.Option(sender, SOL_SOCKET, (int)SocketOption.SO_NO_CHECK, 1);
            kit.Option(sender, SOL_UDP, UDP_NO_CHECK6_TX, 1);
            kit.Option(receiver, SOL_UDP, UDP_NO_CHECK6_RX, 1);
            Send(kit, sender, to);
            kit.Option(sender, SOL_UDP, UDP_SEGMENT, 400);
            kit.Send(sender, Bytes(9), 0, to);
        },
        ["that must not be fragmented"] = (kit, sender, receiver, to) =>
        {
            kit.Option(sender, SOL_IP, 10, 2);
            kit.Option(sender, SOL_IPV6, 23, 2);
            kit.Option(sender, SOL_IPV6, 62, 1);
            Send(kit, sender, to);
        },
        ["through a filter that cuts"] = (kit, sender, receiver, to) =>
        {
            kit.Attach(receiver, [new BpfInstruction(6, 0, 0, 14)]);
            Send(kit, sender, to);
        },
        ["from a place in the queue"] = (kit, sender, receiver, to) =>
        {
            Send(kit, sender, to);
            kit.Option(receiver, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, 6);
            kit.ReceiveControl(receiver, 2, 64, MSG_DONTWAIT | MSG_PEEK);
            kit.ReceiveControl(receiver, 2, 64, MSG_DONTWAIT | MSG_PEEK);
        },
        ["to a connected receiver"] = (kit, sender, receiver, to) =>
        {
            kit.Send(sender, "first"u8, 0, to);
            ushort port = kit.PortOf(sender);
            kit.Connect(receiver, Kit.Loopback((AddressFamily)to[0], port));
            Send(kit, sender, to);
        },
        ["to nobody"] = (kit, sender, receiver, to) =>
        {
            kit.Connect(sender, to);
            kit.Call(SyscallNumber.close, receiver);
            kit.Option(sender, SOL_UDP, UDP_SEGMENT, 4);
            kit.Send(sender, Bytes(9));
            kit.GetOption(sender, SOL_SOCKET, (int)SocketOption.SO_ERROR);
            kit.GetOption(sender, SOL_SOCKET, (int)SocketOption.SO_ERROR);
        },
        ["to nobody, with the error queue"] = (kit, sender, receiver, to) =>
        {
            kit.Call(SyscallNumber.close, receiver);
            kit.Option(sender, SOL_IP, 11, 1);
            kit.Option(sender, SOL_IPV6, 25, 1);
            Send(kit, sender, to);
            kit.PortOf(sender);
            kit.ReceiveControl(sender, 100, 256, MSG_DONTWAIT | MSG_ERRQUEUE);
            kit.ReceiveControl(sender, 100, 256, MSG_DONTWAIT | MSG_ERRQUEUE);
        },
        ["with a raw socket that listens"] = (kit, sender, receiver, to) =>
        {
            long raw = kit.RawSocket((AddressFamily)to[0], 17);
            Send(kit, sender, to);
            kit.Note(string.Join(' ', kit.TakeLengths(raw)));
        },
    };

    public static TheoryData<string, AddressFamily, bool> Cases
    {
        get
        {
            TheoryData<string, AddressFamily, bool> cases = [];
            foreach (string name in s_cases.Keys)
            {
                foreach (AddressFamily family in (AddressFamily[])[AF_INET, AF_INET6])
                {
                    cases.Add(name, family, true);
                    cases.Add(name, family, false);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Segments_and(string what, AddressFamily family, bool takes) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = Pair(kit, family);
        kit.Option(receiver, SOL_UDP, UDP_GRO, takes ? 1 : 0);
        s_cases[what](kit, sender, receiver, to);
        kit.PortOf(sender);
        for (int i = 0; i < 5; i++)
        {
            kit.ReceiveControl(receiver, 100, 256, MSG_DONTWAIT);
        }
    });

    private static void Send(Kit kit, long sender, byte[] to)
    {
        kit.Option(sender, SOL_UDP, UDP_SEGMENT, 4);
        kit.Send(sender, Bytes(10), 0, to);
    }

    private static (long Sender, long Receiver, byte[] To) Pair(Kit kit, AddressFamily family)
    {
        long receiver = kit.Socket(family, SOCK_DGRAM);
        ushort port = kit.BindAny(receiver, family);
        return (kit.Socket(family, SOCK_DGRAM), receiver, Kit.Loopback(family, port));
    }

    private static byte[] Bytes(int count) => [.. Enumerable.Range(0, count).Select(i => (byte)i)];
}
