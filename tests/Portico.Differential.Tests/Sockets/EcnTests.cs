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
    private const int TCP_INFO = 11;

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

    private static unsafe void Show(Kit kit, params long[] sockets)
    {
        const int Bytes = 232;
        byte* info = stackalloc byte[Bytes];
        foreach (long fd in sockets)
        {
            int length = Bytes;
            long result = kit.Raw(getsockopt, fd, (long)SocketLevel.IPPROTO_TCP, TCP_INFO, (long)info, (long)(&length));
            kit.Write($"TCP_INFO options {info[5]:X} delivered by ECE {*(uint*)(info + 196)}", result);
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_IP, IP_TOS);
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_IPV6, IPV6_TCLASS);
        }
    }
}
