using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.AddressFamily;

namespace Portico.Differential.Tests.Sockets;

/// <summary>The largest window of a new connection, which TCP_WINDOW_CLAMP tells: the buffer's but what the application has of it (tcp_app_win).</summary>
public sealed class WindowClampTests
{
    private const int TCP_MAXSEG = 2;
    private const int TCP_WINDOW_CLAMP = 10;

    /// <summary>tcpi_advmss.</summary>
    private const int AdvMssOffset = 84;

    public static TheoryData<string, int, int> Connections
    {
        get
        {
            TheoryData<string, int, int> connections = [];
            foreach (string share in (string[])["0", "1", "2", "8", "31"])
            {
                foreach (int segment in (int[])[0, 1000, 4000])
                {
                    foreach (int buffer in (int[])[0, 2000, 5000, 16_000, 100_000])
                    {
                        connections.Add(share, segment, buffer);
                    }
                }
            }

            return connections;
        }
    }

    [Theory]
    [MemberData(nameof(Connections))]
    public void Leaves_the_application_its_part(string share, int segment, int buffer) => BothKernels.RunAsRoot(kit => kit.WithSetting("net/ipv4/tcp_app_win", path =>
    {
        kit.WriteSetting(path, share);
        (long listener, ushort port) = kit.Listener(AF_INET);
        long client = kit.Socket(AF_INET, SocketType.SOCK_STREAM);
        foreach (long fd in (long[])[listener, client])
        {
            if (segment != 0)
            {
                kit.Option(fd, (int)SocketLevel.IPPROTO_TCP, TCP_MAXSEG, segment);
            }

            if (buffer != 0)
            {
                kit.Option(fd, (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RCVBUF, buffer);
            }
        }

        kit.Connect(client, Kit.Loopback(AF_INET, port));
        long server = kit.Accept(listener);
        foreach (long fd in (long[])[client, server])
        {
            kit.GetOption(fd, (int)SocketLevel.IPPROTO_TCP, TCP_WINDOW_CLAMP);
            byte[] info = kit.TcpInfo(fd, 232, out long result);
            kit.Write($"advmss {BitConverter.ToUInt32(info, AdvMssOffset)}", result);
        }
    }));
}
