using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Options of TCP sockets do what they say, and accepted connections have what they are to have of them.</summary>
public sealed class TcpOptionTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_TCP = 6;
    private const int TCP_DEFER_ACCEPT = 9;
    private const int TCP_QUICKACK = 12;
    private const int TCP_SAVE_SYN = 27;
    private const int TCP_SAVED_SYN = 28;
    private const int SO_MAX_PACING_RATE = 47;
    private const int IP_BIND_ADDRESS_NO_PORT = 24;
    private const int IP_LOCAL_PORT_RANGE = 51;
    private const SocketEvents Read = SocketEvents.Readable | SocketEvents.ReadNormal;

    private static readonly (int Level, int Option, int Value)[] s_options =
    [
        (SOL_SOCKET, SO_MAX_PACING_RATE, 1_000_000), (SOL_TCP, TCP_DEFER_ACCEPT, 0), (SOL_TCP, 16, 1), (SOL_TCP, TCP_SAVE_SYN, 1), (SOL_TCP, 44, 2000),
        (SOL_TCP, 45, 40_000), (SOL_TCP, 46, 12_000), (SOL_TCP, 7, 3), (SOL_TCP, TCP_QUICKACK, 1), (SOL_IP, IP_LOCAL_PORT_RANGE, 40_000 | (41_000 << 16)),
    ];

    public static TheoryData<AddressFamily> Families => [AF_INET, AF_INET6];

    public static TheoryData<AddressFamily, int, int> SavedSyns
    {
        get
        {
            TheoryData<AddressFamily, int, int> cases = [];
            foreach (AddressFamily family in (AddressFamily[])[AF_INET, AF_INET6])
            {
                for (int kind = 0; kind <= 2; kind++)
                {
                    foreach (int room in (int[])[0, 1, 59, 60, 73, 74, 80, 93, 94, 300])
                    {
                        cases.Add(family, kind, room);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Families))]
    public void An_accepted_connection_has_its_listeners_options(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(family);
        foreach ((int level, int option, int value) in s_options)
        {
            kit.Option(listener, level, option, value);
        }

        long server = Accepted(kit, family, listener, port).Server;
        foreach ((int level, int option, _) in s_options)
        {
            kit.GetOption(listener, level, option);
            kit.GetOption(server, level, option);
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(5)]
    [InlineData(100)]
    public void TCP_DEFER_ACCEPT_is_not_inherited(int seconds) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Option(listener, SOL_TCP, TCP_DEFER_ACCEPT, seconds);
        kit.GetOption(listener, SOL_TCP, TCP_DEFER_ACCEPT);
        long client = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.WriteBytes(client, "x"u8);
        kit.PortOf(client);
        long server = kit.Accept(listener);
        kit.GetOption(server, SOL_TCP, TCP_DEFER_ACCEPT);
        kit.Option(server, SOL_TCP, TCP_DEFER_ACCEPT, 3);
        kit.GetOption(server, SOL_TCP, TCP_DEFER_ACCEPT);
    });

    [Theory]
    [InlineData(AF_INET, "data")]
    [InlineData(AF_INET6, "data")]
    [InlineData(AF_INET, "the end")]
    [InlineData(AF_INET6, "the end")]
    [InlineData(AF_INET, "data and the end")]
    [InlineData(AF_INET, "a reset")]
    [InlineData(AF_INET, "the option taken back")]
    public void TCP_DEFER_ACCEPT_waits_for_what_the_opener_has_to_say(AddressFamily family, string what) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(family);
        kit.Option(listener, SOL_TCP, TCP_DEFER_ACCEPT, 60);
        kit.NonBlocking(listener);
        long client = kit.Socket(family, SOCK_STREAM);
        kit.Connect(client, Kit.Loopback(family, port));
        kit.PortOf(client);
        kit.Poll(30, (listener, Read));
        kit.Accept(listener);
        kit.Poll(0, (client, SocketEvents.Writable));
        switch (what)
        {
            case "the end":
                kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
                break;
            case "a reset":
                kit.Option(client, SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
                kit.Call(close, client);
                kit.Poll(30, (listener, Read));
                kit.Accept(listener);
                return;
            case "the option taken back":
                kit.Option(listener, SOL_TCP, TCP_DEFER_ACCEPT, 0);
                kit.Poll(30, (listener, Read));
                kit.WriteBytes(client, "hello"u8);
                break;
            default:
                kit.WriteBytes(client, "hello"u8);
                break;
        }

        if (what == "data and the end")
        {
            kit.Call(close, client);
        }

        kit.Poll(2000, (listener, Read));
        long server = kit.Accept(listener);
        kit.Receive(server, 100);
        kit.WriteBytes(server, "answer"u8);
    });

    [Theory]
    [InlineData(TCP_DEFER_ACCEPT, 5)]
    [InlineData(TCP_QUICKACK, 0)]
    public void An_opener_may_leave_the_last_ACK_to_its_data(int option, int value) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.NonBlocking(listener);
        long client = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Option(client, SOL_TCP, option, value);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.PortOf(client);
        kit.Accept(listener);
        kit.WriteBytes(client, "hello"u8);
        kit.Poll(2000, (listener, Read));
        kit.Receive(kit.Accept(listener), 100);
        kit.GetOption(client, SOL_TCP, option);
        long late = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Option(late, SOL_TCP, option, value);
        kit.Connect(late, Kit.Loopback(AF_INET, port));
        kit.PortOf(late);
        kit.Poll(30, (listener, Read));
        kit.Poll(2000, (listener, Read));
        kit.Accept(listener);
    });

    [Theory]
    [MemberData(nameof(SavedSyns))]
    public void TCP_SAVED_SYN_can_be_read_once(AddressFamily family, int kind, int room) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(family);
        kit.Option(listener, SOL_TCP, TCP_SAVE_SYN, kind);
        (long client, long server) = Accepted(kit, family, listener, port);
        kit.GetOption(server, SOL_TCP, TCP_SAVE_SYN);
        kit.GetOption(client, SOL_TCP, TCP_SAVED_SYN, 300, withValue: false);
        kit.GetOption(listener, SOL_TCP, TCP_SAVED_SYN, 300, withValue: false);
        kit.GetOption(server, SOL_TCP, TCP_SAVED_SYN, room, withValue: false);
        ShowSyn(kit, server, kind, port);
        ShowSyn(kit, server, kind, port);
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void TCP_SAVE_SYN_holds_for_connections_that_come_after_it(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long listener, ushort port) = kit.Listener(family);
        long before = kit.Socket(family, SOCK_STREAM);
        kit.Connect(before, Kit.Loopback(family, port));
        kit.PortOf(before);
        kit.Option(listener, SOL_TCP, TCP_SAVE_SYN, 1);
        long after = kit.Socket(family, SOCK_STREAM);
        kit.Connect(after, Kit.Loopback(family, port));
        kit.PortOf(after);
        kit.Option(listener, SOL_TCP, TCP_SAVE_SYN, 0);
        kit.GetOption(kit.Accept(listener), SOL_TCP, TCP_SAVED_SYN, 300, withValue: false);
        long server = kit.Accept(listener);
        kit.Option(server, SOL_TCP, TCP_SAVE_SYN, 0);
        kit.GetOption(server, SOL_TCP, TCP_SAVED_SYN, 300, withValue: false);
        kit.GetOption(server, SOL_TCP, TCP_SAVED_SYN, 300, withValue: false);
    });

    [Theory]
    [InlineData(new byte[] { 0x40, 0x42, 0x0F, 0 })]
    [InlineData(new byte[] { 0x40, 0x42, 0x0F, 0, 1, 0, 0, 0 })]
    [InlineData(new byte[] { 0, 0, 0, 0 })]
    [InlineData(new byte[] { 255, 255, 255, 255 })]
    [InlineData(new byte[] { 255, 255, 255, 255, 0, 0, 0, 0 })]
    [InlineData(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255 })]
    public void SO_MAX_PACING_RATE_shows_in_TCP_INFO(byte[] rate) => BothKernels.Run(kit =>
    {
        long idle = kit.Socket(AF_INET, SOCK_STREAM);
        ShowRates(kit, idle, withRate: true);
        kit.Option(idle, SOL_SOCKET, SO_MAX_PACING_RATE, rate);
        ShowRates(kit, idle, withRate: true);
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Option(listener, SOL_SOCKET, SO_MAX_PACING_RATE, rate);
        ShowRates(kit, listener, withRate: true);
        (long client, long server) = Accepted(kit, AF_INET, listener, port);
        ShowRates(kit, server, withRate: false);
        ShowRates(kit, client, withRate: false);
        kit.Option(client, SOL_SOCKET, SO_MAX_PACING_RATE, rate);
        ShowRates(kit, client, withRate: false);
        kit.GetOption(client, SOL_SOCKET, SO_MAX_PACING_RATE, 8);
    });

    /// <summary>The system's range is one that no other case has used: ports that wait in TIME_WAIT would be missing from it.</summary>
    [Theory]
    [InlineData(20_100, 20_101)]
    [InlineData(20_110, 20_110)]
    [InlineData(24_998, 0)]
    [InlineData(0, 20_001)]
    [InlineData(24_997, 30_000)]
    [InlineData(100, 20_002)]
    public void Ports_are_chosen_from_the_range_of_the_socket(int first, int last) => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/ip_local_port_range", path =>
    {
        int range = first | (last << 16);
        (_, ushort port) = kit.Listener(AF_INET);
        (_, ushort other) = kit.Listener(AF_INET);
        kit.Note(Kit.Show(kit.WriteSetting(path, "20000 24999")));
        long later = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Option(later, SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        kit.Option(later, SOL_IP, IP_LOCAL_PORT_RANGE, range);
        kit.Bind(later, Kit.Loopback(AF_INET, 0));
        List<ushort> ports = [];
        for (int i = 0; i < 4; i++)
        {
            long client = kit.Socket(AF_INET, SOCK_STREAM);
            kit.Option(client, SOL_IP, IP_LOCAL_PORT_RANGE, range);
            kit.Connect(client, Kit.Loopback(AF_INET, port));
            ports.Add(kit.PortOf(client));
        }

        // The same ports will do for another peer.
        kit.Connect(later, Kit.Loopback(AF_INET, other));
        kit.Note(string.Join(' ', ports.Order()));
        ushort again = kit.PortOf(later);
        kit.Note($"one of them: {ports.Contains(again)}");
    }));

    [Theory]
    [MemberData(nameof(Families))]
    public unsafe void Bind_chooses_from_the_range_of_the_socket(AddressFamily family) => BothKernels.Run(kit =>
    {
        // A port that was free a moment ago.
        long probe = kit.Socket(family, SOCK_STREAM);
        ushort port = kit.BindAny(probe, family);
        kit.Call(close, probe);
        int range = port | (port << 16);
        for (int i = 0; i < 2; i++)
        {
            long fd = kit.Socket(family, SOCK_STREAM);
            kit.Raw(setsockopt, fd, SOL_IP, IP_LOCAL_PORT_RANGE, (long)(&range), sizeof(int));
            kit.Bind(fd, Kit.Loopback(family, 0));
            kit.Note($"the port of the range: {kit.PortOf(fd) == port}");
        }

        long listener = kit.Socket(family, SOCK_STREAM);
        kit.Raw(setsockopt, listener, SOL_IP, IP_LOCAL_PORT_RANGE, (long)(&range), sizeof(int));
        kit.Call(listen, listener, 1);
    });

    private static (long Client, long Server) Accepted(Kit kit, AddressFamily family, long listener, ushort port)
    {
        long client = kit.Socket(family, SOCK_STREAM);
        kit.Connect(client, Kit.Loopback(family, port));
        kit.PortOf(client);
        return (client, kit.Accept(listener));
    }

    /// <summary>tcpi_pacing_rate where nothing has been measured, and tcpi_max_pacing_rate.</summary>
    private static void ShowRates(Kit kit, long fd, bool withRate)
    {
        byte[] info = kit.TcpInfo(fd, 280, out long result);
        kit.Note($"{result}: {(withRate ? BitConverter.ToUInt64(info, 104) : 0)} of {BitConverter.ToUInt64(info, 112)}");
    }

    /// <summary>The link's header, versions, lengths and the port, and the kinds of options: all that two kernels have in common.</summary>
    private static unsafe void ShowSyn(Kit kit, long fd, int kind, ushort port)
    {
        byte* value = stackalloc byte[300];
        int length = 300;
        long result = kit.Raw(getsockopt, fd, SOL_TCP, TCP_SAVED_SYN, (long)value, (long)(&length));
        ReadOnlySpan<byte> syn = new(value, Math.Clamp(length, 0, 300));
        string link = "";
        if (kind == 2 && syn.Length > 14)
        {
            link = Convert.ToHexString(syn[..14]);
            syn = syn[14..];
        }

        kit.Note($"{result} {length} {link}");
        if (syn.Length < 60)
        {
            return;
        }

        int header = syn[0] >> 4 == 4 ? (syn[0] & 15) * 4 : 40;
        ReadOnlySpan<byte> tcp = syn[header..];
        bool isForPort = (tcp[2] << 8 | tcp[3]) == port;
        kit.Note($"version {syn[0] >> 4}, {header} and {(tcp[12] >> 4) * 4} bytes, flags {tcp[13]}, for the port: {isForPort}");
        for (ReadOnlySpan<byte> options = tcp[20..]; options.Length > 0; options = options[(options[0] <= 1 ? 1 : options[1])..])
        {
            kit.Note($"option {options[0]}");
        }
    }
}
