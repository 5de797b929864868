using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Tcp;

namespace Portico.Interop.Tests.Udp;

[Collection(TrafficCollection.Name)]
public sealed class UdpEchoTests
{
    // Around one frame of either family, and the most that UDP can carry over each.
    private static readonly int[] s_sizes = [0, 1, 512, 1452, 1453, 1472, 1473, 8000, 16_000, 32_768, 65_507];

    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public async Task Datagrams_of_every_size_come_back_whole(bool ipv6, bool offloads)
    {
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(100));
        using CapturedKernel captured = new(offloads);
        using (PorticoUdpClient server = captured.Host.BindUdp(7))
        using (Socket socket = captured.Kernel.CreateSocket(
            ipv6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))
        {
            socket.ReceiveTimeout = 60_000;
            socket.Connect(IPAddress.Parse(ipv6 ? CapturedKernel.PorticoIpv6 : CapturedKernel.PorticoIpv4), 7);
            byte[] echoBuffer = new byte[65_536];
            byte[] buffer = new byte[65_536];
            foreach (int size in ipv6 ? [.. s_sizes, 65_527] : s_sizes)
            {
                byte[] datagram = Content.Bytes((ulong)size, size);
                socket.Send(datagram);
                (int received, IPEndPoint source) = await server.ReceiveAsync(echoBuffer, stop.Token);
                Assert.Equal(size, received);
                server.Send(echoBuffer.AsSpan(0, received), source);
                int returned = socket.Receive(buffer);
                Assert.True(buffer.AsSpan(0, returned).SequenceEqual(datagram), $"{size} bytes came back as {returned}, or changed");
            }
        }

        string file = captured.End();
        Tshark.AssertWellFormed(file);
        Assert.NotEmpty(Tshark.Read(file, ipv6 ? "ipv6.fragment" : "ip.fragment"));
    }
}
