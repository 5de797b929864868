using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>SIOCGSTAMP and SIOCGSTAMPNS: when the packet came that was received last.</summary>
public sealed class StampTests
{
    private const int SOL_SOCKET = 1;
    private static readonly IoctlRequest[] s_requests = [(IoctlRequest)0x8906, (IoctlRequest)0x8907, (IoctlRequest)0x80108906, (IoctlRequest)0x80108907];

    /// <summary>What happens on the socket before, between and after.</summary>
    private static readonly Dictionary<string, Action<Kit, long, Action>> s_cases = new()
    {
        ["nothing"] = (kit, fd, send) => Ask(kit, fd),
        ["a packet that is not received"] = (kit, fd, send) =>
        {
            send();
            Ask(kit, fd);
        },
        ["a packet that is looked at"] = (kit, fd, send) =>
        {
            send();
            kit.Receive(fd, 1, MSG_PEEK | MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["a packet"] = (kit, fd, send) =>
        {
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["asked before"] = (kit, fd, send) =>
        {
            kit.Stamp(fd, s_requests[0]);
            send();
            Ask(kit, fd);
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
            Ask(kit, fd);
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["SO_TIMESTAMP"] = (kit, fd, send) =>
        {
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_TIMESTAMP, 1);
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_TIMESTAMP, 0);
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["SO_RXQ_OVFL"] = (kit, fd, send) =>
        {
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_RXQ_OVFL, 1);
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["SO_TIMESTAMPING"] = (kit, fd, send) =>
        {
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_TIMESTAMPING, 0x18);
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            Ask(kit, fd);
        },
        ["a bad address"] = (kit, fd, send) =>
        {
            send();
            kit.Receive(fd, 1, MSG_DONTWAIT);
            foreach (IoctlRequest request in s_requests)
            {
                kit.Call(SyscallNumber.ioctl, fd, (long)request, 0);
            }
        },
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string name in s_cases.Keys)
            {
                foreach (string kind in (string[])["UDP", "UDP of IPv6", "raw", "echo", "packet", "TCP", "unix"])
                {
                    cases.Add(name, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_time_of_the_last_packet(string what, string kind) => BothKernels.Run(kit =>
    {
        (long fd, Action send) = Open(kit, kind);
        s_cases[what](kit, fd, send);
    });

    private static void Ask(Kit kit, long fd)
    {
        foreach (IoctlRequest request in s_requests)
        {
            kit.Stamp(fd, request);
        }
    }

    private static (long Fd, Action Send) Open(Kit kit, string kind)
    {
        long fd;
        byte[] to;
        switch (kind)
        {
            case "UDP" or "UDP of IPv6":
                AddressFamily family = kind == "UDP" ? AF_INET : AF_INET6;
                fd = kit.Socket(family, SOCK_DGRAM);
                to = Kit.Loopback(family, kit.BindAny(fd, family));
                return (fd, () => kit.Send(fd, "hello"u8, 0, to));
            case "raw":
                fd = kit.RawSocket(AF_INET, 200);
                return (fd, () => kit.Send(fd, "hello"u8, 0, Kit.Loopback(AF_INET, 0)));
            case "echo":
                fd = kit.Socket(AF_INET, SOCK_DGRAM, 1);
                return (fd, () => kit.Send(fd, [8, 0, 0, 0, 0, 0, 0, 1], 0, Kit.Loopback(AF_INET, 0)));
            case "packet":
                fd = kit.PacketSocket(SOCK_DGRAM, 0x0800);
                long other = kit.Socket(AF_INET, SOCK_DGRAM);
                to = Kit.Loopback(AF_INET, kit.BindAny(other, AF_INET));
                return (fd, () => kit.Send(other, "hello"u8, 0, to));
            case "TCP":
                (long client, long server) = kit.Connected(AF_INET);
                return (server, () =>
                {
                    kit.WriteBytes(client, "hello"u8);
                    kit.Poll(1000, (server, Portico.Net.SocketEvents.Readable));
                });
            default:
                (long first, long second) = kit.Pair(SOCK_DGRAM);
                return (second, () => kit.WriteBytes(first, "hello"u8));
        }
    }
}
