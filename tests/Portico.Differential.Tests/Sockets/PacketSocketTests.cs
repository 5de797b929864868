using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Packet sockets (packet(7)) on the loopback: what they see, what they send, and what they tell of it.</summary>
public sealed class PacketSocketTests
{
    private const ushort ETH_P_ALL = 3;
    private const ushort ETH_P_IP = 0x800;
    private const ushort ETH_P_IPV6 = 0x86DD;
    private const ushort ETH_P_TEST = 0x1234;
    private const int EthernetBytes = 14;
    private const int PACKET_STATISTICS = 6;
    private const int PACKET_AUXDATA = 8;

    /// <summary>What other sockets do.</summary>
    private static readonly Dictionary<string, Action<Kit>> s_traffic = new()
    {
        ["a datagram"] = kit => Datagram(kit, AF_INET, "hello"u8),
        ["a datagram of IPv6"] = kit => Datagram(kit, AF_INET6, "hello"u8),
        ["a datagram without a checksum"] = kit =>
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM);
            kit.Option(fd, 1, (int)SocketOption.SO_NO_CHECK, 1);
            kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET, kit.BindAny(fd, AF_INET)));
        },
        ["an echo request"] = kit =>
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM, 1);
            kit.Bind(fd, Kit.Address("0.0.0.0", 0x4321));
            kit.Send(fd, [8, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], MSG_DONTWAIT, Kit.Loopback(AF_INET, 0));
        },
        ["an echo request of IPv6"] = kit =>
        {
            long fd = kit.Socket(AF_INET6, SOCK_DGRAM, 58);
            kit.Bind(fd, Kit.Address("::", 0x4321));
            kit.Send(fd, [128, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], MSG_DONTWAIT, Kit.Loopback(AF_INET6, 0));
        },
        ["a datagram to a port that nobody has"] = kit =>
        {
            long gone = kit.Socket(AF_INET, SOCK_DGRAM);
            ushort port = kit.BindAny(gone, AF_INET);
            kit.Call(SyscallNumber.close, gone);
            kit.Send(kit.Socket(AF_INET, SOCK_DGRAM), "anybody?"u8, 0, Kit.Loopback(AF_INET, port));
        },
        ["a datagram to a group"] = kit =>
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM);
            kit.Option(fd, 1, (int)SocketOption.SO_BINDTODEVICE, "lo"u8.ToArray());
            kit.Option(fd, 0, 32, [127, 0, 0, 1]);
            kit.Send(fd, "hello"u8, 0, Kit.Address("224.0.0.77", 9));
        },
        ["a raw packet"] = kit => kit.Send(kit.RawSocket(AF_INET, 253), "raw bytes"u8, MSG_DONTWAIT, Kit.Loopback(AF_INET, 0)),
        ["nothing"] = _ => { },
    };

    private static readonly Dictionary<string, (SocketType Type, ushort Protocol)> s_listeners = new()
    {
        ["everything"] = (SOCK_RAW, ETH_P_ALL),
        ["everything without headers"] = (SOCK_DGRAM, ETH_P_ALL),
        ["IPv4"] = (SOCK_RAW, ETH_P_IP),
        ["IPv4 without headers"] = (SOCK_DGRAM, ETH_P_IP),
        ["IPv6"] = (SOCK_RAW, ETH_P_IPV6),
        ["something else"] = (SOCK_RAW, ETH_P_TEST),
        ["no protocol"] = (SOCK_RAW, 0),
    };

    /// <summary>Frames that a program makes itself.</summary>
    private static readonly Dictionary<string, byte[]> s_frames = new()
    {
        ["a frame of a protocol that nobody knows"] = Frame(new byte[6], ETH_P_TEST, "hello"u8),
        ["a frame for all hosts"] = Frame([255, 255, 255, 255, 255, 255], ETH_P_TEST, "hello"u8),
        ["a frame for a group"] = Frame([1, 0, 0x5E, 0, 0, 1], ETH_P_TEST, "hello"u8),
        ["a frame for another host"] = Frame([2, 1, 2, 3, 4, 5], ETH_P_TEST, "hello"u8),
        ["a frame from somebody"] = [0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5, 0x12, 0x34, 1, 2, 3],
        ["a frame with a length"] = Frame(new byte[6], 5, "hello"u8),
        ["a frame of old Novell networks"] = Frame(new byte[6], 5, [255, 255, 1, 2, 3]),
        ["an ARP request"] = Frame([255, 255, 255, 255, 255, 255], 0x806, [0, 1, 8, 0, 6, 4, 0, 1, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 127, 0, 0, 1]),
        ["a packet of IPv4"] = Frame(new byte[6], ETH_P_IP, Ipv4("payload"u8)),
        ["a packet of IPv4 for another host"] = Frame([2, 1, 2, 3, 4, 5], ETH_P_IP, Ipv4("payload"u8)),
        ["a packet of IPv4 for all hosts"] = Frame([255, 255, 255, 255, 255, 255], ETH_P_IP, Ipv4("payload"u8)),
        ["a packet of IPv4 from somebody"] = [0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5, 8, 0, .. Ipv4("payload"u8)],
        ["a packet of IPv4 that says it is of IPv6"] = Frame(new byte[6], ETH_P_IPV6, Ipv4("payload"u8)),
        ["a header of IPv4 alone"] = Frame(new byte[6], ETH_P_IP, []),
        ["a header alone"] = Frame(new byte[6], ETH_P_TEST, []),
        ["less than a header"] = new byte[13],
        ["nothing"] = [],
        ["as much as there is room for"] = Frame(new byte[6], ETH_P_TEST, new byte[65_536]),
        ["more than there is room for"] = Frame(new byte[6], ETH_P_TEST, new byte[65_537]),
        ["much more than there is room for"] = Frame(new byte[6], ETH_P_TEST, new byte[100_000]),
    };

    /// <summary>Where they are sent to, by those who are bound to lo and those who are not.</summary>
    private static readonly Dictionary<string, byte[]?> s_destinations = new()
    {
        ["an interface"] = Kit.Link(ETH_P_TEST),
        ["an interface and an address"] = Kit.Link(ETH_P_TEST, 1, [2, 1, 2, 3, 4, 5]),
        ["all hosts"] = Kit.Link(ETH_P_TEST, 1, [255, 255, 255, 255, 255, 255]),
        ["no protocol"] = Kit.Link(0),
        ["all protocols"] = Kit.Link(ETH_P_ALL),
        ["IPv4"] = Kit.Link(ETH_P_IP),
        ["no interface"] = Kit.Link(ETH_P_TEST, 0),
        ["no such interface"] = Kit.Link(ETH_P_TEST, 99),
        ["a negative interface"] = Kit.Link(ETH_P_TEST, -1),
        ["nothing"] = null,
        ["an address that is too short"] = Kit.Link(ETH_P_TEST)[..19],
        ["an address that is longer than it is"] = [.. Kit.Link(ETH_P_TEST)[..11], 9, 0, 0, 0, 0, 0, 0, 0, 0],
        ["an address of another family"] = [2, 0, .. Kit.Link(ETH_P_TEST)[2..]],
        ["an internet address"] = Kit.Loopback(AF_INET, 9),
        ["an address with more room than it needs"] = [.. Kit.Link(ETH_P_TEST), .. new byte[50]],
    };

    public static TheoryData<string, string> Traffic => Product(s_traffic.Keys, s_listeners.Keys);

    public static TheoryData<string, string> Frames => Product(s_frames.Keys, ["everything", "everything without headers", "IPv4", "something else"]);

    public static TheoryData<string, SocketType, bool> Destinations
    {
        get
        {
            TheoryData<string, SocketType, bool> cases = [];
            foreach (string destination in s_destinations.Keys)
            {
                foreach (SocketType type in (SocketType[])[SOCK_RAW, SOCK_DGRAM])
                {
                    cases.Add(destination, type, false);
                    cases.Add(destination, type, true);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Traffic))]
    public void Sees_what_passes_on_the_link(string traffic, string listener) => BothKernels.Run(kit =>
    {
        long fd = Listen(kit, listener, out int linkBytes);
        kit.Poll(0, (fd, SocketEvents.Readable));
        s_traffic[traffic](kit);
        kit.Poll(0, (fd, SocketEvents.Readable | SocketEvents.ReadNormal));
        kit.IoctlInt(fd, IoctlRequest.FIONREAD);
        kit.ReceivePackets(fd, linkBytes);
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void Sees_how_a_connection_begins(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(family);
        long fd = kit.PacketSocket(SOCK_DGRAM, ETH_P_ALL);
        kit.Connect(kit.Socket(family, SOCK_STREAM), Kit.Loopback(family, port));
        for (int i = 0; i < 4; i++)
        {
            // The options of a SYN are not in the same order, so that only the addresses are compared.
            kit.ReceivePacket(fd, linkBytes: 0, count: family == AF_INET ? 20 : 40);
        }

        kit.Call(SyscallNumber.close, listener);
    });

    [Theory]
    [MemberData(nameof(Frames))]
    public void Sends_frames_as_they_are(string frame, string listener) => BothKernels.Run(kit =>
    {
        long raw = kit.RawSocket(AF_INET, 253);
        long fd = Listen(kit, listener, out int linkBytes);
        long sender = kit.PacketSocket(SOCK_RAW, 0);
        kit.Send(sender, s_frames[frame], 0, Kit.Link(0));
        kit.ReceivePackets(fd, linkBytes);
        kit.ReceivePackets(sender, linkBytes);
        kit.ReceivePackets(raw, linkBytes: 0);
    });

    [Theory]
    [MemberData(nameof(Destinations))]
    public void Sends_where_the_address_says(string destination, SocketType type, bool isBound) => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_ALL);
        long sender = kit.PacketSocket(type, ETH_P_TEST);
        if (isBound)
        {
            kit.Bind(sender, Kit.Link(0));
        }

        kit.Send(sender, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x35, 1, 2, 3], MSG_DONTWAIT, s_destinations[destination]);
        kit.ReceivePackets(fd, EthernetBytes);
        kit.ReceivePackets(sender, type == SOCK_RAW ? EthernetBytes : 0);
    });

    [Fact]
    public void Is_not_shown_what_it_sends_itself_but_what_comes_back() => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_ALL);
        long other = kit.PacketSocket(SOCK_RAW, ETH_P_ALL);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(ETH_P_TEST));
        kit.ReceivePackets(fd, EthernetBytes);
        kit.ReceivePackets(other, EthernetBytes);
    });

    [Fact]
    public void A_bind_names_the_interface_and_the_protocol() => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, 0);
        kit.Name(fd);
        kit.Name(fd, ofPeer: true);
        foreach (byte[] address in (byte[][])
        [
            Kit.Link(ETH_P_TEST), Kit.Link(0), Kit.Link(0, 0), Kit.Link(ETH_P_ALL, 0), Kit.Link(ETH_P_TEST, 99), Kit.Link(ETH_P_TEST, -1),
            Kit.Link(ETH_P_IP)[..19], [.. Kit.Link(ETH_P_IP), 1, 2, 3], [2, 0, .. Kit.Link(ETH_P_IP)[2..]], Kit.Loopback(AF_INET, 9), [],
            [.. Kit.Link(ETH_P_IP)[..11], 200, 0, 0, 0, 0, 0, 0, 0, 0],
        ])
        {
            kit.Bind(fd, address);
            kit.Name(fd);
            kit.Name(fd, room: 13);
            s_traffic["a datagram"](kit);
            kit.ReceivePackets(fd, EthernetBytes);
        }
    });

    [Theory]
    [InlineData(SOCK_RAW)]
    [InlineData(SOCK_DGRAM)]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_SEQPACKET)]
    [InlineData((SocketType)4)]
    public void Is_for_the_privileged(SocketType type) => BothKernels.Run(kit =>
    {
        foreach (ushort protocol in (ushort[])[0, ETH_P_ALL, ETH_P_IP, 65_535])
        {
            kit.Socket(AF_PACKET, type, protocol);
            long fd = kit.PacketSocket(type, protocol);
            kit.GetOption(fd, 1, (int)SocketOption.SO_TYPE);
            kit.GetOption(fd, 1, (int)SocketOption.SO_DOMAIN);
            kit.GetOption(fd, 1, (int)SocketOption.SO_PROTOCOL);
        }
    });

    [Theory]
    [InlineData(MSG_PEEK)]
    [InlineData(MSG_TRUNC)]
    [InlineData(MSG_PEEK | MSG_TRUNC)]
    [InlineData(MSG_WAITALL)]
    [InlineData(MSG_OOB)]
    [InlineData(MSG_ERRQUEUE)]
    [InlineData(MSG_NOSIGNAL)]
    [InlineData(MSG_CMSG_CLOEXEC)]
    [InlineData(MessageFlags.None)]
    public void Takes_the_flags_of_a_receive(MessageFlags flags) => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_TEST);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        kit.Receive(fd, 10, flags | MSG_DONTWAIT, withAddress: true);
        kit.ReceiveMessage(fd, 100, flags | MSG_DONTWAIT);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        kit.ReceiveMessage(fd, 10, flags | MSG_DONTWAIT);
        kit.Receive(fd, 0, flags | MSG_DONTWAIT, withAddress: true);
    });

    [Fact]
    public void Statistics_begin_again_when_they_are_read() => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_TEST);
        for (int i = 0; i < 3; i++)
        {
            kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        }

        kit.GetOption(fd, Kit.SOL_PACKET, PACKET_STATISTICS, 8);
        kit.GetOption(fd, Kit.SOL_PACKET, PACKET_STATISTICS, 8);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        kit.GetOption(fd, Kit.SOL_PACKET, PACKET_STATISTICS, 4);
        kit.GetOption(fd, Kit.SOL_PACKET, PACKET_STATISTICS, 8);
    });

    [Fact]
    public void What_finds_the_queue_full_is_counted() => BothKernels.Run(kit =>
    {
        const int Frames = 500;
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_TEST);
        kit.Option(fd, 1, (int)SocketOption.SO_RCVBUF, 5000);
        kit.Option(fd, 1, (int)SocketOption.SO_RXQ_OVFL, 1);
        byte[] frame = s_frames["a frame from somebody"];
        long sender = kit.PacketSocket(SOCK_RAW, 0);
        for (int i = 0; i < Frames; i++)
        {
            Quietly(kit, sender, frame);
        }

        (int packets, int drops) = Statistics(kit, fd);
        int received = 0;
        while (Receives(kit, fd))
        {
            received++;
        }

        // How many there is room for is each kernel's own; none is lost without being counted.
        kit.Note($"{packets} in all, some dropped: {drops > 0}, the others received: {received + drops == packets && received > 0}");
        Quietly(kit, sender, frame);
        kit.Note($"the next tells: {Drops(kit, fd) == drops}");
        kit.Poll(0, (fd, SocketEvents.Readable));
    });

    [Theory]
    [InlineData("a datagram")]
    [InlineData("a datagram of IPv6")]
    [InlineData("an echo request")]
    [InlineData("a raw packet")]
    public void Tells_what_there_is_besides_the_packet(string traffic) => BothKernels.Run(kit =>
    {
        foreach (SocketType type in (SocketType[])[SOCK_RAW, SOCK_DGRAM])
        {
            long fd = kit.PacketSocket(type, ETH_P_ALL);
            kit.Option(fd, Kit.SOL_PACKET, PACKET_AUXDATA, 1);
            kit.Option(fd, 1, (int)SocketOption.SO_TIMESTAMP, 1);
            s_traffic[traffic](kit);
            for (int i = 0; i < 4; i++)
            {
                // What is received of the packet itself has been compared elsewhere; the second byte may have a part of a flow label in it.
                kit.ReceiveControl(fd, 1, 200, MSG_DONTWAIT);
            }

            kit.Call(SyscallNumber.close, fd);
        }
    });

    [Fact]
    public void Does_not_show_what_goes_out_to_those_who_ignore_it() => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_ALL);
        kit.Option(fd, Kit.SOL_PACKET, 23, 1);
        s_traffic["a datagram"](kit);
        kit.ReceivePackets(fd, EthernetBytes);
        kit.Option(fd, Kit.SOL_PACKET, 23, 0);
        s_traffic["a datagram"](kit);
        kit.ReceivePackets(fd, EthernetBytes);
    });

    [Fact]
    public void Tells_epoll_of_each_packet() => BothKernels.Run(kit =>
    {
        long fd = kit.PacketSocket(SOCK_RAW, ETH_P_TEST);
        long epoll = kit.Call(SyscallNumber.epoll_create1);
        kit.EpollControl(epoll, EpollOperation.EPOLL_CTL_ADD, fd, EpollFlags.EPOLLIN | EpollFlags.EPOLLET, 7);
        kit.EpollWait(epoll);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.Send(fd, s_frames["a frame from somebody"], 0, Kit.Link(0));
        kit.EpollWait(epoll);
        kit.ReceivePackets(fd, EthernetBytes);
        kit.EpollWait(epoll);
    });

    private static unsafe void Quietly(Kit kit, long fd, byte[] frame)
    {
        fixed (byte* p = frame, to = Kit.Link(0))
        {
            kit.Raw(SyscallNumber.sendto, fd, (long)p, frame.Length, 0, (long)to, 20);
        }
    }

    private static unsafe bool Receives(Kit kit, long fd)
    {
        byte* room = stackalloc byte[8];
        return kit.Raw(SyscallNumber.recvfrom, fd, (long)room, 8, (long)MSG_DONTWAIT) >= 0;
    }

    private static unsafe (int Packets, int Drops) Statistics(Kit kit, long fd)
    {
        int* numbers = stackalloc int[2];
        int length = 8;
        kit.Raw(SyscallNumber.getsockopt, fd, Kit.SOL_PACKET, PACKET_STATISTICS, (long)numbers, (long)(&length));
        return (numbers[0], numbers[1]);
    }

    /// <summary>SO_RXQ_OVFL of the next packet.</summary>
    private static unsafe int Drops(Kit kit, long fd)
    {
        byte* control = stackalloc byte[64];
        ulong* header = stackalloc ulong[7] { 0, 0, 0, 0, (ulong)control, 64, 0 };
        return kit.Raw(SyscallNumber.recvmsg, fd, (long)header, (long)MSG_DONTWAIT) < 0 ? -1 : *(int*)(control + ControlMessages.HeaderBytes);
    }

    private static long Listen(Kit kit, string listener, out int linkBytes)
    {
        (SocketType type, ushort protocol) = s_listeners[listener];
        linkBytes = type == SOCK_RAW ? EthernetBytes : 0;
        return kit.PacketSocket(type, protocol);
    }

    private static void Datagram(Kit kit, AddressFamily family, ReadOnlySpan<byte> data)
    {
        long fd = kit.Socket(family, SOCK_DGRAM);
        kit.Send(fd, data, 0, Kit.Loopback(family, kit.BindAny(fd, family)));
    }

    private static byte[] Frame(ReadOnlySpan<byte> destination, ushort type, ReadOnlySpan<byte> payload) =>
        [.. destination, 0, 0, 0, 0, 0, 0, (byte)(type >> 8), (byte)type, .. payload];

    /// <summary>A packet of protocol 253 between two loopback addresses.</summary>
    private static byte[] Ipv4(ReadOnlySpan<byte> payload)
    {
        byte[] packet = [0x45, 0, 0, (byte)(20 + payload.Length), 0, 7, 0x40, 0, 64, 253, 0, 0, 127, 0, 0, 4, 127, 0, 0, 1, .. payload];
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), InternetChecksum.Compute(packet.AsSpan(0, 20)));
        return packet;
    }

    private static TheoryData<string, string> Product(IEnumerable<string> first, IEnumerable<string> second)
    {
        TheoryData<string, string> cases = [];
        foreach (string one in first)
        {
            foreach (string other in second)
            {
                cases.Add(one, other);
            }
        }

        return cases;
    }
}
