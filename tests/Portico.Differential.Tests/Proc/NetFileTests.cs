using System.Globalization;
using System.Text.RegularExpressions;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Proc;

/// <summary>Files under /proc/net: the very columns that netstat and its like have been parsing for decades.</summary>
public sealed partial class NetFileTests
{
    private const string Net = "/proc/thread-self/net";
    private const ushort ServerPort = 25_001;
    private const ushort ClientPort = 25_002;

    [GeneratedRegex(@"^ *\d+: (\S+) (\S+) (..) (\S+) (..):\S+ (\S+) +(\d+) +(\d+) (\d+) (\d+) [0-9a-f]{16}(.*)$")]
    private static partial Regex Line { get; }

    public static TheoryData<string, int> Headings => new()
    {
        { "tcp", 1 }, { "tcp6", 1 }, { "udp", 1 }, { "udp6", 1 }, { "raw", 1 }, { "raw6", 1 }, { "icmp", 1 }, { "icmp6", 1 }, { "packet", 1 }, { "protocols", 1 },
        { "unix", 1 }, { "dev", 2 }, { "arp", 1 }, { "route", 1 },
    };

    [Theory]
    [MemberData(nameof(Headings))]
    public void Begins_with_the_same_heading(string file, int lines) => BothKernels.Run(kit =>
    {
        kit.Status($"{Net}/{file}");
        foreach (string line in kit.ReadText($"{Net}/{file}").Split('\n').Take(lines))
        {
            kit.Note($"{line}|");
        }
    });

    [Theory]
    [InlineData("snmp")]
    [InlineData("netstat")]
    public void Groups_have_the_same_names_in_the_same_order(string file) => BothKernels.Run(kit =>
    {
        string[] optional = ["IcmpMsg", "MPTcpExt"];
        foreach (string line in kit.ReadText($"{Net}/{file}").Split('\n').Where(line => !optional.Contains(line.Split(':')[0])))
        {
            kit.Note(Kit.Masked(line, (@" -?\d+", " N")));
        }
    });

    [Fact]
    public void Counters_of_IPv6_have_the_same_names_in_the_same_order() => BothKernels.Run(kit =>
    {
        foreach (string line in kit.ReadText($"{Net}/snmp6").Split('\n').Where(line => !line.Contains("Type", StringComparison.Ordinal)))
        {
            kit.Note(Kit.Masked(line, (@"\d+$", "N")));
        }
    });

