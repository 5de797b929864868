namespace Portico.Net.Tests.Udp;

/// <summary>Two stacks and a cable with an MTU of 1500 that carries real checksums: 10.0.0.1 and 10.0.0.2, 2001:db8::1 and ::2.</summary>
public sealed class UdpEndToEndTests : IDisposable
{
    private readonly Engine _engine = new(new EngineOptions { Seed = 9 });
    private readonly NetworkStack _a;
    private readonly NetworkStack _b;

    public UdpEndToEndTests()
    {
        Cable cable = new(_engine, new CableOptions { Mtu = 1500, Features = LinkFeatures.None });
        _a = MakeStack(cable.A, 1);
        _b = MakeStack(cable.B, 2);
    }

    public void Dispose()
    {
        Assert.Equal(0, _engine.Packets.Outstanding);
        _engine.Dispose();
    }

    private NetworkStack MakeStack(ILink link, int number)
    {
        NetworkStack stack = new(_engine);
        NetworkInterface added = stack.AddInterface("eth0", link);
        Assert.Equal(Errno.None, added.AddAddress(IpPrefix.Parse($"10.0.0.{number}/24")));
        Assert.Equal(Errno.None, added.AddAddress(IpPrefix.Parse($"2001:db8::{number}/64")));
        return stack;
    }

    private static UdpHandle Open(NetworkStack stack, string local)
    {
        UdpOpenRequest request = new() { IsIpv6 = true, ReceiveBufferBytes = 1 << 20 };
        Assert.Equal(Errno.None, stack.Udp.Open(request, null, out UdpHandle handle));
        Assert.Equal(Errno.None, stack.Udp.Bind(handle, Endpoint.Parse(local)));
        return handle;
    }

    private void Run() => _engine.RunPending(int.MaxValue);

    [Theory]
    [InlineData("10.0.0.2", 0, 65507)]
    [InlineData("2001:db8::2", 0, 65527)]
    public void Echo_of_every_size_up_to_the_largest_comes_back_equal_through_fragments(string address, int first, int last)
    {
        UdpHandle server = Open(_b, "[::]:7");
        UdpHandle client = Open(_a, "[::]:1000");
        byte[] buffer = new byte[65536];
        byte[] sent = new byte[last];
        new Random(1).NextBytes(sent);
        for (int size = first; size <= last; size = size == last ? last + 1 : Math.Min(last, size + 1 + (size / 3)))
        {
            Assert.Equal(Errno.None, _a.Udp.SendTo(client, sent.AsSpan(0, size), new Endpoint(IpAddress.Parse(address), 7)));
            Run();
            Assert.Equal(Errno.None, _b.Udp.Receive(server, buffer, out UdpReceiveInfo info, out int received));
            Assert.Equal(size, received);
            Assert.Equal(Errno.None, _b.Udp.SendTo(server, buffer.AsSpan(0, received), info.Source));
            Run();
            Array.Clear(buffer);
            Assert.Equal(Errno.None, _a.Udp.Receive(client, buffer, out info, out received));
            Assert.True(sent.AsSpan(0, size).SequenceEqual(buffer.AsSpan(0, received)));
            Assert.Equal(new Endpoint(IpAddress.Parse(address), 7), info.Source);
        }

        _a.Udp.Close(client);
        _b.Udp.Close(server);
    }

