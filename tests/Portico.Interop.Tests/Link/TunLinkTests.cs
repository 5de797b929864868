using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Interop.Tests.Link;

public sealed class TunLinkTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>Keeps what comes in, and answers each SYN with a RST whose checksum the kernel is to finish.</summary>
    private sealed class Refuser(KernelNamespace kernel) : ILinkClient
    {
        public BlockingCollection<(byte[] Bytes, ChecksumState Checksum, int GsoSize)> Received { get; } = [];

        public void HandleFrame(Packet packet)
        {
            byte[] bytes = new byte[packet.Length];
            packet.CopyTo(bytes);
            Received.Add((bytes, packet.Checksum, packet.GsoSize));
            packet.Release();
            if (bytes[0] >> 4 == 4 && bytes[9] == (byte)IpProtocol.Tcp && (bytes[33] & 2) != 0)
            {
                Refuse(bytes);
            }
        }

        private void Refuse(byte[] syn)
        {
            Packet reset = kernel.Driver.Engine.Packets.RentLinear(40)!;
            Span<byte> bytes = reset.Append(40);
            IpAddress source = IpAddress.ReadIpv4(syn.AsSpan(16));
            IpAddress destination = IpAddress.ReadIpv4(syn.AsSpan(12));
            Ipv4Header.Write(bytes, 40, 0, 0, 64, IpProtocol.Tcp, source, destination, 0);
            Assert.True(TcpHeader.TryParse(syn.AsSpan(20), out TcpHeader header));
            TcpHeader.Write(
                bytes[20..], header.DestinationPort, header.SourcePort, 0, header.Sequence + 1, 20, TcpFlags.Rst | TcpFlags.Ack, 0, 0);
            reset.NetworkOffset = reset.Start;
            reset.TransportOffset = reset.Start + 20;
            reset.Checksum = ChecksumState.Partial;
            kernel.Link.Transmit(reset);
        }
    }

    [Fact]
    public void The_kernels_datagrams_arrive_with_their_checksum_left_open()
    {
        using KernelNamespace kernel = new(mtu: 65535);
        Refuser client = new(kernel);
        kernel.Link.Attach(client);
        kernel.Start();
        using Socket socket = kernel.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        byte[] payload = new byte[65507];
        new Random(1).NextBytes(payload);
        foreach (int length in (int[])[0, 1, 1672, 1673, 1700, 9000, 15844, 15845, 40000, 65507])
        {
            socket.SendTo(payload, length, SocketFlags.None, new IPEndPoint(KernelNamespace.PorticoIpv4.Address.ToIPAddress(), 9));
            (byte[] bytes, ChecksumState checksum, int gsoSize) received;
            do
            {
                // Neighbour and router solicitations of the kernel's own come too.
                Assert.True(client.Received.TryTake(out received, s_patience));
            }
            while (received.bytes[0] >> 4 != 4);

            Assert.Equal(28 + length, received.bytes.Length);
            Assert.Equal(ChecksumState.Partial, received.checksum);
            Assert.True(received.bytes.AsSpan(28).SequenceEqual(payload.AsSpan(0, length)));
        }
    }

    [Fact]
    public void The_kernel_finishes_and_accepts_the_checksum_of_what_is_sent_to_it()
    {
        using KernelNamespace kernel = new();
        kernel.Link.Attach(new Refuser(kernel));
        kernel.Start();
        using Socket socket = kernel.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        SocketException refused = Assert.ThrowsAny<SocketException>(
            () => socket.Connect(KernelNamespace.PorticoIpv4.Address.ToIPAddress(), 80));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);

        // The kernel has the packet before the link has counted it.
        SpinWait.SpinUntil(() => kernel.Link.Counters[TunCounter.OutPackets] != 0, s_patience);
        Assert.Equal(1, kernel.Link.Counters[TunCounter.OutPackets]);
    }

    [Fact]
    public void Without_offloads_checksums_arrive_complete()
    {
        using KernelNamespace kernel = new(offloads: false);
        Refuser client = new(kernel);
        kernel.Link.Attach(client);
        kernel.Start();
        Assert.Equal(LinkFeatures.None, kernel.Link.Features);
        using Socket socket = kernel.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.SendTo([1, 2, 3], new IPEndPoint(KernelNamespace.PorticoIpv4.Address.ToIPAddress(), 9));
        (byte[] bytes, ChecksumState checksum, int gsoSize) received;
        do
        {
            Assert.True(client.Received.TryTake(out received, s_patience));
        }
        while (received.bytes[0] >> 4 != 4);

        ulong sum = InternetChecksum.PseudoHeader(
            KernelNamespace.KernelIpv4.Address, KernelNamespace.PorticoIpv4.Address, IpProtocol.Udp, 11);
        Assert.Equal(0xFFFF, InternetChecksum.Fold(InternetChecksum.Accumulate(sum, received.bytes.AsSpan(20))));
        Assert.NotEqual(ChecksumState.Partial, received.checksum);
    }

    [Fact]
    public void A_tap_device_speaks_Ethernet()
    {
        using KernelNamespace kernel = new(LinkKind.Ethernet);
        Refuser client = new(kernel);
        kernel.Link.Attach(client);
        kernel.Start();
        using Socket socket = kernel.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        socket.SendTo([1], new IPEndPoint(KernelNamespace.PorticoIpv4.Address.ToIPAddress(), 9));
        (byte[] bytes, ChecksumState checksum, int gsoSize) received;
        do
        {
            Assert.True(client.Received.TryTake(out received, s_patience));
        }
        while (received.bytes[12] != 0x08 || received.bytes[13] != 0x06);

        Assert.True(ArpPacket.TryParse(received.bytes.AsSpan(14), out ArpPacket request));
        Assert.Equal(KernelNamespace.PorticoIpv4.Address, request.TargetProtocol);
    }

    [Fact]
    public void A_name_that_is_taken_is_said_in_one_line()
    {
        using KernelNamespace kernel = new();
        LinuxException error = Assert.Throws<LinuxException>(
            () => kernel.Invoke(() => TunDevice.Create(new TunOptions { Name = "portico0" })));
        Assert.Equal(Errno.EBUSY, error.Error);
        Assert.Equal("cannot create the network device 'portico0': the name is in use", error.Message);
    }

    [Fact]
    public void A_descriptor_that_is_no_device_is_refused()
    {
        using FileStream file = File.OpenRead("/dev/null");
        Assert.Throws<LinuxException>(() => TunDevice.FromDescriptor((int)file.SafeFileHandle.DangerousGetHandle()));
    }
}
