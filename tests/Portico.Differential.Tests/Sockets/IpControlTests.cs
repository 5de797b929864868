using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Control messages of IP: what recvmsg(2) tells of a datagram, and what sendmsg(2) says of one.</summary>
public sealed class IpControlTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_UDP = 17;
    private const int SOL_IPV6 = 41;
    private static readonly byte[] s_lo = [127, 0, 0, 1];
    private static readonly byte[] s_any6 = new byte[16];
    private static readonly byte[] s_lo6 = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    private static readonly byte[] s_mapped = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1];

    /// <summary>What can be asked for: level, option and value.</summary>
    private static readonly Dictionary<string, (int Level, int Option, int Value)> s_asked = new()
    {
        ["IP_PKTINFO"] = (SOL_IP, 8, 1),
        ["IP_RECVTTL"] = (SOL_IP, 12, 1),
        ["IP_RECVTOS"] = (SOL_IP, 13, 1),
        ["IP_RECVOPTS"] = (SOL_IP, 6, 1),
        ["IP_RETOPTS"] = (SOL_IP, 7, 1),
        ["IP_RECVORIGDSTADDR"] = (SOL_IP, 20, 1),
        ["IP_RECVFRAGSIZE"] = (SOL_IP, 25, 1),
        ["SO_TIMESTAMP"] = (SOL_SOCKET, 29, 1),
        ["SO_TIMESTAMPNS"] = (SOL_SOCKET, 35, 1),
        ["SO_TIMESTAMP_NEW"] = (SOL_SOCKET, 63, 1),
        ["SO_TIMESTAMPNS_NEW"] = (SOL_SOCKET, 64, 1),
        ["SO_TIMESTAMPING"] = (SOL_SOCKET, 37, 0x18),
        ["SO_RXQ_OVFL"] = (SOL_SOCKET, 40, 1),
        ["SO_RCVMARK"] = (SOL_SOCKET, 75, 1),
        ["IPV6_RECVPKTINFO"] = (SOL_IPV6, 49, 1),
        ["IPV6_RECVHOPLIMIT"] = (SOL_IPV6, 51, 1),
        ["IPV6_RECVTCLASS"] = (SOL_IPV6, 66, 1),
        ["IPV6_2292PKTINFO"] = (SOL_IPV6, 2, 1),
        ["IPV6_2292HOPLIMIT"] = (SOL_IPV6, 8, 1),
        ["IPV6_RECVORIGDSTADDR"] = (SOL_IPV6, 74, 1),
    };

    /// <summary>What can be sent along: level, type and data.</summary>
    private static readonly Dictionary<string, byte[]> s_sent = new()
    {
        ["nothing"] = [],
        ["IP_TTL"] = Of(SOL_IP, 2, Int(7)),
        ["IP_TTL of 255"] = Of(SOL_IP, 2, Int(255)),
        ["IP_TTL of 0"] = Of(SOL_IP, 2, Int(0)),
        ["IP_TTL of 256"] = Of(SOL_IP, 2, Int(256)),
        ["IP_TTL of one byte"] = Of(SOL_IP, 2, [7]),
        ["IP_TOS"] = Of(SOL_IP, 1, Int(0xB8)),
        ["IP_TOS of one byte"] = Of(SOL_IP, 1, [0x10]),
        ["IP_TOS of 256"] = Of(SOL_IP, 1, Int(256)),
        ["IP_TOS of two bytes"] = Of(SOL_IP, 1, [1, 0]),
        ["IP_PROTOCOL"] = Of(SOL_IP, 52, Int(17)),
        ["IP_PROTOCOL of 0"] = Of(SOL_IP, 52, Int(0)),
        ["IP_PKTINFO of nothing"] = Of(SOL_IP, 8, new byte[12]),
        ["IP_PKTINFO with a source"] = Of(SOL_IP, 8, [0, 0, 0, 0, 127, 0, 0, 9, 0, 0, 0, 0]),
        ["IP_PKTINFO with an interface"] = Of(SOL_IP, 8, [1, 0, 0, 0, .. s_lo, 0, 0, 0, 0]),
        ["IP_PKTINFO with no such interface"] = Of(SOL_IP, 8, [9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ["IP_PKTINFO with somebody else's source"] = Of(SOL_IP, 8, [0, 0, 0, 0, 192, 0, 2, 1, 0, 0, 0, 0]),
        ["IP_PKTINFO that is too short"] = Of(SOL_IP, 8, new byte[11]),
        ["IP_PKTINFO that is too long"] = Of(SOL_IP, 8, new byte[16]),
        ["an unknown message of IP"] = Of(SOL_IP, 99, Int(1)),
        ["two messages"] = [.. Of(SOL_IP, 2, Int(9)), .. Of(SOL_IP, 1, Int(0x20))],
        ["a good and a bad message"] = [.. Of(SOL_IP, 2, Int(9)), .. Of(SOL_IP, 2, Int(0))],
        ["IPV6_HOPLIMIT"] = Of(SOL_IPV6, 52, Int(7)),
        ["IPV6_HOPLIMIT of -1"] = Of(SOL_IPV6, 52, Int(-1)),
        ["IPV6_HOPLIMIT of 256"] = Of(SOL_IPV6, 52, Int(256)),
        ["IPV6_HOPLIMIT of one byte"] = Of(SOL_IPV6, 52, [7]),
        ["IPV6_2292HOPLIMIT"] = Of(SOL_IPV6, 8, Int(8)),
        ["IPV6_TCLASS"] = Of(SOL_IPV6, 67, Int(0xB8)),
        ["IPV6_TCLASS of -1"] = Of(SOL_IPV6, 67, Int(-1)),
        ["IPV6_TCLASS of 256"] = Of(SOL_IPV6, 67, Int(256)),
        ["IPV6_DONTFRAG"] = Of(SOL_IPV6, 62, Int(1)),
        ["IPV6_DONTFRAG of 2"] = Of(SOL_IPV6, 62, Int(2)),
        ["IPV6_PKTINFO of nothing"] = Of(SOL_IPV6, 50, [.. s_any6, 0, 0, 0, 0]),
        ["IPV6_PKTINFO with a source"] = Of(SOL_IPV6, 50, [.. s_lo6, 0, 0, 0, 0]),
        ["IPV6_PKTINFO with an interface"] = Of(SOL_IPV6, 50, [.. s_any6, 1, 0, 0, 0]),
        ["IPV6_PKTINFO with no such interface"] = Of(SOL_IPV6, 50, [.. s_any6, 9, 0, 0, 0]),
        ["IPV6_PKTINFO with a mapped source"] = Of(SOL_IPV6, 50, [.. s_mapped, 0, 0, 0, 0]),
        ["IPV6_PKTINFO with somebody else's source"] = Of(SOL_IPV6, 50, [0x20, 1, 0xD, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ["IPV6_PKTINFO with a link-local source"] = Of(SOL_IPV6, 50, [0xFE, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]),
        ["IPV6_PKTINFO that is too short"] = Of(SOL_IPV6, 50, new byte[19]),
        ["IPV6_2292PKTINFO"] = Of(SOL_IPV6, 2, [.. s_lo6, 1, 0, 0, 0]),
        ["an unknown message of IPv6"] = Of(SOL_IPV6, 99, Int(1)),
        ["SO_MARK"] = Of(SOL_SOCKET, 36, Int(5)),
        ["SO_PRIORITY"] = Of(SOL_SOCKET, 12, Int(5)),
        ["SO_PRIORITY that is too high"] = Of(SOL_SOCKET, 12, Int(7)),
        ["SO_PRIORITY of one byte"] = Of(SOL_SOCKET, 12, [5]),
        ["SO_TIMESTAMPING"] = Of(SOL_SOCKET, 37, Int(2)),
        ["SO_TIMESTAMPING of something else"] = Of(SOL_SOCKET, 37, Int(4)),
        ["SCM_TXTIME"] = Of(SOL_SOCKET, 61, new byte[8]),
        ["SCM_RIGHTS"] = Of(SOL_SOCKET, 1, Int(0)),
        ["an unknown message of SOL_SOCKET"] = Of(SOL_SOCKET, 99, Int(1)),
        ["UDP_SEGMENT"] = Of(SOL_UDP, 103, [2, 0]),
        ["UDP_SEGMENT of four bytes"] = Of(SOL_UDP, 103, Int(2)),
        ["an unknown message of UDP"] = Of(SOL_UDP, 1, Int(1)),
        ["an unknown level"] = Of(99, 1, Int(1)),
        ["a length that is too short"] = [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
        ["a length that is too long"] = [99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0],
        ["less than a header"] = [1, 2, 3, 4, 5],
    };

    public static TheoryData<string, string> Asked
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string option in s_asked.Keys.Append("all of them"))
            {
                foreach (string sockets in s_pairs.Keys)
                {
                    cases.Add(option, sockets);
                }
            }

            return cases;
        }
    }

    public static TheoryData<string, string> Sent
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string message in s_sent.Keys)
            {
                foreach (string sockets in s_pairs.Keys)
                {
                    cases.Add(message, sockets);
                }
            }

            return cases;
        }
    }

    private static readonly Dictionary<string, Func<Kit, (long Sender, long Receiver, byte[] To)>> s_pairs = new()
    {
        ["UDP"] = kit => Udp(kit, AF_INET, AF_INET, "0.0.0.0", "127.0.0.1"),
        ["UDP of IPv6"] = kit => Udp(kit, AF_INET6, AF_INET6, "::1", "::1"),
        ["UDP of IPv4 to one of IPv6"] = kit => Udp(kit, AF_INET, AF_INET6, "::", "127.0.0.1"),
        ["UDP of IPv6 to a mapped address"] = kit => Udp(kit, AF_INET6, AF_INET, "127.0.0.1", "127.0.0.1", mapped: true),
    };

    [Theory]
    [MemberData(nameof(Asked))]
    public void A_receiver_is_told_what_it_asks_for(string option, string sockets) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = s_pairs[sockets](kit);
        foreach ((int level, int number, int value) in s_asked.Where(asked => option == "all of them" || asked.Key == option).Select(asked => asked.Value))
        {
            kit.Option(receiver, level, number, value);
        }

        kit.Option(sender, SOL_IP, 2, 33);
        kit.Option(sender, SOL_IP, 1, 0xB8);
        kit.Option(sender, SOL_IPV6, 16, 44);
        kit.Option(sender, SOL_IPV6, 67, 0x68);
        foreach (int room in (int[])[512, 0, 16, 20, 24, 28, 32, 40, 44])
        {
            kit.Send(sender, "datagram"u8, 0, to);
            kit.PortOf(sender);
            kit.Poll(1000, (receiver, SocketEvents.Readable));
            kit.ReceiveControl(receiver, 100, room, MSG_DONTWAIT | MSG_PEEK);
            kit.ReceiveControl(receiver, 100, room, MSG_DONTWAIT);
        }
    });

    [Theory]
    [MemberData(nameof(Sent))]
    public void A_sender_says_how_it_is_to_be_sent(string message, string sockets) => BothKernels.Run(kit =>
    {
        (long sender, long receiver, byte[] to) = s_pairs[sockets](kit);
        foreach (string option in (string[])["IP_PKTINFO", "IP_RECVTTL", "IP_RECVTOS", "IPV6_RECVPKTINFO", "IPV6_RECVHOPLIMIT", "IPV6_RECVTCLASS"])
        {
            kit.Option(receiver, s_asked[option].Level, s_asked[option].Option, 1);
        }

        kit.SendMessage(sender, "datagram"u8, s_sent[message], MSG_DONTWAIT, to);
        kit.PortOf(sender);
        kit.Poll(0, (receiver, SocketEvents.Readable));
        for (int i = 0; i < 5; i++)
        {
            kit.ReceiveControl(receiver, 100, 512, MSG_DONTWAIT);
        }

        // Once more, without a port, and connected.
        kit.SendMessage(sender, "datagram"u8, s_sent[message], MSG_DONTWAIT, [.. to[..2], 0, 0, .. to[4..]]);
        kit.SendMessage(sender, "datagram"u8, s_sent[message], MSG_DONTWAIT);
        kit.Connect(sender, to);
        kit.PortOf(sender);
        kit.SendMessage(sender, "datagram"u8, s_sent[message], MSG_DONTWAIT);
        kit.ReceiveControl(receiver, 100, 512, MSG_DONTWAIT);
    });

    [Theory]
    [MemberData(nameof(SentByTcp))]
    public void A_stream_looks_at_messages_of_SOL_SOCKET_alone(string message) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.SendMessage(client, "bytes"u8, s_sent[message], MSG_DONTWAIT);
        kit.ReceiveControl(server, 100, 100, MSG_DONTWAIT);
    });

    public static TheoryData<string> SentByTcp => [.. s_sent.Keys];

    private static (long Sender, long Receiver, byte[] To) Udp(
        Kit kit, AddressFamily from, AddressFamily to, string bound, string destination, bool mapped = false)
    {
        long receiver = kit.Socket(to, SOCK_DGRAM);
        kit.Bind(receiver, Kit.Address(bound, 0));
        ushort port = kit.PortOf(receiver);
        long sender = kit.Socket(from, SOCK_DGRAM);
        byte[] address = Kit.Address(destination, port);
        if (mapped)
        {
            address = [10, 0, address[2], address[3], 0, 0, 0, 0, .. s_mapped, 0, 0, 0, 0];
        }

        return (sender, receiver, address);
    }

    private static byte[] Of(int level, int type, byte[] data) => ControlMessages.Of(level, type, data);

    private static byte[] Int(int value) => BitConverter.GetBytes(value);
}
