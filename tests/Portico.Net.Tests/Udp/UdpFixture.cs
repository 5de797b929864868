using Portico.Net.Tests.Ip;

namespace Portico.Net.Tests.Udp;

/// <summary>A stack with one interface whose link the test plays, at 10.0.0.1/24 and 2001:db8::1/64.</summary>
public abstract class UdpFixture : IDisposable
{
    private protected readonly Engine Engine = new(new EngineOptions { Seed = 3 });
    private protected readonly NetworkStack Stack;
    private protected readonly RecordingLink Link;
    private protected readonly NetworkInterface Interface;
    private protected readonly List<UdpHandle> Opened = [];

    protected UdpFixture()
    {
        Stack = new NetworkStack(Engine);
        Link = new RecordingLink(Engine);
        Interface = Stack.AddInterface("eth0", Link);
        Assert.Equal(Errno.None, Interface.AddAddress(IpPrefix.Parse("10.0.0.1/24")));
        Assert.Equal(Errno.None, Interface.AddAddress(IpPrefix.Parse("2001:db8::1/64")));
    }

    private protected UdpLayer Udp => Stack.Udp;

    public virtual void Dispose()
    {
        foreach (UdpHandle handle in Opened)
        {
            Udp.Close(handle);
        }

        Assert.Equal(0, Udp.QueuedBytes);
        Assert.Equal(0, Udp.SocketCount);
        Assert.Equal(0, Engine.Packets.Outstanding);
        Engine.Dispose();
        GC.SuppressFinalize(this);
    }

    /// <summary>Flags: 6 IPv6, o V6ONLY, r SO_REUSEADDR, p SO_REUSEPORT, 2 bound to interface 2.</summary>
    private protected UdpHandle Open(string flags = "", ISocketOwner? owner = null)
    {
        UdpOpenRequest request = new()
        {
            IsIpv6 = flags.Contains('6'),
            Ipv6Only = flags.Contains('o'),
            ReuseAddress = flags.Contains('r'),
            ReusePort = flags.Contains('p'),
            InterfaceIndex = flags.Contains('2') ? Interface.Index : 0,
        };
        Assert.Equal(Errno.None, Udp.Open(request, owner, out UdpHandle handle));
        Opened.Add(handle);
        return handle;
    }

    private protected UdpHandle Bound(string local, string flags = "", ISocketOwner? owner = null)
    {
        UdpHandle handle = Open(flags, owner);
        Assert.Equal(Errno.None, Udp.Bind(handle, Endpoint.Parse(local)));
        return handle;
    }

    private protected Endpoint LocalOf(UdpHandle handle)
    {
        Assert.Equal(Errno.None, Udp.GetEndpoints(handle, out Endpoint local, out _));
        return local;
    }

    private protected byte[] ReceiveOne(UdpHandle handle, out UdpReceiveInfo info)
    {
        byte[] buffer = new byte[65536];
        Assert.Equal(Errno.None, Udp.Receive(handle, buffer, out info, out int received));
        return buffer[..received];
    }

    private protected bool TryReceive(UdpHandle handle) =>
        Udp.Receive(handle, new byte[10], out _, out _) == Errno.None;

    private protected void Inject(string source, string destination, ReadOnlySpan<byte> payload) =>
        Link.Inject(Datagram(Endpoint.Parse(source), Endpoint.Parse(destination), payload));

    /// <summary>A whole IP packet with right checksums.</summary>
    internal static byte[] Datagram(Endpoint source, Endpoint destination, ReadOnlySpan<byte> payload, byte ttl = 64, byte tos = 0)
    {
        bool isIpv4 = source.Address.IsIpv4;
        int headerLength = isIpv4 ? 20 : 40;
        int length = 8 + payload.Length;
        byte[] packet = new byte[headerLength + length];
        if (isIpv4)
        {
            Ipv4Header.Write(packet, packet.Length, 0, 0x4000, ttl, IpProtocol.Udp, source.Address, destination.Address, tos);
        }
        else
        {
            Ipv6Header.Write(packet, length, IpProtocol.Udp, ttl, source.Address, destination.Address, tos);
        }

        Span<byte> datagram = packet.AsSpan(headerLength);
        UdpHeader.Write(datagram, source.Port, destination.Port, length);
        payload.CopyTo(datagram[8..]);
        ulong sum = InternetChecksum.PseudoHeader(source.Address, destination.Address, IpProtocol.Udp, length);
        ushort checksum = InternetChecksum.Finish(InternetChecksum.Accumulate(sum, datagram));
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(datagram[6..], checksum == 0 ? (ushort)0xFFFF : checksum);
        return packet;
    }

    private protected sealed class Owner : ISocketOwner
    {
        public SocketEvents Events { get; private set; }

        public void OnReady(SocketEvents events) => Events |= events;

        public SocketEvents Take()
        {
            SocketEvents taken = Events;
            Events = SocketEvents.None;
            return taken;
        }
    }
}
