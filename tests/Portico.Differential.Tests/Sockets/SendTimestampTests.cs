using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Times of sending (SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_*), which the error queue tells.</summary>
public sealed class SendTimestampTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_UDP = 17;
    private const int SOL_IPV6 = 41;
    private const int SO_TIMESTAMPING = 37;
    private const int SO_TIMESTAMPING_NEW = 65;
    private const int SCM_TS_OPT_ID = 81;
    private const int TX_HARDWARE = 1;
    private const int TX_SOFTWARE = 2;
    private const int SOFTWARE = 0x10;
    private const int OPT_ID = 0x80;
    private const int TX_SCHED = 0x100;
    private const int TX_ACK = 0x200;
    private const int OPT_CMSG = 0x400;
    private const int OPT_TSONLY = 0x800;
    private const int OPT_STATS = 0x1000;
    private const int OPT_TX_SWHW = 0x4000;
    private const int OPT_ID_TCP = 0x10000;
    private const int TX_COMPLETION = 0x40000;

    /// <summary>lo has a header of Ethernet for who asks for the packet.</summary>
    private const int LinkBytes = 14;
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    private static readonly Dictionary<string, int> s_flags = new()
    {
        ["nothing"] = 0,
        ["the time but of no packet"] = SOFTWARE,
        ["TX_SOFTWARE"] = SOFTWARE | TX_SOFTWARE,
        ["TX_SOFTWARE without SOFTWARE"] = TX_SOFTWARE,
        ["TX_SCHED"] = SOFTWARE | TX_SCHED,
        ["TX_SCHED and TX_SOFTWARE"] = SOFTWARE | TX_SCHED | TX_SOFTWARE,
        ["TX_ACK"] = SOFTWARE | TX_ACK,
        ["TX_HARDWARE"] = SOFTWARE | TX_HARDWARE,
        ["TX_COMPLETION"] = SOFTWARE | TX_COMPLETION,
        ["all of them"] = SOFTWARE | TX_HARDWARE | TX_SOFTWARE | TX_SCHED | TX_ACK | OPT_TX_SWHW,
        ["OPT_ID"] = SOFTWARE | TX_SCHED | TX_SOFTWARE | TX_ACK | OPT_ID,
        ["OPT_ID with TX_HARDWARE"] = SOFTWARE | TX_HARDWARE | OPT_ID,
        ["OPT_ID with TX_ACK"] = SOFTWARE | TX_ACK | OPT_ID,
        ["OPT_ID_TCP"] = SOFTWARE | TX_SOFTWARE | TX_ACK | OPT_ID | OPT_ID_TCP,
        ["OPT_TSONLY"] = SOFTWARE | TX_SCHED | TX_SOFTWARE | TX_ACK | OPT_ID | OPT_TSONLY,
        ["OPT_CMSG"] = SOFTWARE | TX_SOFTWARE | OPT_CMSG,
        ["OPT_CMSG and OPT_TSONLY"] = SOFTWARE | TX_SOFTWARE | OPT_CMSG | OPT_TSONLY,
        ["OPT_STATS"] = SOFTWARE | TX_SCHED | TX_SOFTWARE | TX_ACK | OPT_ID | OPT_TSONLY | OPT_STATS,
        ["OPT_STATS without SOFTWARE"] = TX_SOFTWARE | TX_ACK | OPT_TSONLY | OPT_STATS,
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string flags in s_flags.Keys)
            {
                foreach (string family in (string[])["IPv4", "IPv6", "mapped"])
                {
                    cases.Add(flags, family);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_datagram_that_is_sent_is_told_of(string flags, string family) => BothKernels.Run(kit =>
    {
        (long sender, byte[] to) = Datagrams(kit, family);
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, s_flags[flags]);
        for (int i = 0; i < 3; i++)
        {
            kit.Send(sender, "datagram"u8[..(8 - i)], 0, to);
            kit.PortOf(sender);
        }

        kit.Poll(0, (sender, Everything));
        ReadAll(kit, sender, 100, most: 7);
        kit.Poll(0, (sender, Everything));
        kit.GetOption(sender, SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    [Theory]
    [MemberData(nameof(Cases))]
    public void Its_addresses_come_with_it_where_they_are_asked_for(string flags, string family) => BothKernels.Run(kit =>
    {
        (long sender, byte[] to) = Datagrams(kit, family);
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, s_flags[flags]);
        foreach ((int level, int option) in ((int, int)[])[(SOL_IP, 8), (SOL_IP, 12), (SOL_IP, 13), (SOL_IPV6, 49), (SOL_IPV6, 51), (SOL_IPV6, 66)])
        {
            kit.Option(sender, level, option, 1);
        }

        kit.Option(sender, SOL_SOCKET, (int)SocketOption.SO_TIMESTAMPNS, 1);
        kit.Connect(sender, to);
        kit.PortOf(sender);
        kit.Send(sender, "datagram"u8);
        ReadAll(kit, sender, 100, most: 3);
    });

    [Theory]
    [MemberData(nameof(Cases))]
    public void A_stream_tells_of_its_last_byte(string flags, string family) => BothKernels.Run(kit =>
    {
        (long client, long server) = Stream(kit, family);
        kit.Option(client, SOL_SOCKET, SO_TIMESTAMPING, s_flags[flags]);
        for (int i = 0; i < 2; i++)
        {
            kit.Send(client, "some bytes"u8[..(10 - i)]);
            kit.Receive(server, 10 - i, MSG_WAITALL);
            bool isAnswered = (s_flags[flags] & TX_ACK) != 0;
            for (int told = (s_flags[flags] & (TX_SCHED | TX_SOFTWARE)) switch { 0 => 0, TX_SCHED or TX_SOFTWARE => 1, _ => 2 }; told > 0; told--)
            {
                Told(kit, client, flags);
            }

            if (isAnswered)
            {
                kit.Poll(2000, (client, SocketEvents.Priority));
                Told(kit, client, flags);
            }

            Told(kit, client, flags);
        }

        kit.Poll(0, (client, Everything));
    });

    [Theory]
    [InlineData(TX_SOFTWARE)]
    [InlineData(TX_SCHED)]
    [InlineData(TX_SOFTWARE | TX_SCHED)]
    [InlineData(TX_ACK)]
    [InlineData(0)]
    [InlineData(TX_COMPLETION)]
    [InlineData(OPT_ID)]
    [InlineData(SOFTWARE)]
    public void A_message_asks_for_one_packet(int asked) => BothKernels.Run(kit =>
    {
        foreach (int own in (int[])[SOFTWARE, SOFTWARE | TX_SCHED | OPT_ID])
        {
            (long sender, byte[] to) = Datagrams(kit, "IPv4");
            kit.Send(sender, "takes a port"u8, 0, to);
            kit.PortOf(sender);
            kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, own);
            kit.SendMessage(sender, "asks"u8, ControlMessages.Of(SOL_SOCKET, SO_TIMESTAMPING, BitConverter.GetBytes(asked)), 0, to);
            kit.Send(sender, "does not"u8, 0, to);
            ReadAll(kit, sender, 100, most: 4);

            (long client, long server) = Stream(kit, "IPv4");
            kit.Option(client, SOL_SOCKET, SO_TIMESTAMPING, own);
            long sent = kit.SendMessage(client, "asks"u8, ControlMessages.Of(SOL_SOCKET, SO_TIMESTAMPING_NEW, BitConverter.GetBytes(asked)));
            if (sent > 0)
            {
                kit.Receive(server, 4);
                kit.Poll((asked & (TX_SOFTWARE | TX_SCHED | TX_ACK)) != 0 ? 2000 : 0, (client, SocketEvents.Priority));
            }

            ReadAll(kit, client, 100, most: 4);
        }
    });

    [Theory]
    [InlineData(SOFTWARE | TX_SOFTWARE | OPT_ID, 4)]
    [InlineData(SOFTWARE | TX_SOFTWARE | OPT_ID, 2)]
    [InlineData(SOFTWARE | OPT_ID, 4)]
    [InlineData(SOFTWARE | TX_SOFTWARE, 4)]
    public void A_message_gives_the_number(int own, int length) => BothKernels.Run(kit =>
    {
        byte[] message = ControlMessages.Of(SOL_SOCKET, SCM_TS_OPT_ID, BitConverter.GetBytes(0x12345678)[..length]);
        (long sender, byte[] to) = Datagrams(kit, "IPv6");
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, own);
        kit.Send(sender, "zero"u8, 0, to);
        kit.PortOf(sender);
        kit.SendMessage(sender, "named"u8, message, 0, to);
        kit.Send(sender, "one"u8, 0, to);
        ReadAll(kit, sender, 0, most: 4);
        (long client, _) = Stream(kit, "IPv4");
        kit.Option(client, SOL_SOCKET, SO_TIMESTAMPING, own);
        kit.SendMessage(client, "named"u8, message);
        ReadAll(kit, client, 0, most: 2);
    });

    [Fact]
    public void Numbers_begin_anew_with_the_option() => BothKernels.Run(kit =>
    {
        const int Flags = SOFTWARE | TX_SOFTWARE | OPT_TSONLY;
        (long sender, byte[] to) = Datagrams(kit, "IPv4");
        (long client, long server) = Stream(kit, "IPv4");
        foreach (int flags in (int[])[Flags | OPT_ID, Flags | OPT_ID, Flags, Flags | OPT_ID, Flags | OPT_ID | OPT_ID_TCP])
        {
            kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, flags);
            kit.Send(sender, "one"u8, 0, to);
            kit.PortOf(sender);
            kit.Send(sender, "two"u8, 0, to);
            ReadAll(kit, sender, 0, most: 3);
            kit.Option(client, SOL_SOCKET, SO_TIMESTAMPING, flags);
            kit.Send(client, "one"u8);
            kit.Receive(server, 10);
            kit.Send(client, "two"u8);
            kit.Receive(server, 10);
            ReadAll(kit, client, 0, most: 3);
        }
    });

    [Theory]
    [InlineData(0, 1, 500)]
    [InlineData(0, 2304, 500)]
    [InlineData(0, 1500, 8)]
    [InlineData(0, 4000, 1000)]
    [InlineData(0, 20_000, 3000)]
    [InlineData(OPT_TSONLY, 1, 200)]
    [InlineData(OPT_TSONLY, 1500, 3000)]
    public void The_queue_is_bounded_by_the_receive_buffer(int flags, int buffer, int length) => BothKernels.Run(kit =>
    {
        (long sender, byte[] to) = Datagrams(kit, "IPv4");
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE | TX_SOFTWARE | OPT_ID | flags);
        kit.Option(sender, SOL_SOCKET, (int)SocketOption.SO_RCVBUF, buffer);
        for (int i = 0; i < 30; i++)
        {
            kit.Send(sender, new byte[length], 0, to);
            kit.PortOf(sender);
        }

        ReadAll(kit, sender, 100, most: 31);
        kit.Send(sender, new byte[length], 0, to);
        ReadAll(kit, sender, 100, most: 3);
    });

    [Theory]
    [InlineData("IPv4")]
    [InlineData("IPv6")]
    public void Of_pieces_the_first_is_told_of(string family) => BothKernels.Run(kit =>
    {
        (long sender, byte[] to) = Datagrams(kit, family);
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE | TX_SOFTWARE | TX_SCHED | OPT_ID | OPT_TSONLY);
        kit.Send(sender, new byte[100], MSG_MORE, to);
        kit.PortOf(sender);
        kit.Send(sender, new byte[100], 0, to);
        kit.Option(sender, SOL_UDP, 103, 50);
        kit.Send(sender, new byte[220], 0, to);
        kit.Send(sender, new byte[10], 0, to);
        ReadAll(kit, sender, 30, most: 7);
    });

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void The_queue_makes_priority_data_where_that_is_asked_for(int selects) => BothKernels.Run(kit =>
    {
        (long sender, byte[] to) = Datagrams(kit, "IPv4");
        kit.Option(sender, SOL_SOCKET, (int)SocketOption.SO_SELECT_ERR_QUEUE, selects);
        kit.Option(sender, SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE | TX_SOFTWARE);
        kit.Send(sender, "datagram"u8, 0, to);
        kit.PortOf(sender);
        kit.Poll(0, (sender, Everything));
        kit.Receive(sender, 10, MSG_DONTWAIT);
        kit.ReceiveControl(sender, 100, 20, MSG_ERRQUEUE, LinkBytes);
        kit.Poll(0, (sender, Everything));
    });

    [Fact]
    public void Writes_that_share_a_segment_share_its_time() => BothKernels.Run(kit =>
    {
        (long client, long server) = Stream(kit, "IPv4");
        kit.Option(client, SOL_SOCKET, SO_TIMESTAMPING, SOFTWARE | TX_SOFTWARE | OPT_ID | OPT_TSONLY);
        kit.Option(client, 6, 3, 1);
        kit.Send(client, "one"u8);
        kit.Send(client, "two"u8);
        kit.ReceiveControl(client, 0, 256, MSG_ERRQUEUE);
        kit.Option(client, 6, 3, 0);
        kit.Receive(server, 6, MSG_WAITALL);
        ReadAll(kit, client, 0, most: 3);
    });

    private static void ReadAll(Kit kit, long fd, int count, int most)
    {
        for (int i = 0; i < most; i++)
        {
            kit.ReceiveControl(fd, count, 512, MSG_ERRQUEUE, LinkBytes);
        }
    }

    private static void Told(Kit kit, long fd, string flags) =>
        kit.ReceiveControl(fd, (s_flags[flags] & OPT_STATS) != 0 ? 0 : 200, 512, MSG_ERRQUEUE, LinkBytes);

    private static (long Sender, byte[] To) Datagrams(Kit kit, string family)
    {
        AddressFamily other = family == "IPv6" ? AF_INET6 : AF_INET;
        long receiver = kit.Socket(other, SOCK_DGRAM);
        byte[] to = Kit.Loopback(other, kit.BindAny(receiver, other));
        return (kit.Socket(family == "IPv4" ? AF_INET : AF_INET6, SOCK_DGRAM), Mapped(family, to));
    }

    private static (long Client, long Server) Stream(Kit kit, string family)
    {
        (long listener, ushort port) = kit.Listener(family == "IPv6" ? AF_INET6 : AF_INET);
        long client = kit.Socket(family == "IPv4" ? AF_INET : AF_INET6, SOCK_STREAM);
        kit.Connect(client, Mapped(family, Kit.Loopback(family == "IPv6" ? AF_INET6 : AF_INET, port)));
        kit.PortOf(client);
        return (client, kit.Accept(listener));
    }

    private static byte[] Mapped(string family, byte[] address) => family != "mapped" ? address
        : [10, 0, address[2], address[3], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0, 0, 0, 0];
}
