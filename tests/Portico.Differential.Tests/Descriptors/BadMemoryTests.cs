using Portico.Differential.Tests.Systems;
using Portico.Differential.Tests.Terminals;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>Memory of which a part is not there (F18): how far a call comes, and what has become of the bytes.</summary>
public sealed class BadMemoryTests
{
    /// <summary>Two descriptors: what is written to the second can be read from the first.</summary>
    private static readonly Dictionary<string, Func<Kit, (long Reader, long Writer)>> s_ways = new()
    {
        ["a pipe"] = kit => kit.Pipe(OpenFlags.O_NONBLOCK),
        ["a packet pipe"] = kit => kit.Pipe(OpenFlags.O_NONBLOCK | OpenFlags.O_DIRECT),
        ["a stream pair"] = kit => kit.Pair(SOCK_STREAM | SOCK_NONBLOCK),
        ["a datagram pair"] = kit => kit.Pair(SOCK_DGRAM | SOCK_NONBLOCK),
        ["a seqpacket pair"] = kit => kit.Pair(SOCK_SEQPACKET | SOCK_NONBLOCK),
        ["TCP"] = kit => NonBlocking(kit, kit.Connected(AF_INET)),
        ["UDP"] = kit => Datagrams(kit, AF_INET, 0),
        ["UDP of IPv6"] = kit => Datagrams(kit, AF_INET6, 0),
        ["a file"] = kit =>
        {
            long writer = kit.Open("file", OpenFlags.O_CREAT | OpenFlags.O_RDWR);
            return (kit.Open("file", OpenFlags.O_RDWR), writer);
        },
        ["a file to append to"] = kit =>
        {
            long writer = kit.Open("file", OpenFlags.O_CREAT | OpenFlags.O_RDWR | OpenFlags.O_APPEND);
            return (kit.Open("file", OpenFlags.O_RDWR), writer);
        },
        ["a memfd"] = kit =>
        {
            long fd = kit.Memfd("memory", 0);
            return (fd, fd);
        },
        ["a terminal"] = kit => kit.Terminal((k, slave) => k.Stty(slave, "raw")),
        ["a terminal's master"] = kit =>
        {
            (long master, long slave) = kit.Terminal((k, slave) => k.Stty(slave, "raw"));
            return (slave, master);
        },
        ["an eventfd"] = kit =>
        {
            long fd = kit.Call(eventfd2, 0, (long)EventfdFlags.EFD_NONBLOCK);
            return (fd, fd);
        },
        ["/dev/null"] = kit =>
        {
            long fd = kit.Open("/dev/null", OpenFlags.O_RDWR);
            return (fd, fd);
        },
        ["/dev/zero"] = kit =>
        {
            long fd = kit.Open("/dev/zero", OpenFlags.O_RDWR);
            return (fd, fd);
        },
    };

    private static readonly string[] s_lists =
    [
        "8", "!8", "!4 4", "4 !4", "4 !4 8", "3 5 !1", "0 !8", "!0 8", "8 !0", "4 !0 4", "2 !1 !0 2", "8 !8 8", "4096 !1", "5000 !4 5000", "12 !4 1",
    ];

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string way in s_ways.Keys)
            {
                foreach (string list in s_lists)
                {
                    cases.Add(way, list);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Writing_goes_as_far_as_on_Linux(string way, string list) => BothKernels.Run(kit =>
    {
        foreach (SyscallNumber call in (SyscallNumber[])[writev, IsSocket(way) ? sendmsg : pwritev])
        {
            (long reader, long writer) = s_ways[way](kit);
            kit.Vector(call, writer, list);
            kit.Poll(IsTerminal(way) ? 5 : 0, (reader, SocketEvents.Readable));
            Drain(kit, way, reader);
            kit.Vector(call, writer, "5");
            kit.Poll(IsTerminal(way) ? 5 : 0, (reader, SocketEvents.Readable));
            Drain(kit, way, reader);
        }
    });

    [Theory]
    [MemberData(nameof(Cases))]
    public void Reading_goes_as_far_as_on_Linux(string way, string list) => BothKernels.Run(kit =>
    {
        (SyscallNumber, MessageFlags)[] calls = IsSocket(way)
            ? [(readv, 0), (recvmsg, 0), (recvmsg, MessageFlags.MSG_PEEK), (recvmsg, MessageFlags.MSG_TRUNC)]
            : [(readv, 0), (preadv, 0)];
        foreach ((SyscallNumber call, MessageFlags flags) in calls)
        {
            foreach (int count in (int[])[0, 8, IsTerminal(way) ? 100 : 12_000])
            {
                (long reader, long writer) = s_ways[way](kit);
                if (count > 0)
                {
                    byte[] data = new byte[count];
                    for (int i = 0; i < count; i++)
                    {
                        data[i] = (byte)('a' + (i % 26));
                    }

                    kit.WriteBytes(writer, data);
                    if (count == 8)
                    {
                        kit.WriteBytes(writer, "next"u8);
                    }

                    kit.Poll(1000, (reader, SocketEvents.Readable));
                }

                kit.Vector(call, reader, list, (long)flags);
                Drain(kit, way, reader);
            }
        }
    });

    public static TheoryData<string> Ways => [.. s_ways.Keys];

    [Theory]
    [MemberData(nameof(Ways))]
    public void A_null_pointer_is_found_where_the_memory_is_needed(string way) => BothKernels.Run(kit =>
    {
        (long reader, long writer) = s_ways[way](kit);
        foreach (long fd in (long[])[reader, writer, 99])
        {
            kit.Call(read, fd, 0, 8);
            kit.Call(write, fd, 0, 8);
            kit.Call(pread64, fd, 0, 8, 0);
            kit.Call(pwrite64, fd, 0, 8, 0);
            kit.Call(recvfrom, fd, 0, 8, (long)MessageFlags.MSG_DONTWAIT);
            kit.Call(sendto, fd, 0, 8, (long)(MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_NOSIGNAL));
            kit.Call(read, fd, 0, 0);
        }

        kit.WriteBytes(writer, "12345678"u8);
        kit.Poll(100, (reader, SocketEvents.Readable));
        kit.Call(read, reader, 0, 8);
        Drain(kit, way, reader);
    });

    private static bool IsTerminal(string way) => way.StartsWith("a terminal", StringComparison.Ordinal);

    private static bool IsSocket(string way) => way.EndsWith("pair", StringComparison.Ordinal) || way.Contains("TCP", StringComparison.Ordinal) || way.Contains("UDP", StringComparison.Ordinal);

    /// <summary>What is left, as far as it has an end.</summary>
    private static void Drain(Kit kit, string way, long reader)
    {
        kit.IoctlInt(reader, IoctlRequest.FIONREAD);
        for (int i = 0; i < 3 && kit.Read(reader, way == "/dev/zero" ? 8 : 40_000) > 0; i++)
        {
        }
    }

    private static (long Reader, long Writer) NonBlocking(Kit kit, (long Reader, long Writer) ends)
    {
        kit.NonBlocking(ends.Reader);
        kit.NonBlocking(ends.Writer);
        return ends;
    }

    private static (long Reader, long Writer) Datagrams(Kit kit, AddressFamily family, int protocol)
    {
        long reader = kit.Socket(family, SOCK_DGRAM | SOCK_NONBLOCK, protocol);
        ushort port = kit.BindAny(reader, family);
        long writer = kit.Socket(family, SOCK_DGRAM | SOCK_NONBLOCK, protocol);
        kit.Connect(writer, Kit.Loopback(family, port));
        kit.PortOf(writer);
        return (reader, writer);
    }
}
