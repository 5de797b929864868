using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Udp;

/// <summary>UDP of Portico and of the Linux kernel, across a TUN device.</summary>
public sealed class UdpInteropTests
{
    private const int Patience = 10_000;
    private static readonly int[] s_sizes = [0, 1, 2, 1471, 1472, 1473, 2960, 2961, 9000, 40_001, 65_506, 65_507];

    /// <summary>A socket of a Portico stack that sends back what it gets, or keeps it for the test.</summary>
    private sealed class PorticoSocket : ISocketOwner
    {
        private readonly KernelNamespace _kernel;
        private readonly NetworkStack _stack;
        private readonly bool _echoes;
        private readonly byte[] _buffer = new byte[65536];
        private readonly UdpHandle _handle;

        public PorticoSocket(KernelNamespace kernel, NetworkStack stack, ushort port, bool echoes)
        {
            _kernel = kernel;
            _stack = stack;
            _echoes = echoes;
            using (kernel.Driver.Enter())
            {
                UdpOpenRequest request = new() { IsIpv6 = true, ReceiveBufferBytes = 1 << 20 };
                Assert.Equal(Errno.None, stack.Udp.Open(request, this, out _handle));
                Assert.Equal(Errno.None, stack.Udp.Bind(_handle, new Endpoint(IpAddress.AnyIpv6, port)));
            }
        }

        public BlockingCollection<(Errno Error, byte[] Payload, UdpReceiveInfo Info)> Received { get; } = [];

        public void OnReady(SocketEvents events)
        {
            while (true)
            {
                Errno error = _stack.Udp.Receive(_handle, _buffer, out UdpReceiveInfo info, out int received);
                if (error == Errno.EAGAIN)
                {
                    return;
                }

                if (error == Errno.None && _echoes)
                {
                    _stack.Udp.SendTo(_handle, _buffer.AsSpan(0, received), info.Source, new UdpSendOptions { Source = Unicast(info) });
                }
                else
                {
                    Received.Add((error, _buffer[..received], info));
                }
            }
        }

        public Errno Send(ReadOnlySpan<byte> data, Endpoint destination)
        {
            using (_kernel.Driver.Enter())
            {
                return _stack.Udp.SendTo(_handle, data, destination);
            }
        }

        public Errno Call(Func<UdpLayer, UdpHandle, Errno> call)
        {
            using (_kernel.Driver.Enter())
            {
                return call(_stack.Udp, _handle);
            }
        }

        public (Errno Error, byte[] Payload, UdpReceiveInfo Info) Take()
        {
            Assert.True(Received.TryTake(out (Errno, byte[], UdpReceiveInfo) taken, Patience), "nothing came");
            return taken;
        }

        private static IpAddress Unicast(in UdpReceiveInfo info) =>
            info.Destination.Address.IsMulticast ? default : info.Destination.Address;
    }

    private static Socket KernelSocket(KernelNamespace kernel, bool isIpv4, int port = 0)
    {
        Socket socket = kernel.CreateSocket(
            isIpv4 ? AddressFamily.InterNetwork : AddressFamily.InterNetworkV6, SocketType.Dgram, ProtocolType.Udp);
        socket.ReceiveTimeout = Patience;
        socket.ReceiveBufferSize = 1 << 20;
        socket.Bind(new IPEndPoint(isIpv4 ? IPAddress.Any : IPAddress.IPv6Any, port));
        return socket;
    }

    private static IpAddress AddressOfPortico(bool isIpv4) => (isIpv4 ? KernelNamespace.PorticoIpv4 : KernelNamespace.PorticoIpv6).Address;

    private static IpAddress AddressOfKernel(bool isIpv4) => (isIpv4 ? KernelNamespace.KernelIpv4 : KernelNamespace.KernelIpv6).Address;

    /// <summary>Receives, and says what the stack counted where nothing comes.</summary>
    private static int Receive(Socket socket, byte[] buffer, KernelNamespace kernel, NetworkStack stack)
    {
        try
        {
            return socket.Receive(buffer);
        }
        catch (SocketException e)
        {
            using (kernel.Driver.Enter())
            {
                string counters = $"{Count(stack.Ip.Ipv4Counters)}; {Count(stack.Ip.Ipv6Counters)}; {Count(stack.Udp.Ipv4Counters)}; "
                    + $"{Count(stack.Udp.Ipv6Counters)}; {Count(kernel.Link.Counters)}";
                throw new Xunit.Sdk.XunitException($"{e.SocketErrorCode}: {counters}");
            }
        }
    }

