using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Options do what they say.</summary>
public sealed class OptionEffectTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SOL_IPV6 = 41;
    private const SocketEvents Read = SocketEvents.Readable | SocketEvents.ReadNormal;

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void The_send_buffer_of_a_new_connection_has_room_for_twice_the_initial_window(AddressFamily family) => BothKernels.Run(kit =>
    {
        const int IPPROTO_TCP = 6;
        const int TCP_CONGESTION = 13;
        (_, ushort port) = kit.Listener(family);
        long client = kit.Socket(family, SOCK_STREAM);

        // The one that everybody may choose on every machine; BBR takes thrice the window.
        kit.Option(client, IPPROTO_TCP, TCP_CONGESTION, "reno"u8.ToArray());
        kit.Connect(client, Kit.Loopback(family, port));
        kit.GetOption(client, SOL_SOCKET, (int)SocketOption.SO_SNDBUF);
    });

    [Fact]
    public void SO_RCVLOWAT_says_how_much_is_worth_reading() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_RCVLOWAT, 6);
        kit.WriteBytes(client, "four"u8);
        kit.Poll(20, (server, Read));
        kit.Receive(server, 100, MSG_DONTWAIT | MSG_PEEK);
        kit.Receive(server, 1, MSG_DONTWAIT);
        kit.WriteBytes(client, "and more"u8);
        kit.Poll(1000, (server, Read));
        kit.Receive(server, 100);
        kit.WriteBytes(client, "end"u8);
        kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
        kit.Poll(1000, (server, Read));
        kit.Receive(server, 100);
    });

    [Fact]
    public void A_read_waits_for_SO_RCVLOWAT() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_RCVLOWAT, 6);
        kit.WriteBytes(client, "four"u8);
        var reading = kit.StartRead(server, 100);
        Kit.Settle();
        kit.NoteWhetherDone("the read", reading);
        kit.WriteBytes(client, "and more"u8);
        kit.Join(reading);
        kit.WriteBytes(client, "some"u8);
        kit.Read(server, 3);
    });

    [Fact]
    public void SO_PEEK_OFF_moves_with_peeks_and_reads() => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(AF_INET);
        kit.WriteBytes(client, "0123456789"u8);
        kit.Poll(1000, (server, Read));
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, 0);
        for (int i = 0; i < 4; i++)
        {
            kit.Receive(server, 4, MSG_PEEK | MSG_DONTWAIT);
            kit.GetOption(server, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF);
        }

        kit.Receive(server, 3, MSG_DONTWAIT);
        kit.GetOption(server, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF);
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, 2);
        kit.Receive(server, 3, MSG_PEEK | MSG_DONTWAIT);
        kit.Option(server, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, -1);
        kit.Receive(server, 3, MSG_PEEK | MSG_DONTWAIT);
        kit.Receive(server, 30, MSG_DONTWAIT);
    });

    [Theory]
    [InlineData(AF_INET, SOCK_STREAM)]
    [InlineData(AF_INET, SOCK_DGRAM)]
    [InlineData(AF_INET6, SOCK_STREAM)]
    [InlineData(AF_INET6, SOCK_DGRAM)]
    public void IP_FREEBIND_takes_addresses_of_others(AddressFamily family, SocketType type) => BothKernels.Run(kit =>
    {
        byte[] foreign = Kit.Address(family == AF_INET ? "192.0.2.1" : "2001:db8::1", 0);
        long fd = kit.Socket(family, type);
        kit.Bind(fd, foreign);
        kit.Option(fd, SOL_IP, 15, 1);
        kit.Bind(fd, foreign);
        kit.PortOf(fd);
        kit.Name(fd);
        long other = kit.Socket(family, type);
        kit.Option(other, SOL_IPV6, 78, 1);
        kit.Bind(other, foreign);
        kit.PortOf(other);
        kit.Name(other);
    });

    [Fact]
    public void IP_BIND_ADDRESS_NO_PORT_leaves_the_port_to_connect() => BothKernels.Run(kit =>
    {
        (_, ushort port) = kit.Listener(AF_INET);
        long fd = kit.Socket(AF_INET, SOCK_STREAM);
        kit.Option(fd, SOL_IP, 24, 1);
        kit.Bind(fd, Kit.Loopback(AF_INET, 0));
        kit.Name(fd);
        kit.Connect(fd, Kit.Loopback(AF_INET, port));
        kit.PortOf(fd);
        kit.Name(fd);
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void IP_MINTTL_drops_what_comes_from_far_away(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long client, long server) = kit.Connected(family);
        kit.Option(client, SOL_IP, 2, 10);
        kit.Option(client, SOL_IPV6, 16, 10);
        kit.Option(server, SOL_IP, 21, 11);
        kit.Option(server, SOL_IPV6, 73, 11);
        kit.WriteBytes(client, "lost"u8);
        kit.Poll(30, (server, Read));
        kit.Option(server, SOL_IP, 21, 10);
        kit.Option(server, SOL_IPV6, 73, 10);
        kit.Poll(2000, (server, Read));
        kit.Read(server, 100);
    });

    [Theory]
    [InlineData(SOCK_STREAM)]
    [InlineData(SOCK_DGRAM)]
    public void Timeouts_end_a_wait(SocketType type) => BothKernels.Run(kit =>
    {
        long fd = type == SOCK_STREAM ? kit.Connected(AF_INET).Server : kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_RCVTIMEO_NEW, [0, 0, 0, 0, 0, 0, 0, 0, 0x20, 0x4E, 0, 0, 0, 0, 0, 0]);
        kit.Read(fd, 10);
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_RCVTIMEO, [255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0]);
        kit.Read(fd, 10);
    });
}
