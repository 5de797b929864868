using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>
/// Sockets that share a port by SO_REUSEPORT: which of them a flow goes to is each kernel's own choice, but each gets some, none is lost, and a
/// flow stays with the one that it has begun with.
/// </summary>
public sealed class ReusePortTests
{
    private const ushort Port = 25_010;
    private const int Sockets = 4;
    private const int Flows = 120;

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void Datagrams_are_spread_by_flow(AddressFamily family) => BothKernels.Run(kit =>
    {
        long[] receivers = Receivers(kit, family, SOCK_DGRAM);
        for (int i = 0; i < Flows; i++)
        {
            long sender = Quiet(kit, family, SOCK_DGRAM);
            for (int j = 0; j < 3; j++)
            {
                SendQuietly(kit, sender, (byte)i, family);
            }
        }

        int[] perSocket = new int[Sockets];
        Dictionary<byte, HashSet<int>> socketsOfFlow = [];
        for (int i = 0; i < Sockets; i++)
        {
            while (ReceiveByte(kit, receivers[i]) is { } flow)
            {
                perSocket[i]++;
                (socketsOfFlow.TryGetValue(flow, out HashSet<int>? known) ? known : socketsOfFlow[flow] = []).Add(i);
            }
        }

        Describe(kit, perSocket);
        kit.Note($"{socketsOfFlow.Count} flows, each with one socket: {socketsOfFlow.Values.All(static sockets => sockets.Count == 1)}");
    });

    [Theory]
    [InlineData(AF_INET)]
    [InlineData(AF_INET6)]
    public void Connections_are_spread(AddressFamily family) => BothKernels.Run(kit =>
    {
        long[] listeners = Receivers(kit, family, SOCK_STREAM);
        foreach (long listener in listeners)
        {
            kit.Call(listen, listener, Flows);
            kit.NonBlocking(listener);
        }

        for (int i = 0; i < Flows; i++)
        {
            ConnectQuietly(kit, Quiet(kit, family, SOCK_STREAM), family);
        }

        Describe(kit, [.. listeners.Select(listener => Accepted(kit, listener))]);
    });

    [Fact]
    public void A_socket_that_leaves_gets_no_more() => BothKernels.Run(kit =>
    {
        long[] receivers = Receivers(kit, AF_INET, SOCK_DGRAM);
        kit.Call(close, receivers[0]);
        for (int i = 0; i < Flows; i++)
        {
            SendQuietly(kit, Quiet(kit, AF_INET, SOCK_DGRAM), (byte)i, AF_INET);
        }

        int[] perSocket = new int[Sockets - 1];
        for (int i = 1; i < Sockets; i++)
        {
            while (ReceiveByte(kit, receivers[i]) != null)
            {
                perSocket[i - 1]++;
            }
        }

        Describe(kit, perSocket);
    });

    [Fact]
    public void A_connected_socket_of_the_group_gets_its_own_flow_and_no_other() => BothKernels.Run(kit =>
    {
        long[] receivers = Receivers(kit, AF_INET, SOCK_DGRAM);
        long peer = kit.Socket(AF_INET, SOCK_DGRAM);
        ushort port = kit.BindAny(peer, AF_INET);
        kit.Connect(receivers[2], Kit.Loopback(AF_INET, port));
        for (int i = 0; i < 5; i++)
        {
            SendQuietly(kit, peer, 7, AF_INET);
        }

        kit.Note(string.Join(' ', receivers.Select(fd => kit.TakeLengths(fd).Count)));
    });

    private static long[] Receivers(Kit kit, AddressFamily family, SocketType type)
    {
        long[] sockets = new long[Sockets];
        for (int i = 0; i < Sockets; i++)
        {
            sockets[i] = kit.Socket(family, type);
            kit.Option(sockets[i], (int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_REUSEPORT, 1);
            kit.Bind(sockets[i], Kit.Loopback(family, Port));
        }

        return sockets;
    }

    private static void Describe(Kit kit, int[] perSocket) =>
        kit.Note($"{perSocket.Sum()} in all, each socket got some: {perSocket.All(static count => count > 0)}, none got half: {perSocket.All(count => count < perSocket.Sum() / 1.5)}");

    private static long Quiet(Kit kit, AddressFamily family, SocketType type) => kit.Raw(socket, (long)family, (long)type);

    private static unsafe void SendQuietly(Kit kit, long fd, byte data, AddressFamily family)
    {
        fixed (byte* to = Kit.Loopback(family, Port))
        {
            kit.Raw(sendto, fd, (long)(&data), 1, 0, (long)to, family == AF_INET ? SocketAddress.Ipv4Bytes : SocketAddress.Ipv6Bytes);
        }
    }

    private static unsafe void ConnectQuietly(Kit kit, long fd, AddressFamily family)
    {
        byte[] address = Kit.Loopback(family, Port);
        fixed (byte* to = address)
        {
            kit.Raw(connect, fd, (long)to, address.Length);
        }
    }

    private static unsafe byte? ReceiveByte(Kit kit, long fd)
    {
        byte data;
        return kit.Raw(recvfrom, fd, (long)(&data), 1, (long)MSG_DONTWAIT) == 1 ? data : null;
    }

    private static int Accepted(Kit kit, long listener)
    {
        int count = 0;
        long accepted;
        while ((accepted = kit.Raw(accept4, listener)) >= 0)
        {
            kit.Raw(close, accepted);
            count++;
        }

        return count;
    }
}