    private static string Count<TCounter>(MibTable<TCounter> mib)
        where TCounter : struct, Enum =>
        string.Join(' ', Enumerable.Range(0, mib.Count).Select(mib.At).Where(c => c.Value != 0).Select(c => $"{c.Name}={c.Value}"));

    private static byte[] Payload(int size)
    {
        byte[] payload = new byte[size];
        new Random(size).NextBytes(payload);
        return payload;
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void The_kernels_datagrams_of_every_size_are_echoed_by_Portico(bool isIpv4, bool offloads)
    {
        using KernelNamespace kernel = new(offloads: offloads);
        NetworkStack stack = kernel.AddStack();
        _ = new PorticoSocket(kernel, stack, 7, echoes: true);
        using Socket socket = KernelSocket(kernel, isIpv4);
        socket.Connect(AddressOfPortico(isIpv4).ToIPAddress(), 7);
        byte[] buffer = new byte[65536];
        foreach (int size in s_sizes)
        {
            byte[] payload = Payload(size);
            socket.Send(payload);
            int received = Receive(socket, buffer, kernel, stack);
            Assert.True(payload.AsSpan().SequenceEqual(buffer.AsSpan(0, received)), $"{size} bytes came back as {received}");
        }
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public void Porticos_datagrams_of_every_size_are_echoed_by_the_kernel(bool isIpv4, bool offloads)
    {
        using KernelNamespace kernel = new(offloads: offloads);
        NetworkStack stack = kernel.AddStack();
        PorticoSocket client = new(kernel, stack, 1000, echoes: false);
        using Socket socket = KernelSocket(kernel, isIpv4, 7);
        byte[] buffer = new byte[65536];
        EndPoint from = new IPEndPoint(isIpv4 ? IPAddress.Any : IPAddress.IPv6Any, 0);
        foreach (int size in s_sizes)
        {
            byte[] payload = Payload(size);
            Assert.Equal(Errno.None, client.Send(payload, new Endpoint(AddressOfKernel(isIpv4), 7)));
            int received = socket.ReceiveFrom(buffer, ref from);
            Assert.True(payload.AsSpan().SequenceEqual(buffer.AsSpan(0, received)), $"{size} bytes arrived as {received}");
            Assert.Equal(AddressOfPortico(isIpv4).ToIPAddress(), ((IPEndPoint)from).Address);
            socket.SendTo(buffer.AsSpan(0, received), from);
            (Errno error, byte[] echoed, UdpReceiveInfo info) = client.Take();
            Assert.Equal(Errno.None, error);
            Assert.True(payload.AsSpan().SequenceEqual(echoed), $"{size} bytes came back as {echoed.Length}");
            Assert.Equal(new Endpoint(AddressOfKernel(isIpv4), 7), info.Source);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_kernel_learns_that_a_port_of_Portico_is_closed(bool isIpv4)
    {
        using KernelNamespace kernel = new();
        kernel.AddStack();
        using Socket socket = KernelSocket(kernel, isIpv4);
        socket.Connect(AddressOfPortico(isIpv4).ToIPAddress(), 9);
        socket.Send([1]);
        SocketException refused = Assert.Throws<SocketException>(() => socket.Receive(new byte[1]));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Portico_learns_that_a_port_of_the_kernel_is_closed(bool isIpv4)
    {
        using KernelNamespace kernel = new();
        NetworkStack stack = kernel.AddStack();
        PorticoSocket client = new(kernel, stack, 1000, echoes: false);
        Endpoint closed = new(AddressOfKernel(isIpv4), 9);
        Assert.Equal(Errno.None, client.Call((udp, handle) => udp.Connect(handle, closed)));
        Assert.Equal(Errno.None, client.Call((udp, handle) => udp.Send(handle, [1])));
        Assert.Equal(Errno.ECONNREFUSED, client.Take().Error);
    }

    [Theory]
    [InlineData(true, "239.1.2.3")]
    [InlineData(false, "ff05::77")]
    public void Groups_are_heard_in_both_directions(bool isIpv4, string group)
    {
        using KernelNamespace kernel = new();
        NetworkStack stack = kernel.AddStack();
        Endpoint to = new(IpAddress.Parse(group), 5000);
        int tun = stack.Interfaces[1].Index;
        PorticoSocket portico = new(kernel, stack, 5000, echoes: false);
        Assert.Equal(Errno.None, portico.Call((udp, handle) => udp.JoinGroup(handle, to.Address, tun)));
        Assert.Equal(Errno.None, portico.Call((udp, handle) => udp.SetOption(handle, UdpOption.IP_MULTICAST_LOOP, 0)));
        Assert.Equal(Errno.None, portico.Call((udp, handle) => udp.SetOption(handle, UdpOption.IPV6_MULTICAST_LOOP, 0)));
        using Socket socket = KernelSocket(kernel, isIpv4, 5000);
        int index = kernel.Invoke(() => Linux.RtNetlink.IndexOf("portico0"));
        if (isIpv4)
        {
            MulticastOption membership = new(to.Address.ToIPAddress(), KernelNamespace.KernelIpv4.Address.ToIPAddress());
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.AddMembership, membership);
            byte[] own = KernelNamespace.KernelIpv4.Address.ToIPAddress().GetAddressBytes();
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastInterface, own);
            socket.SetSocketOption(SocketOptionLevel.IP, SocketOptionName.MulticastLoopback, false);
        }
        else
        {
            IPv6MulticastOption membership = new(to.Address.ToIPAddress(), index);
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.AddMembership, membership);
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.MulticastInterface, index);
            socket.SetSocketOption(SocketOptionLevel.IPv6, SocketOptionName.MulticastLoopback, false);
        }

        byte[] buffer = new byte[5000];
        foreach (int size in new[] { 10, 4000 })
        {
            byte[] payload = Payload(size);
            Assert.Equal(Errno.None, portico.Send(payload, to));
            Assert.Equal(size, socket.Receive(buffer));
            Assert.True(payload.AsSpan().SequenceEqual(buffer.AsSpan(0, size)));
            socket.SendTo(payload, new IPEndPoint(to.Address.ToIPAddress(), 5000));
            (Errno error, byte[] heard, UdpReceiveInfo info) = portico.Take();
            Assert.Equal(Errno.None, error);
            Assert.True(payload.AsSpan().SequenceEqual(heard));
            Assert.Equal((to, (byte)1), (info.Destination, info.HopLimit));
        }
    }

    [Fact]
    public void Tshark_finds_nothing_malformed_and_no_bad_checksum_in_echoes_and_reports()
    {
        string path = Path.Combine(Path.GetTempPath(), $"portico-udp-{Guid.NewGuid():N}.pcapng");
        try
        {
            using (FileStream file = File.Create(path))
            {
                Record(file);
            }

            const string Checks = "-o udp.check_checksum:TRUE -o ip.check_checksum:TRUE";
            const string Complaints = "_ws.malformed || udp.checksum.status == 0 || ip.checksum.status == 0 || igmp.checksum.status == 0 "
                + "|| icmpv6.checksum.status == 0 || ip.fragment.error || ipv6.fragment.error";
            Assert.Equal("", Tshark($"-r {path} {Checks} -Y \"{Complaints}\""));
            int echoes = 2 * 2 * s_sizes.Length;
            string datagrams = Tshark($"-r {path} -Y \"udp.port == 7 && !icmp && !icmpv6\" -T fields -e udp.length");
            Assert.Equal(echoes, datagrams.AsSpan().Count('\n'));
            Assert.NotEqual("", Tshark($"-r {path} -Y \"igmp.version == 3 && ip.src == 10.77.0.2\""));
            Assert.NotEqual("", Tshark($"-r {path} -Y \"icmpv6.type == 143\""));
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static void Record(Stream file)
    {
        PcapngWriter writer = new(file);
        using (KernelNamespace kernel = new(decorate: (engine, link) => new CaptureLink(engine, link, writer, "tun0")))
        {
            NetworkStack stack = kernel.AddStack();
            PorticoSocket echo = new(kernel, stack, 7, echoes: true);
            int tun = stack.Interfaces[1].Index;
            Assert.Equal(Errno.None, echo.Call((udp, handle) => udp.JoinGroup(handle, IpAddress.Parse("239.1.2.3"), tun)));
            Assert.Equal(Errno.None, echo.Call((udp, handle) => udp.JoinGroup(handle, IpAddress.Parse("ff05::77"), tun)));
            byte[] buffer = new byte[65536];
            foreach (bool isIpv4 in new[] { true, false })
            {
                using Socket socket = KernelSocket(kernel, isIpv4);
                socket.Connect(AddressOfPortico(isIpv4).ToIPAddress(), 7);
                foreach (int size in s_sizes)
                {
                    socket.Send(Payload(size));
                    Assert.Equal(size, Receive(socket, buffer, kernel, stack));
                }
            }
        }

        writer.Flush();
        Assert.Null(writer.Failure);
    }

    private static string Tshark(string arguments)
    {
        ProcessStartInfo info = new("tshark", arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        CommandResult result = CommandResult.WaitFor(Process.Start(info)!);
        return result.Succeeded();
    }
}
