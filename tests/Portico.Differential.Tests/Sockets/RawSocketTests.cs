using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;

namespace Portico.Differential.Tests.Sockets;

/// <summary>Raw sockets (raw(7)) and those for echo requests (icmp(7)): what they see, what they send, and who may have one.</summary>
public sealed class RawSocketTests
{
    private const int SOL_IP = 0;
    private const int SOL_IPV6 = 41;
    private const int SOL_RAW = 255;
    private const int SOL_ICMPV6 = 58;
    private const int IPPROTO_ICMP = 1;
    private const int IPPROTO_ICMPV6 = 58;
    private const int IPPROTO_TEST = 253;
    private static readonly byte[] s_to = Kit.Loopback(AF_INET, 0);
    private static readonly byte[] s_to6 = Kit.Loopback(AF_INET6, 0);

    /// <summary>Each with what is sent, and the options that are set before.</summary>
    private static readonly Dictionary<string, (byte[] Message, byte[]? To, int Level, int Option, int Value)> s_echoes = new()
    {
        ["a request"] = ([8, 0, 0, 0, 0x12, 0x34, 0, 7, 1, 2, 3], s_to, 0, 0, 0),
        ["a request without a payload"] = ([8, 0, 0, 0, 0, 0, 0, 0], s_to, 0, 0, 0),
        ["a request to another loopback address"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], Kit.Address("127.0.0.2", 0), 0, 0, 0),
        ["a request to no address"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], null, 0, 0, 0),
        ["a request to the unspecified address"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], Kit.Address("0.0.0.0", 0), 0, 0, 0),
        ["a request to a port"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], Kit.Loopback(AF_INET, 77), 0, 0, 0),
        ["a request to nowhere"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], Kit.Address("192.0.2.1", 0), 0, 0, 0),
        ["a request with a TTL"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], s_to, SOL_IP, 2, 9),
        ["a reply"] = ([0, 0, 0, 0, 0, 0, 0, 1, 9], s_to, 0, 0, 0),
        ["a code"] = ([8, 1, 0, 0, 0, 0, 0, 1, 9], s_to, 0, 0, 0),
        ["less than a header"] = ([8, 0, 0, 0, 0, 0, 0], s_to, 0, 0, 0),
        ["nothing"] = ([], s_to, 0, 0, 0),
        ["an address that is too short"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], s_to[..8], 0, 0, 0),
        ["an address of another family"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], s_to6, 0, 0, 0),
        ["an unspecified family"] = ([8, 0, 0, 0, 0, 0, 0, 1, 9], [0, 0, .. s_to[2..]], 0, 0, 0),
        ["too many bytes"] = ([8, 0, .. new byte[65_534]], s_to, 0, 0, 0),
        ["as many bytes as a packet holds"] = ([8, 0, .. new byte[65_513]], s_to, 0, 0, 0),
    };

    public static TheoryData<string> Echoes => [.. s_echoes.Keys];

    [Theory]
    [MemberData(nameof(Echoes))]
    public void An_echo_socket_sends_requests_and_sees_what_answers_them(string echo) => BothKernels.Run(kit =>
    {
        (byte[] message, byte[]? to, int level, int option, int value) = s_echoes[echo];
        long fd = kit.Socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        kit.Option(fd, SOL_IP, 8, 1);
        kit.Option(fd, SOL_IP, 12, 1);
        kit.Option(fd, level, option, value);
        kit.Bind(fd, Kit.Address("0.0.0.0", 0x4321));
        kit.Name(fd);
        kit.Send(fd, message, MSG_DONTWAIT, to);
        kit.Poll(0, (fd, SocketEvents.Readable));
        kit.ReceiveControl(fd, 70_000, 200, MSG_DONTWAIT);
        kit.Receive(fd, 5, MSG_DONTWAIT);
    });

    [Fact]
    public void An_echo_socket_of_IPv6_does_as_well() => BothKernels.Run(kit =>
    {
        long fd = kit.Socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
        kit.Option(fd, SOL_IPV6, 49, 1);
        kit.Option(fd, SOL_IPV6, 51, 1);
        kit.Bind(fd, Kit.Address("::", 0x4321));
        kit.Name(fd);
        kit.Send(fd, [128, 0, 0, 0, 1, 2, 0, 7, 1, 2, 3], MSG_DONTWAIT, s_to6);
        kit.Poll(0, (fd, SocketEvents.Readable));
        kit.ReceiveControl(fd, 100, 200, MSG_DONTWAIT);
        kit.Send(fd, [8, 0, 0, 0, 1, 2, 0, 7, 1, 2, 3], MSG_DONTWAIT, s_to6);
        kit.Send(fd, [128, 0, 0, 0, 1, 2, 0, 7, 1, 2, 3], MSG_DONTWAIT, s_to);
        kit.Connect(fd, s_to6);
        kit.Name(fd, ofPeer: true);
        kit.Send(fd, [128, 0, 0, 0, 1, 2, 0, 8, 1, 2, 3], MSG_DONTWAIT);
        kit.Poll(0, (fd, SocketEvents.Readable));
        kit.Receive(fd, 6, MSG_DONTWAIT | MSG_TRUNC, withAddress: true);
    });

    [Fact]
    public void An_identifier_is_of_one_socket() => BothKernels.Run(kit =>
    {
        long first = kit.Socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        long second = kit.Socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        kit.Bind(first, Kit.Loopback(AF_INET, 0x1234));
        kit.Bind(first, Kit.Loopback(AF_INET, 0x1235));
        kit.Bind(second, Kit.Loopback(AF_INET, 0x1234));
        kit.Bind(second, Kit.Loopback(AF_INET, 0x1235));
        kit.Send(second, [8, 0, 0, 0, 0, 0, 0, 7, 1], MSG_DONTWAIT, s_to);
        kit.Receive(first, 100, MSG_DONTWAIT);
        kit.Receive(second, 100, MSG_DONTWAIT, withAddress: true);
    });

    [Theory]
    [InlineData(AF_INET, 0)]
    [InlineData(AF_INET, 1)]
    [InlineData(AF_INET, 6)]
    [InlineData(AF_INET, 17)]
    [InlineData(AF_INET, 58)]
    [InlineData(AF_INET, 255)]
    [InlineData(AF_INET, 263)]
    [InlineData(AF_INET, -1)]
    [InlineData(AF_INET6, 0)]
    [InlineData(AF_INET6, 1)]
    [InlineData(AF_INET6, 58)]
    [InlineData(AF_INET6, 255)]
    public void Raw_sockets_are_for_the_privileged(AddressFamily family, int protocol) => BothKernels.Run(kit =>
    {
        kit.Socket(family, SOCK_RAW, protocol);
        kit.Socket(family, SOCK_DGRAM, protocol);
        kit.Socket(family, SOCK_STREAM, protocol);
        long fd = kit.RawSocket(family, protocol);
        kit.GetOption(fd, 1, (int)SocketOption.SO_TYPE);
        kit.GetOption(fd, 1, (int)SocketOption.SO_PROTOCOL);
        kit.GetOption(fd, SOL_IP, 3);
        kit.Name(fd);
    });

    [Fact]
    public void A_raw_socket_of_ICMP_sees_requests_and_replies_alike() => BothKernels.Run(kit =>
    {
        long raw = kit.RawSocket(AF_INET, IPPROTO_ICMP);
        kit.Option(raw, SOL_IP, 12, 1);
        long ping = Ping(kit);
        kit.Poll(0, (raw, SocketEvents.Readable));
        for (int i = 0; i < 3; i++)
        {
            Masked(kit, raw, 100);
        }

        kit.Receive(ping, 100, MSG_DONTWAIT);
    });

    [Theory]
    [InlineData(0u)]
    [InlineData(1u << 8)]
    [InlineData(1u)]
    [InlineData(~0u)]
    public void A_filter_keeps_types_of_ICMP_out(uint types) => BothKernels.Run(kit =>
    {
        long raw = kit.RawSocket(AF_INET, IPPROTO_ICMP);
        kit.Option(raw, SOL_RAW, 1, (int)types);
        foreach (int room in (int[])[4, 2, 0, 8])
        {
            kit.GetOption(raw, SOL_RAW, 1, room);
        }

        kit.Option(raw, SOL_RAW, 1, [.. BitConverter.GetBytes(types), 1, 2]);
        kit.Option(raw, SOL_RAW, 2, 0);
        kit.GetOption(raw, SOL_RAW, 2);
        Ping(kit);
        for (int i = 0; i < 3; i++)
        {
            Masked(kit, raw, 100);
        }

        long other = kit.RawSocket(AF_INET, IPPROTO_TEST);
        kit.Option(other, SOL_RAW, 1, 0);
        kit.GetOption(other, SOL_RAW, 1);
    });

    [Fact]
    public void A_filter_keeps_types_of_ICMPv6_out() => BothKernels.Run(kit =>
    {
        foreach (int type in (int[])[-1, 128, 129])
        {
            long raw = kit.RawSocket(AF_INET6, IPPROTO_ICMPV6);
            byte[] filter = new byte[32];
            if (type >= 0)
            {
                filter[type / 8] = (byte)(1 << (type % 8));
            }

            kit.Option(raw, SOL_ICMPV6, 1, filter);
            kit.GetOption(raw, SOL_ICMPV6, 1, 40);
            long ping = kit.Socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
            kit.Bind(ping, Kit.Address("::", 0x4321));
            kit.Send(ping, [128, 0, 0, 0, 1, 2, 0, 7, 1, 2, 3], MSG_DONTWAIT, s_to6);
            for (int i = 0; i < 3; i++)
            {
                kit.Receive(raw, 100, MSG_DONTWAIT, withAddress: true);
            }

            kit.Call(SyscallNumber.close, ping);
        }
    });

    [Fact]
    public void Packets_of_a_protocol_go_to_all_sockets_of_it() => BothKernels.Run(kit =>
    {
        long first = kit.RawSocket(AF_INET, IPPROTO_TEST);
        long second = kit.RawSocket(AF_INET, IPPROTO_TEST);
        long other = kit.RawSocket(AF_INET, IPPROTO_TEST + 1);
        long elsewhere = kit.RawSocket(AF_INET, IPPROTO_TEST);
        long connected = kit.RawSocket(AF_INET, IPPROTO_TEST);
        kit.Bind(elsewhere, Kit.Address("127.0.0.2", 0));
        kit.Connect(connected, Kit.Address("127.0.0.3", 0));
        kit.Name(elsewhere);
        kit.Name(connected);
        kit.Option(first, SOL_IP, 2, 5);
        kit.Option(first, SOL_IP, 1, 0x10);
        kit.Send(first, "raw bytes"u8, MSG_DONTWAIT, s_to);
        foreach (long fd in (long[])[first, second, other, elsewhere, connected])
        {
            kit.IoctlInt(fd, IoctlRequest.FIONREAD);
            Masked(kit, fd, 100);
            Masked(kit, fd, 100);
        }
    });

    [Theory]
    [InlineData("a header")]
    [InlineData("a header without a source")]
    [InlineData("a header with an identification")]
    [InlineData("a header with a wrong length")]
    [InlineData("a header with options")]
    [InlineData("a header that is longer than the packet")]
    [InlineData("less than a header")]
    [InlineData("another destination")]
    [InlineData("another protocol")]
    public void A_program_makes_headers_itself(string kind) => BothKernels.Run(kit =>
    {
        long receiver = kit.RawSocket(AF_INET, IPPROTO_TEST);
        long fd = kit.RawSocket(AF_INET, 255);
        byte[] packet = [0x45, 0x20, 0, 24, 0, 7, 0x40, 0, 33, IPPROTO_TEST, 0xAB, 0xCD, 127, 0, 0, 4, 127, 0, 0, 1, 1, 2, 3, 4];
        switch (kind)
        {
            case "a header without a source":
                packet[12] = packet[15] = 0;
                break;
            case "a header with an identification":
                packet[4] = 9;
                break;
            case "a header with a wrong length":
                packet[3] = 99;
                break;
            case "a header with options":
                packet[0] = 0x46;
                packet[20] = packet[21] = packet[22] = 1;
                packet[23] = 0;
                break;
            case "a header that is longer than the packet":
                packet[0] = 0x4F;
                break;
            case "less than a header":
                packet = packet[..19];
                break;
            case "another destination":
                packet[19] = 5;
                break;
            case "another protocol":
                packet[9] = IPPROTO_TEST + 1;
                break;
        }

        kit.Send(fd, packet, MSG_DONTWAIT, s_to);
        kit.Receive(receiver, 100, MSG_DONTWAIT, withAddress: true);
        kit.Receive(fd, 100, MSG_DONTWAIT);
        long own = kit.RawSocket(AF_INET, IPPROTO_TEST);
        kit.Option(own, SOL_IP, 3, 1);
        kit.Send(own, packet, MSG_DONTWAIT, s_to);
        kit.Receive(receiver, 100, MSG_DONTWAIT, withAddress: true);
    });

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(100)]
    public void A_checksum_of_IPv6_is_filled_in_where_the_program_says(int offset) => BothKernels.Run(kit =>
    {
        long sender = kit.RawSocket(AF_INET6, IPPROTO_TEST);
        long receiver = kit.RawSocket(AF_INET6, IPPROTO_TEST);
        kit.GetOption(sender, SOL_IPV6, 7);
        kit.Option(sender, SOL_IPV6, 7, offset);
        kit.GetOption(sender, SOL_IPV6, 7);
        kit.Send(sender, [1, 2, 3, 4, 5, 6, 7, 8], MSG_DONTWAIT, s_to6);
        kit.Receive(receiver, 100, MSG_DONTWAIT, withAddress: true);
        kit.Option(receiver, SOL_IPV6, 7, 2);
        kit.Send(sender, [1, 2, 3, 4, 5, 6, 7, 8], MSG_DONTWAIT, s_to6);
        kit.Receive(receiver, 100, MSG_DONTWAIT, withAddress: true);
        long icmp = kit.RawSocket(AF_INET6, IPPROTO_ICMPV6);
        kit.GetOption(icmp, SOL_IPV6, 7);
        kit.Option(icmp, SOL_IPV6, 7, offset);
    });

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_raw_socket_hears_of_errors(bool isConnected) => BothKernels.Run(kit =>
    {
        // Nobody is there for this protocol but the sender, whose socket is bound elsewhere.
        long fd = kit.RawSocket(AF_INET, IPPROTO_TEST);
        kit.Bind(fd, Kit.Address("127.0.0.9", 0));
        kit.Option(fd, SOL_IP, 11, 1);
        if (isConnected)
        {
            kit.Connect(fd, s_to);
        }

        kit.Send(fd, "anybody?"u8, MSG_DONTWAIT, s_to);
        kit.Poll(100, (fd, SocketEvents.Readable));
        kit.ReceiveControl(fd, 100, 200, MSG_ERRQUEUE);
        kit.GetOption(fd, 1, (int)SocketOption.SO_ERROR);
    });

    private static long Ping(Kit kit)
    {
        long ping = kit.Socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
        kit.Bind(ping, Kit.Address("0.0.0.0", 0x4321));
        kit.Send(ping, [8, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3], MSG_DONTWAIT, s_to);
        return ping;
    }

    /// <summary>A packet with its IPv4 header, in which identification, DF and the checksum over them are of the kernel's choice.</summary>
    private static unsafe void Masked(Kit kit, long fd, int count)
    {
        byte[] buffer = new byte[count];
        fixed (byte* p = buffer)
        {
            long result = kit.Raw(SyscallNumber.recvfrom, fd, (long)p, count, (long)MSG_DONTWAIT);
            buffer.AsSpan(4, 4).Clear();
            buffer.AsSpan(10, 2).Clear();
            kit.Write("recvfrom", result, buffer.AsSpan(0, (int)Math.Max(0, result)));
        }
    }
}