    [Fact]
    public void Datagrams_are_counted_under_their_names() => BothKernels.Run(kit =>
    {
        long before = Counter(kit, "Udp", "OutDatagrams");
        long fd = kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Send(fd, "counted"u8, 0, Kit.Loopback(AF_INET, kit.BindAny(fd, AF_INET)));
        kit.Note($"{Counter(kit, "Udp", "OutDatagrams") - before} more");
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void Connections_have_the_same_columns(AddressFamily family) => BothKernels.RunAsRoot(kit =>
    {
        long listener = Bound(kit, family, SOCK_STREAM, ServerPort);
        kit.Call(listen, listener, 7);
        Show(kit, family, "tcp");
        long client = Bound(kit, family, SOCK_STREAM, ClientPort);
        kit.Connect(client, Kit.Loopback(family, ServerPort));
        Show(kit, family, "tcp");
        long server = kit.Accept(listener);
        kit.Option(server, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
        kit.WriteBytes(client, new byte[300]);
        kit.Poll(5000, (server, SocketEvents.Readable));
        Show(kit, family, "tcp");
        kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
        kit.Poll(5000, (server, SocketEvents.ReadHangUp));

        // Linux may acknowledge the FIN 40 ms later.
        Thread.Sleep(100);
        Show(kit, family, "tcp");
    });

    [Fact]
    public void A_connection_that_waits_is_in_the_listeners_queue() => BothKernels.RunAsRoot(kit =>
    {
        long listener = Bound(kit, AF_INET, SOCK_STREAM, ServerPort);
        kit.Call(listen, listener, 7);
        long client = Bound(kit, AF_INET, SOCK_STREAM, ClientPort);
        kit.Connect(client, Kit.Loopback(AF_INET, ServerPort));
        Kit.Settle();
        kit.Note(Matching(kit, $"{Net}/tcp").First(match => match.Groups[3].Value == "0A").Groups[4].Value);
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void Datagram_sockets_have_the_same_columns(AddressFamily family) => BothKernels.RunAsRoot(kit =>
    {
        Bound(kit, family, SOCK_DGRAM, ServerPort);
        long client = Bound(kit, family, SOCK_DGRAM, ClientPort);
        kit.Connect(client, Kit.Loopback(family, ServerPort));
        Show(kit, family, "udp");
    });

    [Theory]
    [InlineData("raw")]
    [InlineData("raw6")]
    [InlineData("icmp")]
    [InlineData("icmp6")]
    public void Sockets_below_the_transports_have_the_same_columns(string file) => BothKernels.RunAsRoot(kit =>
    {
        AddressFamily family = file.EndsWith('6') ? AF_INET6 : AF_INET;
        for (int i = 0; i < 2; i++)
        {
            long fd = file[0] == 'r' ? kit.RawSocket(family, 253) : kit.Socket(family, SOCK_DGRAM, family == AF_INET ? 1 : 58);
            if (i == 0)
            {
                kit.Bind(fd, Kit.Loopback(family, 0x4321));
            }
            else
            {
                kit.Connect(fd, Kit.Loopback(family, 77));
                kit.PortOf(fd);
            }
        }

        // Where in a hash table a socket is, its inode and its address are each kernel's own, and so is an identifier that it has chosen.
        IEnumerable<string> lines = kit.ReadText($"{Net}/{file}").Split('\n').Skip(1).Select(line => Kit.Masked(line,
            (@"^ *\d+:", "N:"), (@"(\d+) (\d+) [0-9a-f]{16} (\d+)", "inode $2 pointer $3"), ("(?<=[0-9A-F]{8}:)(?!4321|00FD|004D|0000)[0-9A-F]{4}(?= )", "port")).TrimEnd());
        foreach (string line in lines.Order(StringComparer.Ordinal))
        {
            kit.Note($"{line}|");
        }
    });

    [Fact]
    public void Packet_sockets_have_the_same_columns() => BothKernels.RunAsRoot(kit =>
    {
        kit.PacketSocket(SOCK_RAW, 3);
        kit.PacketSocket(SOCK_DGRAM, 0);
        kit.Bind(kit.PacketSocket(SOCK_DGRAM, 0), Kit.Link(0));
        kit.Bind(kit.PacketSocket(SOCK_RAW, 0x800), Kit.Link(0));
        foreach (string line in kit.ReadText($"{Net}/packet").Split('\n').Select(line => Kit.Masked(line, ("^[0-9a-f]{16}", "P"), (@"\d+ *$", "I"))).Order(StringComparer.Ordinal))
        {
            kit.Note($"{line}|");
        }
    });

    [Fact]
    public void Kinds_of_sockets_are_listed_with_their_numbers() => BothKernels.RunAsRoot(kit =>
    {
        string[] absent = ["AF_VSOCK", "MPTCP", "MPTCPv6", "UDP-Lite", "UDPLITEv6", "XDP", "NETLINK"];
        kit.RawSocket(AF_INET, 253);
        kit.RawSocket(AF_INET, 254);
        kit.RawSocket(AF_INET6, 253);
        kit.PacketSocket(SOCK_RAW, 3);
        kit.Bind(kit.Socket(AF_INET, SOCK_DGRAM, 1), Kit.Loopback(AF_INET, 0x4321));
        kit.BindAny(kit.Socket(AF_INET, SOCK_DGRAM), AF_INET);
        string[] counted = ["PACKET", "RAW", "RAWv6", "PING", "PINGv6", "UDP"];
        foreach (string line in kit.ReadText($"{Net}/protocols").Split('\n').Where(line => !absent.Contains(line.Split(' ')[0])))
        {
            // How large a socket is is of the machine; TCP's may be those of other cases, on their way out.
            string count = counted.Contains(line.Split(' ')[0]) ? "$2" : "N";
            kit.Note(Kit.Masked(line, (@"^(\S+) +\d+ +(\d+) +-?\d+ +", $"$1 S {count} M ")));
        }
    });

    [Fact]
    public void Raw_sockets_are_counted() => BothKernels.RunAsRoot(kit =>
    {
        kit.RawSocket(AF_INET, 253);
        kit.RawSocket(AF_INET6, 253);
        kit.RawSocket(AF_INET6, 254);
        kit.Socket(AF_INET, SOCK_DGRAM, 1);
        foreach (string file in (string[])["sockstat", "sockstat6"])
        {
            kit.Note(string.Join(' ', kit.ReadText($"{Net}/{file}").Split('\n').Where(line => line.StartsWith("RAW", StringComparison.Ordinal))));
        }
    });

    [Fact]
    public void Unix_sockets_have_the_same_columns() => BothKernels.RunAsRoot(kit =>
    {
        long listener = kit.UnixListener(SOCK_STREAM, "proc-listener");
        kit.Connected(SOCK_STREAM, "proc-listener");
        kit.Connected(SOCK_STREAM, "proc-listener");
        kit.Accept(listener);
        kit.Named(SOCK_DGRAM, "proc\0zero");
        kit.Bind(kit.Socket(AF_UNIX, SOCK_SEQPACKET), UnixAddress.OfPath("./proc-socket"));
        IEnumerable<string> lines = kit.ReadText($"{Net}/unix").Split('\n').Where(line => line.Contains("proc", StringComparison.Ordinal));
        foreach (string line in lines.Select(line => Kit.Masked(line, ("^[0-9a-f]{16}", "P"), (@" +(\d+)(?= [@.])", " I"))).Order(StringComparer.Ordinal))
        {
            kit.Note(line);
        }
    });

    [Fact]
    public void Interfaces_have_all_their_columns() => BothKernels.Run(kit =>
    {
        foreach (string line in kit.ReadText($"{Net}/dev").Split('\n').Where(line => line.StartsWith("    lo:", StringComparison.Ordinal)))
        {
            kit.Note(Kit.Masked(line, (@"\d+", "N"), (" +", " ")));
        }

        kit.ShowText($"{Net}/if_inet6");
    });

    [Theory]
    [InlineData("sockstat")]
    [InlineData("sockstat6")]
    public void Statistics_have_the_same_words(string file) => BothKernels.Run(kit => kit.ShowText($"{Net}/{file}", (@"\d+", "N")));

    [Fact]
    public void A_long_table_is_read_by_whole_lines_of_a_page() => BothKernels.Run(kit =>
    {
        for (int i = 0; i < 70; i++)
        {
            BindQuietly(kit, (ushort)(26_000 + i));
        }

        long fd = kit.Open($"{Net}/udp", OpenFlags.O_RDONLY);
        foreach (int room in (int[])[100, 60, 10_000, 5000, 1, 10_000, 10_000, 10_000, 10_000])
        {
            kit.Note($"read {room} = {kit.Raw(read, fd, Buffer(kit), room)}");
        }

        kit.Call(lseek, fd, 128, (long)SeekWhence.SEEK_SET);
        kit.Note($"read = {kit.Raw(read, fd, Buffer(kit), 300)}");
    });

    private static unsafe void BindQuietly(Kit kit, ushort port)
    {
        fixed (byte* p = Kit.Loopback(AF_INET, port))
        {
        }
    }

    private static readonly nint s_buffer = System.Runtime.InteropServices.Marshal.AllocHGlobal(1 << 14);

    private static long Buffer(Kit kit)
    {
        _ = kit;
        return s_buffer;
    }

    private static long Bound(Kit kit, AddressFamily family, SocketType type, ushort port)
    {
        long fd = kit.Socket(family, type);
        kit.Option(fd, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_REUSEADDR, 1);
        kit.Option(fd, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]);
        kit.Bind(fd, Kit.Loopback(family, port));
        return fd;
    }

    /// <summary>The lines of the case's own sockets: what they say, how long they are, and how many numbers come at their end.</summary>
    private static void Show(Kit kit, AddressFamily family, string table)
    {
        foreach (Match match in Matching(kit, $"{Net}/{(family == AF_INET ? table : table + "6")}"))
        {
            string[] parts = [.. match.Groups.Values.Skip(1).Select(group => group.Value)];
            string inode = parts[8] == "0" ? "0" : "N";
            int numbers = parts[10].Split(' ', StringSplitOptions.RemoveEmptyEntries).Length;
            string length = family == AF_INET ? match.Value.Length.ToString(CultureInfo.InvariantCulture) : "";
            kit.Note($"{parts[0]} {parts[1]} {parts[2]} {(parts[2] == "0A" ? "" : parts[3])} {parts[6]} {parts[7]} {inode} {numbers} {length}");
        }
    }

    private static IEnumerable<Match> Matching(Kit kit, string file)
    {
        string[] ports = [$":{ServerPort:X4} ", $":{ClientPort:X4} "];
        return kit.ReadText(file).Split('\n').Where(line => ports.Any(port => line.Contains(port, StringComparison.Ordinal)))
            .Select(line => Line.Match(line)).Where(match => match.Success).OrderBy(match => match.Groups[1].Value + match.Groups[3].Value, StringComparer.Ordinal);
    }

    private static long Counter(Kit kit, string group, string name)
    {
        string[] lines = [.. kit.ReadText($"{Net}/snmp").Split('\n').Where(line => line.StartsWith(group + ":", StringComparison.Ordinal))];
        int place = Array.IndexOf(lines[0].Split(' '), name);
        return long.Parse(lines[1].Split(' ')[place], CultureInfo.InvariantCulture);
    }
}