    [Theory]
    [InlineData("10.0.0.2")]
    [InlineData("2001:db8::2")]
    public void A_closed_port_answers_and_a_connected_sender_gets_ECONNREFUSED(string address)
    {
        UdpHandle client = Open(_a, "[::]:1000");
        Assert.Equal(Errno.None, _a.Udp.Connect(client, new Endpoint(IpAddress.Parse(address), 9)));
        _a.Udp.SetOption(client, UdpOption.IP_RECVERR, 1);
        _a.Udp.SetOption(client, UdpOption.IPV6_RECVERR, 1);
        Assert.Equal(Errno.None, _a.Udp.Send(client, "x"u8));
        Run();
        Assert.Equal(Errno.None, _a.Udp.ReceiveError(client, out UdpErrorInfo error));
        bool isIpv4 = IpAddress.Parse(address).IsIpv4;
        Assert.Equal((Errno.ECONNREFUSED, isIpv4 ? (byte)3 : (byte)1, isIpv4 ? (byte)3 : (byte)4), (error.Error, error.Type, error.Code));
        Assert.Equal(IpAddress.Parse(address), error.Reporter);
        Assert.Equal(new Endpoint(IpAddress.Parse(address), 9), error.Destination);
        _a.Udp.SetOption(client, UdpOption.IP_RECVERR, 0);
        _a.Udp.SetOption(client, UdpOption.IPV6_RECVERR, 0);
        _engine.Advance(_engine.Now + Duration.FromSeconds(2));
        Assert.Equal(Errno.None, _a.Udp.Send(client, "x"u8));
        Run();
        Assert.Equal(Errno.ECONNREFUSED, _a.Udp.Receive(client, new byte[1], out _, out _));
        _a.Udp.Close(client);
    }

    [Theory]
    [InlineData("10.0.0.1:1000", "198.51.100.7:53")]
    [InlineData("[2001:db8::1]:1000", "[2001:db8:9::7]:53")]
    public void What_a_forwarder_reports_later_reaches_the_sender_as_if_from_the_destination(string source, string destination)
    {
        Endpoint to = Endpoint.Parse(destination);
        _a.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse("0.0.0.0/0"), InterfaceIndex = 2 });
        _a.Ip.Routes.Add(new Route { Destination = IpPrefix.Parse("::/0"), InterfaceIndex = 2 });
        _b.Interfaces[1].AcceptsAnyAddress = true;
        UdpHandle client = Open(_a, "[::]:1000");
        Assert.Equal(Errno.None, _a.Udp.Connect(client, to));
        Assert.Equal(Errno.None, _b.Udp.ReportForwardError(Endpoint.Parse(source), to, 10, UdpForwardError.PortUnreachable));
        Run();
        Assert.Equal(Errno.ECONNREFUSED, _a.Udp.TakeError(client));
        _a.Udp.Close(client);
    }

    [Theory]
    [InlineData("239.1.2.3")]
    [InlineData("ff05::5")]
    public void A_group_is_received_on_the_other_host_and_on_the_senders_own(string group)
    {
        Endpoint to = new(IpAddress.Parse(group), 9);
        UdpHandle far = Open(_b, "[::]:9");
        UdpHandle near = Open(_a, "[::]:9");
        UdpHandle sender = Open(_a, "[::]:1000");
        Assert.Equal(Errno.None, _b.Udp.JoinGroup(far, to.Address, 2));
        Assert.Equal(Errno.None, _a.Udp.JoinGroup(near, to.Address, 2));
        _a.Udp.SetOption(sender, UdpOption.IP_MULTICAST_IF, 2);
        _a.Udp.SetOption(sender, UdpOption.IPV6_MULTICAST_IF, 2);
        byte[] buffer = new byte[3000];
        foreach (int size in new[] { 5, 3000 })
        {
            Assert.Equal(Errno.None, _a.Udp.SendTo(sender, buffer.AsSpan(0, size), to));
            Run();
            Assert.Equal(Errno.None, _b.Udp.Receive(far, buffer, out UdpReceiveInfo info, out int received));
            Assert.Equal((size, 1, to), (received, (int)info.HopLimit, info.Destination));
            Assert.Equal(Errno.None, _a.Udp.Receive(near, buffer, out _, out received));
            Assert.Equal(size, received);
        }

        _a.Udp.SetOption(sender, UdpOption.IP_MULTICAST_LOOP, 0);
        _a.Udp.SetOption(sender, UdpOption.IPV6_MULTICAST_LOOP, 0);
        Assert.Equal(Errno.None, _a.Udp.SendTo(sender, "x"u8, to));
        Run();
        Assert.Equal(Errno.None, _b.Udp.Receive(far, buffer, out _, out _));
        Assert.Equal(Errno.EAGAIN, _a.Udp.Receive(near, buffer, out _, out _));
        _a.Udp.Close(near);
        _a.Udp.Close(sender);
        _b.Udp.Close(far);
        Run();
    }
}
