namespace Portico.Net.Tests.Udp;

/// <summary>UDP_SEGMENT and UDP_GRO: over links that take several datagrams as one packet, and over links that do not.</summary>
public sealed class UdpSegmentTests : IDisposable
{
    private readonly Engine _engine = new(new EngineOptions { Seed = 9 });

    public void Dispose()
    {
        Assert.Equal(0, _engine.Packets.Outstanding);
        _engine.Dispose();
    }

    [Theory]
    [InlineData(LinkFeatures.None, LinkKind.Ip, "10.0.0.2", false)]
    [InlineData(LinkFeatures.None, LinkKind.Ip, "2001:db8::2", false)]
    [InlineData(LinkFeatures.Tso4 | LinkFeatures.Tso6 | LinkFeatures.ChecksumOffload, LinkKind.Ip, "10.0.0.2", false)]
    [InlineData(LinkFeatures.Uso | LinkFeatures.ChecksumOffload, LinkKind.Ip, "10.0.0.2", true)]
    [InlineData(LinkFeatures.Uso | LinkFeatures.ChecksumOffload | LinkFeatures.ReceiveChecksumVerified, LinkKind.Ip, "2001:db8::2", true)]
    [InlineData(LinkFeatures.Uso | LinkFeatures.ChecksumOffload, LinkKind.Ethernet, "10.0.0.2", true)]
    [InlineData(LinkFeatures.None, LinkKind.Ethernet, "2001:db8::2", false)]
    public void Every_byte_arrives_in_datagrams_of_the_size(LinkFeatures features, LinkKind kind, string address, bool isWhole)
    {
        Cable cable = new(_engine, new CableOptions { Mtu = 1500, Features = features, Kind = kind });
        NetworkStack sender = MakeStack(cable.A, 1);
        NetworkStack receiver = MakeStack(cable.B, 2);
        byte[] data = new byte[10_050];
        new Random(3).NextBytes(data);
        foreach (bool takes in (bool[])[false, true])
        {
            UdpHandle from = Open(sender, 1000);
            UdpHandle to = Open(receiver, 2000);
            Assert.Equal(Errno.None, receiver.Udp.SetOption(to, UdpOption.UDP_GRO, takes ? 1 : 0));
            Assert.Equal(Errno.None, sender.Udp.SendTo(from, data, new Endpoint(IpAddress.Parse(address), 2000), new UdpSendOptions { SegmentBytes = 1000 }));
            _engine.Advance(_engine.Now + Duration.FromMilliseconds(1));
            _engine.RunPending(int.MaxValue);
            byte[] buffer = new byte[20_000];
            int all = 0;
            int count = 0;
            while (receiver.Udp.Receive(to, buffer.AsSpan(all), out UdpReceiveInfo info, out int received) == Errno.None)
            {
                Assert.Equal(takes && isWhole ? 1000 : 0, info.SegmentBytes);
                Assert.Equal(takes && isWhole ? data.Length : Math.Min(1000, data.Length - all), received);
                all += received;
                count++;
            }

            Assert.Equal(data, buffer[..all]);
            Assert.Equal(takes && isWhole ? 1 : 11, count);
            sender.Udp.Close(from);
            receiver.Udp.Close(to);
        }
    }

    [Fact]
    public void A_forwarder_gets_one_datagram_after_the_other()
    {
        Cable cable = new(_engine, new CableOptions { Mtu = 1500, Features = LinkFeatures.Uso | LinkFeatures.ChecksumOffload });
        NetworkStack sender = MakeStack(cable.A, 1);
        NetworkStack receiver = MakeStack(cable.B, 2);
        Lengths forwarder = new();
        receiver.Udp.Forwarder = forwarder;
        receiver.Interfaces[1].AcceptsAnyAddress = true;
        UdpHandle from = Open(sender, 1000);
        Assert.Equal(Errno.None, sender.Udp.SendTo(from, new byte[2500], Endpoint.Parse("10.0.0.77:9"), new UdpSendOptions { SegmentBytes = 1000 }));
        _engine.RunPending(int.MaxValue);
        Assert.Equal([1000, 1000, 500], forwarder.Seen);
        Assert.Equal(3, receiver.Udp.Ipv4Counters[UdpCounter.Forwarded]);
        sender.Udp.Close(from);
    }

    private sealed class Lengths : IUdpForwarder
    {
        public List<int> Seen { get; } = [];

        public bool OnDatagram(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload)
        {
            Seen.Add(payload.Length);
            return true;
        }

        public void OnError(in Endpoint source, in Endpoint destination, Errno error)
        {
        }
    }

    private NetworkStack MakeStack(ILink link, int number)
    {
        NetworkStack stack = new(_engine);
        NetworkInterface added = stack.AddInterface("eth0", link);
        Assert.Equal(Errno.None, added.AddAddress(IpPrefix.Parse($"10.0.0.{number}/24")));
        Assert.Equal(Errno.None, added.AddAddress(IpPrefix.Parse($"2001:db8::{number}/64")));
        return stack;
    }

    private static UdpHandle Open(NetworkStack stack, ushort port)
    {
        UdpOpenRequest request = new() { IsIpv6 = true, ReceiveBufferBytes = 1 << 20 };
        Assert.Equal(Errno.None, stack.Udp.Open(request, null, out UdpHandle handle));
        Assert.Equal(Errno.None, stack.Udp.Bind(handle, new Endpoint(IpAddress.AnyIpv6, port)));
        return handle;
    }
}
