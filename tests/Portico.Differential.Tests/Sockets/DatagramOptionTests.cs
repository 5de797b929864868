using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Options of UDP that change what is sent and received, each by its effect.</summary>
public sealed class DatagramOptionTests
{
    private const int SOL_SOCKET = 1;
    private const int SOL_UDP = 17;
    private const int IP_LOCAL_PORT_RANGE = 51;
    private const int UDP_NO_CHECK6_TX = 101;
    private const int UDP_NO_CHECK6_RX = 102;
    private const ushort ETH_P_IPV6 = 0x86DD;

    [Theory]
    [InlineData(AF_INET, 0)]
    [InlineData(AF_INET, 1)]
    [InlineData(AF_INET, 5)]
    [InlineData(AF_INET, 8)]
    [InlineData(AF_INET6, 3)]
    [InlineData(AF_INET6, 13)]
    [InlineData(AF_INET, 18)]
    [InlineData(AF_INET, 40)]
    public void Peeks_from_the_place_that_SO_PEEK_OFF_says(AddressFamily family, int offset) => BothKernels.Run(kit =>
    {
        long fd = Filled(kit, family, "hello", "", "world!", "", "", "12345678");
        kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, offset);
        foreach (int room in (int[])[3, 2, 100, 100, 3, 100, 100, 8, 100])
        {
            kit.ReceiveMessage(fd, room, MSG_PEEK | MSG_DONTWAIT);
            kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF);
        }

        foreach (int room in (int[])[100, 3, 4, 100])
        {
            kit.ReceiveMessage(fd, room, MSG_DONTWAIT);
            kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF);
            kit.ReceiveMessage(fd, 3, MSG_PEEK | MSG_DONTWAIT);
        }
    });

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    [InlineData(7)]
    [InlineData(8)]
    public void Peeks_and_reads_in_any_order(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        long fd = Filled(kit, AF_INET, "first", "second one", "", "4");
        for (int i = 0; i < 40; i++)
        {
            int room = random.Next(14);
            MessageFlags flags = MSG_DONTWAIT | (random.Next(3) == 0 ? MSG_TRUNC : 0);
            switch (random.Next(8))
            {
                case 0:
                    kit.Option(fd, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF, random.Next(-1, 12));
                    break;
                case 1 or 2:
                    kit.ReceiveMessage(fd, room, flags);
                    break;
                case 3:
                    kit.Send(fd, new byte[random.Next(9)], 0, Kit.Loopback(AF_INET, kit.PortOf(fd)));
                    break;
                default:
                    kit.ReceiveMessage(fd, room, flags | MSG_PEEK);
                    break;
            }

            kit.GetOption(fd, SOL_SOCKET, (int)SocketOption.SO_PEEK_OFF);
        }
    });

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Datagrams_of_IPv6_go_without_a_checksum_where_both_ends_say_so(bool sends, bool takes) => BothKernels.Run(kit =>
    {
        long receiver = kit.Socket(AF_INET6, SOCK_DGRAM);
        ushort port = kit.BindAny(receiver, AF_INET6);
        long sender = kit.Socket(AF_INET6, SOCK_DGRAM);
        kit.Option(sender, SOL_UDP, UDP_NO_CHECK6_TX, sends ? 1 : 0);
        kit.Option(receiver, SOL_UDP, UDP_NO_CHECK6_RX, takes ? 1 : 0);
        long link = kit.PacketSocket(SOCK_DGRAM, ETH_P_IPV6);
        kit.Send(sender, "hello"u8, 0, Kit.Loopback(AF_INET6, port));
        kit.ReceivePackets(link, linkBytes: 0);
        kit.Receive(receiver, 100, MSG_DONTWAIT);
        kit.GetOption(receiver, SOL_SOCKET, (int)SocketOption.SO_ERROR);
    });

    [Theory]
    [InlineData(33_000, 33_001)]
    [InlineData(33_010, 33_010)]
    [InlineData(60_999, 0)]
    [InlineData(0, 32_768)]
    [InlineData(60_998, 65_000)]
    [InlineData(100, 32_769)]
    public void Ports_are_chosen_from_the_range_of_the_socket(int first, int last) => BothKernels.Run(kit =>
    {
        List<ushort> ports = [];
        for (int i = 0; i < 3; i++)
        {
            long fd = kit.Socket(AF_INET, SOCK_DGRAM);
            kit.Option(fd, 0, IP_LOCAL_PORT_RANGE, first | (last << 16));
            kit.Bind(fd, Kit.Loopback(AF_INET, 0));
            ports.Add(kit.PortOf(fd));
        }

        kit.Note(string.Join(' ', ports.Order()));
        long sender = kit.Socket(AF_INET, SOCK_DGRAM);
        kit.Option(sender, 0, IP_LOCAL_PORT_RANGE, first | (last << 16));
        kit.Send(sender, "x"u8, 0, Kit.Loopback(AF_INET, 9));
    });

    private static long Filled(Kit kit, AddressFamily family, params string[] datagrams)
    {
        long fd = kit.Socket(family, SOCK_DGRAM);
        ushort port = kit.BindAny(fd, family);
        foreach (string datagram in datagrams)
        {
            kit.Send(fd, System.Text.Encoding.ASCII.GetBytes(datagram), 0, Kit.Loopback(family, port));
        }

        return fd;
    }
}
