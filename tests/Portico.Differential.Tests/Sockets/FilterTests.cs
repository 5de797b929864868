using System.Runtime.InteropServices;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Socket filters (SO_ATTACH_FILTER of socket(7)): which programs are taken, and what each leaves of a packet.</summary>
public sealed class FilterTests
{
    private const ushort ETH_P_TEST = 0x1234;
    private const int IPPROTO_TEST = 253;
    private const ushort SenderPort = 25_003;
    private const ushort ReceiverPort = 25_004;
    private const int SOL_SOCKET = 1;

    /// <summary>A socket to attach to, and how it is sent something: the same bytes on both kernels but for an identification of IPv4.</summary>
    private static readonly Dictionary<string, Func<Kit, (long Fd, Action<byte[]> Send)>> s_sockets = new()
    {
        ["a packet socket"] = kit => Packets(kit, SOCK_RAW),
        ["a packet socket without headers"] = kit => Packets(kit, SOCK_DGRAM),
        ["a packet socket that sees datagrams"] = kit =>
        {
            (_, Action<byte[]> send) = Datagrams(kit, AF_INET);
            return (kit.PacketSocket(SOCK_RAW, 0x800), send);
        },
        ["a packet socket without headers that sees datagrams of IPv6"] = kit =>
        {
            (_, Action<byte[]> send) = Datagrams(kit, AF_INET6);
            return (kit.PacketSocket(SOCK_DGRAM, 0x86DD), send);
        },
        ["UDP"] = kit => Datagrams(kit, AF_INET),
        ["UDP of IPv6"] = kit => Datagrams(kit, AF_INET6),
        ["a raw socket"] = kit => Raw(kit, AF_INET),
        ["a raw socket of IPv6"] = kit => Raw(kit, AF_INET6),
        ["a unix socket"] = kit => Unix(kit, SOCK_DGRAM),
        ["a unix socket of packets"] = kit => Unix(kit, SOCK_SEQPACKET),
        ["a unix stream"] = kit => Unix(kit, SOCK_STREAM),
        ["an echo socket"] = kit =>
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM, 1);
            kit.Bind(fd, Kit.Address("0.0.0.0", 0x4321));
            return (fd, data => Quietly(kit, fd, [8, 0, 0, 0, 0, 0, 0, 7, .. data], Kit.Loopback(AF_INET, 0)));
        },
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string program in FilterPrograms.All.Keys)
            {
                foreach (string socket in s_sockets.Keys)
                {
                    cases.Add(program, socket);
                }
            }

            return cases;
        }
    }

    public static TheoryData<string> CheckedPrograms => [.. FilterPrograms.Checked.Keys];

    public static TheoryData<string, int> Seeds
    {
        get
        {
            TheoryData<string, int> cases = [];
            foreach (string socket in (string[])["a packet socket", "a packet socket without headers", "UDP", "UDP of IPv6", "a raw socket", "a raw socket of IPv6", "a unix socket", "a unix socket of packets"])
            {
                for (int seed = 0; seed < 20; seed++)
                {
                    cases.Add(socket, seed);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Leaves_as_much_of_a_packet_as_Linux_does(string program, string socket) => BothKernels.Run(kit =>
    {
        (long fd, Action<byte[]> send) = s_sockets[socket](kit);
        kit.Attach(fd, FilterPrograms.All[program]);
        send([3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3, 2, 3, 8, 4, 6, 2, 6, 4, 3, 3, 8, 3, 2, 7, 9, 5]);
        send([]);
        kit.IoctlInt(fd, IoctlRequest.FIONREAD);
        kit.Note(string.Join(' ', kit.TakeLengths(fd)));
        kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    [Theory]
    [MemberData(nameof(CheckedPrograms))]
    public void Is_taken_where_Linux_takes_it(string program) => BothKernels.Run(kit =>
    {
        foreach (long fd in (long[])[kit.Socket(AF_INET, SOCK_DGRAM), kit.PacketSocket(SOCK_RAW, ETH_P_TEST)])
        {
            kit.Attach(fd, FilterPrograms.Checked[program]);
            kit.ShowFilter(fd, 0);
        }
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Programs_at_random_leave_the_same(string socket, int seed) => BothKernels.Run(kit =>
    {
        // Where the kernels' own choices are, no program looks.
        uint[] places = [.. Enumerable.Range(0, 20).Select(static i => (uint)i).Where(i => !socket.StartsWith("a raw socket", StringComparison.Ordinal) || i is not (4 or 5 or 6 or 7 or 10 or 11 or 3 or 2 or 1 or 8 or 9)),
            25, 31, 60, 90, 1000, FilterPrograms.SKF_AD_OFF, FilterPrograms.SKF_AD_OFF + 4, FilterPrograms.SKF_AD_OFF + 8, FilterPrograms.SKF_AD_OFF + 28,
            FilterPrograms.SKF_AD_OFF + 40, FilterPrograms.SKF_NET_OFF + 12, FilterPrograms.SKF_NET_OFF + 16];
        Random random = new(seed);
        byte[] data = new byte[80];
        for (int i = 0; i < 12; i++)
        {
            (long fd, Action<byte[]> send) = s_sockets[socket](kit);
            long attached = kit.AttachQuietly(fd, FilterPrograms.Random(random, places));
            for (int j = 0; j < 4; j++)
            {
                random.NextBytes(data);
                send(data);
            }

            kit.Note($"{i}: {Kit.Show(attached)}: {string.Join(' ', kit.TakeLengths(fd))}");
            kit.Raw(SyscallNumber.close_range, 3, int.MaxValue);
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Programs_of_anything_are_taken_where_Linux_takes_them(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        long fd = kit.Socket(AF_INET, SOCK_DGRAM);
        for (int i = 0; i < 500; i++)
        {
            BpfInstruction[] program = FilterPrograms.Wild(random);
            kit.Note($"{Convert.ToHexString(MemoryMarshal.AsBytes(program.AsSpan()))} {Kit.Show(kit.AttachQuietly(fd, program))}");
        }
    });

    [Fact]
    public void Can_be_read_changed_taken_away_and_locked() => BothKernels.Run(kit =>
    {
        BpfInstruction[] program = FilterPrograms.All["half of it"];
        (long fd, Action<byte[]> send) = s_sockets["UDP"](kit);
        kit.ShowFilter(fd, 10);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Attach(fd, program);
        foreach (int room in (int[])[0, 1, 2, 3, 4, 100])
        {
            kit.ShowFilter(fd, room);
        }

        kit.Attach(fd, FilterPrograms.All["nothing"]);
        kit.ShowFilter(fd, 10);
        send([1, 2, 3]);
        kit.Note(string.Join(' ', kit.TakeLengths(fd)));
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        send([1, 2, 3]);
        kit.Note(string.Join(' ', kit.TakeLengths(fd)));
        kit.Attach(fd, program);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_LOCK_FILTER, 1);
        kit.Attach(fd, program);
        kit.Attach(fd, []);
        kit.Note(Kit.Show(kit.AttachQuietly(fd, program, isNull: true)));
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_ATTACH_FILTER, new byte[15]);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_LOCK_FILTER, 0);
        kit.ShowFilter(fd, 10);
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void A_connection_is_filtered_by_who_administers_the_network_alone(AddressFamily family) => BothKernels.Run(kit =>
    {
        BpfInstruction[] program = FilterPrograms.All["half of it"];
        (long listener, ushort port) = kit.Listener(family);
        long client = kit.Socket(family, SOCK_STREAM);
        kit.Attach(client, program);
        kit.Connect(client, Kit.Loopback(family, port));
        kit.PortOf(client);
        foreach (long fd in (long[])[listener, client, kit.Accept(listener)])
        {
            kit.Attach(fd, program);
            kit.Attach(fd, []);
            kit.Note(Kit.Show(kit.AttachQuietly(fd, program, isNull: true)));
            foreach (int length in (int[])[0, 3, 4, 15, 17])
            {
                kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_ATTACH_FILTER, new byte[length]);
            }

            kit.ShowFilter(fd, 10);
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_LOCK_FILTER, 1);
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_DETACH_FILTER, 0);
        }
    });

    [Fact]
    public void Takes_the_structure_as_it_is() => BothKernels.Run(kit =>
    {
        BpfInstruction[] program = FilterPrograms.All["half of it"];
        long fd = kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Note(Kit.Show(kit.AttachQuietly(fd, program, isNull: true)));
        kit.Note(Kit.Show(kit.AttachQuietly(fd, program, count: 0)));
        kit.Note(Kit.Show(kit.AttachQuietly(fd, program, count: 2)));
        kit.Note(Kit.Show(kit.AttachQuietly(fd, program, count: 1)));
        foreach (int length in (int[])[0, 3, 4, 8, 15, 17, 32])
        {
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_ATTACH_FILTER, new byte[length]);
        }
    });

    private static (long Fd, Action<byte[]> Send) Unix(Kit kit, SocketType type)
    {
        (long fd, long sender) = kit.Pair(type);
        return (fd, data => Quietly(kit, sender, data, []));
    }

    private static (long Fd, Action<byte[]> Send) Packets(Kit kit, SocketType type)
    {
        long fd = kit.PacketSocket(type, ETH_P_TEST);
        long sender = kit.PacketSocket(SOCK_RAW, 0);
        return (fd, data => Quietly(kit, sender, [0, 0, 0, 0, 0, 0, 2, 1, 2, 3, 4, 5, 0x12, 0x34, .. data], Kit.Link(0)));
    }

    private static (long Fd, Action<byte[]> Send) Datagrams(Kit kit, AddressFamily family)
    {
        long fd = kit.Socket(family, SOCK_DGRAM);
        kit.Bind(fd, Kit.Loopback(family, ReceiverPort));
        long sender = kit.Socket(family, SOCK_DGRAM);
        kit.Bind(sender, Kit.Loopback(family, SenderPort));
        return (fd, data => Quietly(kit, sender, data, Kit.Loopback(family, ReceiverPort)));
    }

    private static (long Fd, Action<byte[]> Send) Raw(Kit kit, AddressFamily family)
    {
        long fd = kit.RawSocket(family, IPPROTO_TEST);
        long sender = kit.RawSocket(family, IPPROTO_TEST);
        return (fd, data => Quietly(kit, sender, data, Kit.Loopback(family, 0)));
    }

    private static unsafe void Quietly(Kit kit, long fd, byte[] data, byte[] to)
    {
        fixed (byte* p = data.Length == 0 ? new byte[1] : data, address = to)
        {
            kit.Raw(SyscallNumber.sendto, fd, (long)p, data.Length, (long)MSG_DONTWAIT, (long)address, to.Length);
        }
    }
}
