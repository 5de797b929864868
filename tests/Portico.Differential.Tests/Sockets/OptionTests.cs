using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// Every option of getsockopt(2) and setsockopt(2), asked of and set on each kind of socket: with little room and much, with values in
/// range and out of it, of lengths that are too short, right and too long.
/// </summary>
public sealed class OptionTests
{
    private static readonly int[] s_values = [1, 0, 2, -1, 255, 256, 1000, 70_000, int.MaxValue, int.MinValue, 6, 0x10];
    private static readonly int[] s_rooms = [0, 1, 3, 8, 64];
    private static readonly int[] s_lengths = [0, 1, 3, 8, 16, 44];

    private static readonly Dictionary<string, Func<Kit, long>> s_sockets = new()
    {
        ["a new TCP socket"] = kit => kit.Socket(AF_INET, SOCK_STREAM),
        ["a new TCP socket of IPv6"] = kit => kit.Socket(AF_INET6, SOCK_STREAM),
        ["a listener"] = kit => kit.Listener(AF_INET).Listener,
        ["a listener of IPv6"] = kit => kit.Listener(AF_INET6).Listener,
        ["a TCP connection"] = kit => kit.Connected(AF_INET).Client,
        ["a TCP connection of IPv6"] = kit => kit.Connected(AF_INET6).Client,
        ["a new UDP socket"] = kit => kit.Socket(AF_INET, SOCK_DGRAM),
        ["a new UDP socket of IPv6"] = kit => kit.Socket(AF_INET6, SOCK_DGRAM),
        ["a bound UDP socket of IPv6"] = kit =>
        {
            long fd = kit.Socket(AF_INET6, SOCK_DGRAM);
            kit.BindAny(fd, AF_INET6);
            return fd;
        },
        ["a connected UDP socket"] = kit => ConnectedUdp(kit, AF_INET),
        ["a connected UDP socket of IPv6"] = kit => ConnectedUdp(kit, AF_INET6),
        ["an echo socket"] = kit => kit.Socket(AF_INET, SOCK_DGRAM, 1),
        ["an echo socket of IPv6"] = kit => kit.Socket(AF_INET6, SOCK_DGRAM, 58),
        ["a raw socket"] = kit => kit.RawSocket(AF_INET, 253),
        ["a raw socket of IPv6"] = kit => kit.RawSocket(AF_INET6, 253),
        ["a raw socket of ICMP"] = kit => kit.RawSocket(AF_INET, 1),
        ["a raw socket of ICMPv6"] = kit => kit.RawSocket(AF_INET6, 58),
        ["a packet socket"] = kit => kit.PacketSocket(SOCK_RAW, 0x1234),
        ["a bound packet socket"] = kit =>
        {
            long fd = kit.PacketSocket(SOCK_DGRAM, 0);
            kit.Bind(fd, Kit.Link(0));
            return fd;
        },
        ["a unix stream"] = kit => kit.Pair(SOCK_STREAM).First,
        ["a new unix stream"] = kit => kit.Socket(AF_UNIX, SOCK_STREAM),
        ["a unix datagram socket"] = kit => kit.Pair(SOCK_DGRAM).First,
        ["a unix seqpacket socket"] = kit => kit.Pair(SOCK_SEQPACKET).First,
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string option in OptionTable.All.Keys)
            {
                foreach (string socket in s_sockets.Keys.Where(socket => !IsDifferent(option, socket)))
                {
                    cases.Add(option, socket);
                }
            }

            return cases;
        }
    }

    /// <summary>docs/differences.md.</summary>
    private static bool IsDifferent(string option, string socket) =>
        (option.Contains("SOURCE", StringComparison.Ordinal) && !socket.Contains("UDP", StringComparison.Ordinal))
        || (option == "TCP_MAXSEG" && socket.StartsWith("a TCP connection", StringComparison.Ordinal))
        || (option == "SO_ZEROCOPY" && socket.Contains("UDP", StringComparison.Ordinal))
        || (option == "SO_PASSPIDFD" && socket.Contains("unix", StringComparison.Ordinal));

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_answered_as_Linux_does(string option, string socket) => BothKernels.Run(kit =>
    {
        OptionCase asked = OptionTable.All[option];
        long fd = s_sockets[socket](kit);
        kit.NonBlocking(fd);
        if (asked.First != null)
        {
            kit.Option(fd, asked.Level, asked.Number, asked.First);
        }

        Get(kit, fd, asked, asked.Room);
        foreach (int room in s_rooms)
        {
            Get(kit, fd, asked, room);
        }

        foreach (byte[] value in s_values.Select(BitConverter.GetBytes).Concat(asked.Structures).Concat(s_lengths.Select(OfLength)))
        {
            kit.Option(fd, asked.Level, asked.Number, value);
            Get(kit, fd, asked, asked.Room);
            Get(kit, fd, asked, 2);
        }
    });

    private static void Get(Kit kit, long fd, OptionCase asked, int room) => kit.GetOption(fd, asked.Level, asked.Number, room, !asked.IsOfTheMoment);

    /// <summary>A value of which the first int is 1, and the second 5.</summary>
    private static byte[] OfLength(int length)
    {
        byte[] value = new byte[Math.Max(8, length)];
        value[0] = 1;
        value[4] = 5;
        return value[..length];
    }

    private static long ConnectedUdp(Kit kit, AddressFamily family)
    {
        long other = kit.Socket(family, SOCK_DGRAM);
        long fd = kit.Socket(family, SOCK_DGRAM);
        kit.Connect(fd, Kit.Loopback(family, kit.BindAny(other, family)));
        kit.PortOf(fd);
        return fd;
    }
}
