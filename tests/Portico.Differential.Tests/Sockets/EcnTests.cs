using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Explicit congestion notification (RFC 3168) as programs see it: TCP_INFO, and IP_TOS and IPV6_TCLASS with the mark of the last packet.</summary>
public sealed class EcnTests
{
    private const int IP_TOS = 1;
    private const int IPV6_TCLASS = 67;

    public static TheoryData<string, AddressFamily> Runs
    {
        get
        {
            TheoryData<string, AddressFamily> runs = [];
            foreach (string setting in (string[])["0", "1", "2"])
            {
                runs.Add(setting, AF_INET);
                runs.Add(setting, AF_INET6);
            }

            return runs;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void Both_ends_say_whether_ECN_is_used_and_seen(string setting, AddressFamily family) => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_ecn", path =>
    {
        kit.WriteSetting(path, setting);
        (long client, long server) = kit.Connected(family);
        Show(kit, client, server);
        kit.WriteBytes(client, "question"u8);
        kit.Receive(server, 100);
        Show(kit, client, server);
        kit.WriteBytes(server, "answer"u8);
        kit.Receive(client, 100);
        Kit.Settle();
        Show(kit, client, server);
    }));

    [Theory]
    [InlineData(AF_INET, IP_TOS)]
    [InlineData(AF_INET6, IPV6_TCLASS)]
    public void The_type_of_service_keeps_the_mark_when_it_is_set(AddressFamily family, int option) => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_ecn", path =>
    {
        int level = family == AF_INET ? (int)SocketLevel.IPPROTO_IP : (int)SocketLevel.IPPROTO_IPV6;
        kit.WriteSetting(path, "1");
        (long client, long server) = kit.Connected(family);
        kit.Option(client, level, option, 0x28);
        kit.WriteBytes(client, "question"u8);
        kit.GetOption(client, level, option);
        foreach (int value in (int[])[0x10, 0x13, 0, 3])
        {
            kit.Option(client, level, option, value);
            kit.GetOption(client, level, option);
        }

        kit.Receive(server, 100);
    }));

    [Theory]
    [InlineData(0)]
    [InlineData(0x10)]
    [InlineData(0xB8)]
    public void An_accepted_socket_tells_the_type_of_service_of_its_peer(int tos) => BothKernels.Run(kit =>
    {
        const int IP_PKTOPTIONS = 9;
        const int IP_RECVTOS = 13;
        (long listener, ushort port) = kit.Listener(AF_INET);
        kit.Option(listener, (int)SocketLevel.IPPROTO_IP, IP_RECVTOS, 1);
        long client = kit.Socket(AF_INET, SocketType.SOCK_STREAM);
        kit.Option(client, (int)SocketLevel.IPPROTO_IP, IP_RECVTOS, 1);
        kit.Option(client, (int)SocketLevel.IPPROTO_IP, IP_TOS, tos);
        kit.Connect(client, Kit.Loopback(AF_INET, port));
        kit.PortOf(client);
        long server = kit.Accept(listener);
        foreach (long fd in (long[])[server, client, listener])
        {
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_IP, IP_PKTOPTIONS, 64);
        }
    });

    public static TheoryData<string, AddressFamily, int> Reflections
    {
        get
        {
            TheoryData<string, AddressFamily, int> reflections = [];
            foreach (int tos in (int[])[0, 0x10, 0xB8, 0xFF])
            {
                foreach (AddressFamily family in (AddressFamily[])[AF_INET, AF_INET6])
                {
                    reflections.Add("0", family, tos);
                    reflections.Add("1", family, tos);
                }
            }

            return reflections;
        }
    }

    /// <summary>On the wire, as packet sockets see it, and by the options of both ends.</summary>
    [Theory]
    [MemberData(nameof(Reflections))]
    public void A_SYN_hands_on_its_type_of_service_where_it_is_reflected(string setting, AddressFamily family, int tos) => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_reflect_tos", path =>
    {
        const ushort ETH_P_ALL = 3;
        bool isIpv6 = family == AF_INET6;
        int level = isIpv6 ? (int)SocketLevel.IPPROTO_IPV6 : (int)SocketLevel.IPPROTO_IP;
        int option = isIpv6 ? IPV6_TCLASS : IP_TOS;
        kit.WriteSetting(path, setting);
        (long listener, ushort port) = kit.Listener(family);
        kit.Option(listener, level, option, 0x28);
        long watcher = kit.PacketSocket(SocketType.SOCK_DGRAM, ETH_P_ALL);
        long client = kit.Socket(family, SocketType.SOCK_STREAM);
        kit.Option(client, level, option, tos);
        kit.Connect(client, Kit.Loopback(family, port));

        // An accepted connection has what its listener had at the time of the SYN.
        kit.Option(listener, level, option, 0x50);
        long server = kit.Accept(listener);
        kit.WriteBytes(server, "answer"u8);
        kit.Receive(client, 100);
        Kit.Settle();
        foreach (long fd in (long[])[server, client, listener])
        {
            kit.GetOption(fd, level, option);
        }

        ShowTrafficClasses(kit, watcher, isIpv6);
    }));

    /// <summary>What each packet has, in their order: the handshake's at least.</summary>
    private static unsafe void ShowTrafficClasses(Kit kit, long watcher, bool isIpv6)
    {
        const int Bytes = 128;
        byte* packet = stackalloc byte[Bytes];
        byte* sender = stackalloc byte[20];
        int length = 20;
        int count = 0;
        for (; kit.Raw(recvfrom, watcher, (long)packet, Bytes, (long)MessageFlags.MSG_DONTWAIT, (long)sender, (long)(&length)) > 0; count++)
        {
            byte flags = packet[isIpv6 ? 40 + 13 : 20 + 13];
            int given = isIpv6 ? ((packet[0] << 4) | (packet[1] >> 4)) & 0xFF : packet[1];
            kit.Note($"{sender[10]}: flags {flags:X2}, traffic class {given:X2}");
        }

        Assert.True(count > 3);
    }

    private static void Show(Kit kit, params long[] sockets)
    {
        foreach (long fd in sockets)
        {
            byte[] info = kit.TcpInfo(fd, 232, out long result);
            kit.Write($"TCP_INFO options {info[5]:X} delivered by ECE {BitConverter.ToUInt32(info, 196)}", result);
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_IP, IP_TOS);
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_IPV6, IPV6_TCLASS);
        }
    }
}
