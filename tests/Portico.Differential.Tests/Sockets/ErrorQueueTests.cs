using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// IP_RECVERR and IPV6_RECVERR: errors of datagrams that were sent wait to be read with MSG_ERRQUEUE, with the datagram, where it was to
/// go, and who reported the error.
/// </summary>
public sealed class ErrorQueueTests
{
    private const int SOL_IP = 0;
    private const int SOL_IPV6 = 41;
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static TheoryData<string, bool, bool> Sockets
    {
        get
        {
            TheoryData<string, bool, bool> cases = [];
            foreach (string family in (string[])["IPv4", "IPv6", "mapped"])
            {
                foreach (bool connected in (bool[])[true, false])
                {
                    cases.Add(family, connected, false);
                    cases.Add(family, connected, true);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Sockets))]
    public void An_error_of_ICMP_is_read(string family, bool connected, bool withOptions) => BothKernels.Run(kit =>
    {
        (long fd, byte[] nobody) = ToNobody(kit, family, withOptions);
        if (connected)
        {
            kit.Connect(fd, nobody);
            kit.PortOf(fd);
        }

        kit.Send(fd, "anybody there?"u8, MSG_DONTWAIT, connected ? null : nobody);
        kit.PortOf(fd);
        kit.Poll(1000, (fd, Everything));
        kit.ReceiveControl(fd, 100, 256, MSG_ERRQUEUE);
        kit.Poll(0, (fd, Everything));
        kit.ReceiveControl(fd, 100, 256, MSG_ERRQUEUE);
        kit.Receive(fd, 100, MSG_DONTWAIT);
    });

    [Theory]
    [MemberData(nameof(Sockets))]
    public void The_pending_error_and_the_queue_are_two_things(string family, bool connected, bool withOptions) => BothKernels.Run(kit =>
    {
        (long fd, byte[] nobody) = ToNobody(kit, family, withOptions);
        if (connected)
        {
            kit.Connect(fd, nobody);
            kit.PortOf(fd);
        }

        for (int i = 0; i < 3; i++)
        {
            kit.Send(fd, "one more"u8[..(3 + i)], MSG_DONTWAIT, connected ? null : nobody);
            kit.PortOf(fd);
        }

        kit.Poll(1000, (fd, Everything));
        kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        for (int i = 0; i < 4; i++)
        {
            kit.Poll(0, (fd, Everything));
            kit.ReceiveControl(fd, 4, 40 + (i * 8), MSG_ERRQUEUE);
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        }
    });

    [Theory]
    [InlineData("IPv4")]
    [InlineData("IPv6")]
    [InlineData("mapped")]
    public void The_queue_goes_with_the_option(string family) => BothKernels.Run(kit =>
    {
        (long fd, byte[] nobody) = ToNobody(kit, family, withOptions: false);
        kit.Send(fd, "hello?"u8, MSG_DONTWAIT, nobody);
        kit.PortOf(fd);
        kit.Poll(1000, (fd, Everything));
        kit.Option(fd, SOL_IP, 11, 0);
        kit.Option(fd, SOL_IPV6, 25, 0);
        kit.Poll(0, (fd, Everything));
        kit.ReceiveControl(fd, 100, 256, MSG_ERRQUEUE);
        kit.Send(fd, "hello?"u8, MSG_DONTWAIT, nobody);
        kit.Send(fd, "hello?"u8, MSG_DONTWAIT, nobody);
        kit.Poll(0, (fd, Everything));
    });

    [Theory]
    [InlineData("IPv4", 65_507)]
    [InlineData("IPv4", 65_508)]
    [InlineData("IPv4", 65_535)]
    [InlineData("IPv6", 65_527)]
    [InlineData("IPv6", 65_528)]
    public void A_datagram_that_is_too_long_is_an_error_of_this_host(string family, int length) => BothKernels.Run(kit =>
    {
        (long fd, byte[] nobody) = ToNobody(kit, family, withOptions: true);
        kit.Send(fd, new byte[length], MSG_DONTWAIT, nobody);
        kit.PortOf(fd);
        kit.Poll(0, (fd, Everything));
        kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
        kit.ReceiveControl(fd, 5, 256, MSG_ERRQUEUE);
        kit.Poll(0, (fd, Everything));
        kit.Connect(fd, nobody);
        kit.PortOf(fd);
        kit.Send(fd, new byte[length], MSG_DONTWAIT);
        kit.ReceiveControl(fd, 5, 256, MSG_ERRQUEUE);
        kit.ReceiveControl(fd, 5, 256, MSG_ERRQUEUE);
    });

    [Fact]
    public void Without_the_option_only_a_connected_socket_hears_of_errors() => BothKernels.Run(kit =>
    {
        foreach (bool connected in (bool[])[false, true])
        {
            (long fd, byte[] nobody) = ToNobody(kit, "IPv4", withOptions: false);
            kit.Option(fd, SOL_IP, 11, 0);
            if (connected)
            {
                kit.Connect(fd, nobody);
                kit.PortOf(fd);
            }

            kit.Send(fd, "hello?"u8, MSG_DONTWAIT, nobody);
            kit.PortOf(fd);
            kit.Poll(connected ? 1000 : 0, (fd, Everything));
            kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
            kit.ReceiveControl(fd, 5, 256, MSG_ERRQUEUE);
        }
    });

    private static (long Fd, byte[] Nobody) ToNobody(Kit kit, string family, bool withOptions)
    {
        AddressFamily own = family == "IPv4" ? AF_INET : AF_INET6;
        AddressFamily other = family == "IPv6" ? AF_INET6 : AF_INET;
        long gone = kit.Socket(other, SOCK_DGRAM);
        ushort port = kit.BindAny(gone, other);
        kit.Call(close, gone);
        long fd = kit.Socket(own, SOCK_DGRAM);
        kit.Option(fd, SOL_IP, 11, 1);
        kit.Option(fd, SOL_IPV6, 25, 1);
        if (withOptions)
        {
            kit.Option(fd, SOL_IP, 12, 1);
            kit.Option(fd, SOL_IP, 13, 1);
            kit.Option(fd, SOL_IPV6, 51, 1);
            kit.Option(fd, SOL_IPV6, 66, 1);
        }

        byte[] nobody = Kit.Loopback(other, port);
        return (fd, family != "mapped" ? nobody : [10, 0, nobody[2], nobody[3], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1, 0, 0, 0, 0]);
    }
}
