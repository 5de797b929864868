using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>IPV6_MTU is the largest packet that a socket of datagrams sends at once.</summary>
public sealed class FragmentSizeTests
{
    private const int SOL_UDP = 17;
    private const int UDP_SEGMENT = 103;
    private const int SOL_IPV6 = 41;
    private const int IPV6_MTU_DISCOVER = 23;
    private const int IPV6_MTU = 24;
    private const int IPV6_RECVERR = 25;
    private const int IPV6_DONTFRAG = 62;
    private const int IPV6_PATHMTU = 61;
    private const ushort ETH_P_IPV6 = 0x86DD;

    public static TheoryData<int, int, int, bool> Cases
    {
        get
        {
            TheoryData<int, int, int, bool> cases = [];
            foreach (int mtu in (int[])[0, 1280, 1300, 65_535, 65_536, 100_000])
            {
                foreach (int discover in (int[])[-1, 0, 1, 2, 3, 4, 5])
                {
                    cases.Add(mtu, discover, 0, false);
                    cases.Add(mtu, discover, 0, true);
                }

                cases.Add(mtu, 1, 1000, false);
                cases.Add(mtu, 0, 1240, false);
                cases.Add(mtu, 2, 1400, false);
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Datagrams_are_measured_by_IPV6_MTU(int mtu, int discover, int segment, bool dontFragment) => BothKernels.Run(kit =>
    {
        long receiver = kit.Socket(AF_INET6, SOCK_DGRAM);
        byte[] to = Kit.Loopback(AF_INET6, kit.BindAny(receiver, AF_INET6));
        long sender = kit.Socket(AF_INET6, SOCK_DGRAM);
        long link = kit.PacketSocket(SOCK_DGRAM, ETH_P_IPV6);
        Set(kit, sender, mtu, discover, dontFragment);
        kit.Option(sender, SOL_UDP, UDP_SEGMENT, segment);
        foreach (int length in (int[])[1232, 1233, 1252, 3000, 65_527])
        {
            kit.Send(sender, new byte[length], 0, to);
            kit.PortOf(sender);
            kit.ReceiveControl(sender, 10, 128, MSG_DONTWAIT | MSG_ERRQUEUE);
            kit.Note(string.Join(' ', kit.TakeLengths(link)));
            kit.Note(string.Join(' ', kit.TakeLengths(receiver)));
        }

        kit.Connect(sender, to);
        kit.GetOption(sender, SOL_IPV6, IPV6_MTU);
        kit.GetOption(sender, SOL_IPV6, IPV6_PATHMTU, 32);
        kit.Send(sender, new byte[2000]);
        kit.Note(string.Join(' ', kit.TakeLengths(link)));
    });

    [Theory]
    [InlineData(SOCK_RAW, 200, 1280, 0, false)]
    [InlineData(SOCK_RAW, 200, 1280, 0, true)]
    [InlineData(SOCK_RAW, 200, 1280, 1, false)]
    [InlineData(SOCK_RAW, 200, 1280, 2, false)]
    [InlineData(SOCK_RAW, 200, 1280, 3, false)]
    [InlineData(SOCK_RAW, 255, 1280, 2, false)]
    [InlineData(SOCK_DGRAM, 58, 1280, 0, false)]
    [InlineData(SOCK_DGRAM, 58, 1280, 0, true)]
    [InlineData(SOCK_DGRAM, 58, 1280, 1, true)]
    [InlineData(SOCK_DGRAM, 58, 1280, 2, false)]
    public void And_so_are_packets_below_the_transports(SocketType type, int protocol, int mtu, int discover, bool dontFragment) => BothKernels.Run(kit =>
    {
        long sender = type == SOCK_RAW ? kit.RawSocket(AF_INET6, protocol) : kit.Socket(AF_INET6, type, protocol);
        long link = kit.PacketSocket(SOCK_DGRAM, ETH_P_IPV6);
        Set(kit, sender, mtu, discover, dontFragment);
        foreach (int length in (int[])[1240, 1241, 1260, 3000])
        {
            byte[] request = new byte[length];
            request[0] = (byte)(protocol == 255 ? 0x60 : 128);
            kit.Send(sender, request, 0, Kit.Loopback(AF_INET6, 0));
            kit.ReceiveControl(sender, 10, 128, MSG_DONTWAIT | MSG_ERRQUEUE);
            kit.Note(string.Join(' ', kit.TakeLengths(link)));
        }
    });

    private static void Set(Kit kit, long sender, int mtu, int discover, bool dontFragment)
    {
        kit.Option(sender, SOL_IPV6, IPV6_MTU, mtu);
        kit.Option(sender, SOL_IPV6, IPV6_RECVERR, 1);
        kit.Option(sender, SOL_IPV6, IPV6_DONTFRAG, dontFragment ? 1 : 0);
        if (discover >= 0)
        {
            kit.Option(sender, SOL_IPV6, IPV6_MTU_DISCOVER, discover);
        }
    }
}
