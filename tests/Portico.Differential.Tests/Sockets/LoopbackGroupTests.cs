using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Addresses of lo that are no host's: its broadcast address, and groups.</summary>
public sealed class LoopbackGroupTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_IPV6 = 41;
    private const string Broadcast = "127.255.255.255";

    private static readonly string[] s_near = ["127.255.255.254", Broadcast, "127.0.0.0", "127.0.0.1", "127.255.0.255", "255.255.255.255"];

    public static TheoryData<string, string, bool> Bound
    {
        get
        {
            TheoryData<string, string, bool> cases = [];
            foreach (string destination in s_near)
            {
                foreach (string bound in (string[])["0.0.0.0", "127.0.0.1", Broadcast, "::"])
                {
                    cases.Add(destination, bound, false);
                    cases.Add(destination, bound, true);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Bound))]
    public void Datagrams_to_addresses_of_lo(string destination, string bound, bool maySend) => BothKernels.Run(kit =>
    {
        long receiver = kit.Socket(bound == "::" ? AF_INET6 : AF_INET, SOCK_DGRAM);
        kit.Bind(receiver, Kit.Address(bound, 0));
        ushort port = kit.PortOf(receiver);
        kit.Option(receiver, SOL_IP, 8, 1);
        kit.Option(receiver, SOL_IPV6, 49, 1);
        long second = kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Option(second, SOL_SOCKET, (int)SocketOption.SO_REUSEADDR, 1);
        kit.Option(receiver, SOL_SOCKET, (int)SocketOption.SO_REUSEADDR, 1);
        kit.Bind(second, Kit.Address("0.0.0.0", port));
        long sender = kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Option(sender, SOL_SOCKET, (int)SocketOption.SO_BROADCAST, maySend ? 1 : 0);
        long link = kit.PacketSocket(SOCK_DGRAM, 0x0800);
        kit.Send(sender, "hello"u8, 0, Kit.Address(destination, port));
        kit.PortOf(sender);
        kit.ReceivePackets(link, linkBytes: 0);
        for (int i = 0; i < 2; i++)
        {
            kit.ReceiveControl(receiver, 100, 100, MSG_DONTWAIT);
            kit.ReceiveControl(second, 100, 100, MSG_DONTWAIT);
        }

        kit.Connect(sender, Kit.Address(destination, port));
        kit.Name(sender);
        kit.Send(sender, "again"u8);
        kit.GetOption(sender, SOL_SOCKET, (int)SocketOption.SO_ERROR);
        kit.ReceiveControl(receiver, 100, 100, MSG_DONTWAIT);

        // Nobody is there.
        kit.Send(sender, "nobody"u8, 0, Kit.Address(destination, 9));
        kit.GetOption(sender, SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    public static TheoryData<string, string> Kinds
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string address in s_near)
            {
                foreach (string kind in (string[])["TCP", "UDP", "raw", "echo", "TCP of IPv6", "UDP of IPv6"])
                {
                    // What a socket of IPv6 says of a source that is everybody's address is another matter.
                    if (address is not ("255.255.255.255" or Broadcast) || !kind.EndsWith("IPv6", StringComparison.Ordinal))
                    {
                        cases.Add(address, kind);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Sockets_bind_and_connect_to_addresses_of_lo(string address, string kind) => BothKernels.Run(kit =>
    {
        byte[] to = Kit.Address(address, 0);
        if (kind.EndsWith("IPv6", StringComparison.Ordinal))
        {
            to = [10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, .. to[4..8], 0, 0, 0, 0];
        }

        foreach (bool binds in (bool[])[true, false])
        {
            long fd = kind switch
            {
                "TCP" => kit.Socket(AF_INET, SOCK_STREAM),
                "UDP" => kit.Socket(AF_INET, SOCK_DGRAM),
                "raw" => kit.RawSocket(AF_INET, 200),
                "echo" => kit.Socket(AF_INET, SOCK_DGRAM, 1),
                "TCP of IPv6" => kit.Socket(AF_INET6, SOCK_STREAM),
                _ => kit.Socket(AF_INET6, SOCK_DGRAM),
            };
            if (binds)
            {
                kit.Bind(fd, to);
                kit.PortOf(fd);
                kit.Name(fd);
            }

            kit.Connect(fd, [.. to[..3], 9, .. to[4..]]);
            kit.PortOf(fd);
            kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_BROADCAST, 1);
            kit.Connect(fd, [.. to[..3], 9, .. to[4..]]);
            kit.PortOf(fd);
            if (!kind.StartsWith("TCP", StringComparison.Ordinal))
            {
                kit.Name(fd);
            }
        }
    });

    public static TheoryData<string, int, int> Groups
    {
        get
        {
            TheoryData<string, int, int> cases = [];
            foreach (string group in (string[])["ff01::1", "ff02::1", "ff02::fb", "ff05::2", "ff0e::1234", "ff02::1:ff00:1", "ff11::1"])
            {
                foreach (int scope in (int[])[0, 1])
                {
                    cases.Add(group, scope, 0);
                    cases.Add(group, scope, 1);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Groups))]
    public void Groups_of_IPv6_cannot_be_reached_through_lo(string group, int scope, int device) => BothKernels.Run(kit =>
    {
        byte[] to = Kit.Address(group, 9);
        to[24] = (byte)scope;
        foreach (SocketType type in (SocketType[])[SOCK_DGRAM, SOCK_STREAM])
        {
            long fd = kit.Socket(AF_INET6, type);
            kit.Option(fd, SOL_IPV6, 17, device);
            kit.Option(fd, SOL_IPV6, 20, [.. Kit.Address(group, 0)[8..24], 1, 0, 0, 0]);
            kit.Send(fd, "hello"u8, 0, to);
            kit.Connect(fd, to);
            kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_BINDTOIFINDEX);
            kit.Send(fd, "hello"u8);
            kit.Bind(fd, to);
        }

        long raw = kit.RawSocket(AF_INET6, 200);
        kit.Option(raw, SOL_IPV6, 17, device);
        to[3] = 0;
        kit.Send(raw, "hello"u8, 0, to);
    });
}
