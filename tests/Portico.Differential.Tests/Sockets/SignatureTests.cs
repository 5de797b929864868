using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.AddressFamily;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Sockets;

/// <summary>TCP's MD5 signatures (RFC 2385; TCP_MD5SIG and TCP_MD5SIG_EXT).</summary>
public sealed class SignatureTests
{
    private const int SOL_TCP = 6;
    private const int TCP_MD5SIG = 14;
    private const int TCP_MD5SIG_EXT = 32;
    private const byte Prefix = 1;
    private const byte Interface = 2;
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    public static TheoryData<AddressFamily> Families => [AF_INET, AF_INET6];

    public static TheoryData<string, string> Addresses => new()
    {
        { "inet", "127.0.0.1" },
        { "inet6", "::1" },
        { "inet6", "::ffff:127.0.0.1" },
    };

    [Theory]
    [MemberData(nameof(Families))]
    public void A_key_is_set_and_forgotten_with_Linux_s_checks(AddressFamily family) => BothKernels.Run(kit =>
    {
        long fd = kit.Socket(family, SOCK_STREAM);
        string local = family == AF_INET ? "127.0.0.1" : "::1";
        string wide = family == AF_INET ? "10.0.0.0" : "fd00::";
        foreach (int option in (int[])[TCP_MD5SIG, TCP_MD5SIG_EXT])
        {
            kit.Option(fd, SOL_TCP, option, []);
            kit.Option(fd, SOL_TCP, option, 1);
            kit.Option(fd, SOL_TCP, option, Key(family, local, "secret")[..215]);
            kit.Option(fd, SOL_TCP, option, [.. Key(family, local, "secret"), 0, 0, 0, 0]);
            kit.Option(fd, SOL_TCP, option, Key(family, local, ""));
            kit.Option(fd, SOL_TCP, option, Key(family, local, ""));
            kit.Option(fd, SOL_TCP, option, Key(family, local, new string('k', 80)));
            kit.Option(fd, SOL_TCP, option, Key(family, local, "another"));
            kit.Option(fd, SOL_TCP, option, WithLength(Key(family, local, new string('k', 80)), 81));
            kit.Option(fd, SOL_TCP, option, WithLength(Key(family, local, new string('k', 80)), 0xFFFF));
            kit.Option(fd, SOL_TCP, option, Key(AF_UNIX, local, "secret"));
            kit.Option(fd, SOL_TCP, option, Key(family == AF_INET ? AF_INET6 : AF_INET, local, "secret"));
            foreach (byte prefix in (byte[])[0, 1, 8, 24, 32, 33, 64, 128, 129, 255])
            {
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "secret", Prefix, prefix));
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "", Prefix, prefix));
            }

            kit.Option(fd, SOL_TCP, option, Key(family, wide, "secret", 0, 8));
            kit.Option(fd, SOL_TCP, option, Key(family, wide, "", Prefix, 8));
            kit.Option(fd, SOL_TCP, option, Key(family, wide, "", Prefix, family == AF_INET ? (byte)32 : (byte)128));
            foreach (int device in (int[])[0, 1, 77, -1])
            {
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "secret", Interface, 0, device));
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "", 0, 0, device));
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "", Interface, 0, device));
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "secret", 0, 0, device));
                kit.Option(fd, SOL_TCP, option, Key(family, wide, "", 0, 0, device));
            }

            kit.Option(fd, SOL_TCP, option, Key(family, wide, "secret", 0xFF, 8));
            kit.Option(fd, SOL_TCP, option, Key(family, local, ""));
            kit.GetOption(fd, SOL_TCP, option, 216);
            kit.GetOption(fd, SOL_TCP, option, 4);
        }
    });

    [Fact]
    public void A_mapped_address_has_the_prefixes_of_IPv4() => BothKernels.Run(kit =>
    {
        long fd = kit.Socket(AF_INET6, SOCK_STREAM);
        foreach (byte prefix in (byte[])[0, 8, 32, 33, 96, 128])
        {
            kit.Option(fd, SOL_TCP, TCP_MD5SIG_EXT, Key(AF_INET6, "::ffff:10.0.0.0", "secret", Prefix, prefix));
            kit.Option(fd, SOL_TCP, TCP_MD5SIG_EXT, Key(AF_INET6, "::ffff:10.0.0.0", "", Prefix, prefix));
        }
    });

    [Theory]
    [MemberData(nameof(Addresses))]
    public void Both_ends_with_the_key_talk(string family, string address) => BothKernels.Run(kit =>
    {
        (long client, long server, long listener) = Connect(kit, Of(family), address, "secret", "secret");
        if (server < 0)
        {
            return;
        }

        Show(kit, client, server);
        kit.WriteBytes(client, "question"u8);
        kit.Receive(server, 100);
        kit.WriteBytes(server, new byte[20_000]);
        kit.Receive(client, 20_000, MSG_WAITALL);
        kit.Call(shutdown, client, (long)ShutdownHow.SHUT_WR);
        kit.Receive(server, 100);
        kit.Call(close, server);
        kit.Receive(client, 100);
        kit.Call(close, listener);
    });

    [Theory]
    [InlineData("secret", "other")]
    [InlineData("secret", null)]
    [InlineData(null, "secret")]
    public void Ends_without_the_same_key_do_not(string? ofListener, string? ofClient) => BothKernels.Run(kit =>
    {
        foreach (string address in (string[])["127.0.0.1", "::1"])
        {
            long[] before = Counters(kit);
            (long client, long server, long listener) = Connect(kit, address.Contains(':', StringComparison.Ordinal) ? AF_INET6 : AF_INET, address, ofListener, ofClient);
            kit.Poll(0, (client, Everything));
            kit.Call(close, client);
            kit.Call(close, listener);
            kit.Note($"{server < 0}");
            Kit.Settle();
            kit.Note(string.Join(' ', Counters(kit).Zip(before, static (now, then) => now > then)));
        }
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void An_accepted_socket_has_the_key_of_its_peer_alone(AddressFamily family) => BothKernels.Run(kit =>
    {
        string local = family == AF_INET ? "127.0.0.1" : "::1";
        string wide = family == AF_INET ? "127.0.0.0" : "::";
        long listener = kit.Socket(family, SOCK_STREAM);
        kit.Option(listener, SOL_TCP, TCP_MD5SIG_EXT, Key(family, wide, "wide", Prefix, 0));
        kit.Option(listener, SOL_TCP, TCP_MD5SIG_EXT, Key(family, wide, "secret", Prefix, 8));
        (long client, long server) = Connect(kit, listener, family, local, "secret");
        if (server < 0)
        {
            return;
        }

        foreach (long fd in (long[])[server, listener])
        {
            kit.Option(fd, SOL_TCP, TCP_MD5SIG_EXT, Key(family, wide, "", Prefix, 0));
            kit.Option(fd, SOL_TCP, TCP_MD5SIG_EXT, Key(family, wide, "", Prefix, 8));
        }

        kit.WriteBytes(client, "question"u8);
        kit.Receive(server, 100);
        kit.Option(server, SOL_TCP, TCP_MD5SIG, Key(family, local, ""));
        kit.Option(server, SOL_TCP, TCP_MD5SIG, Key(family, local, ""));
        kit.WriteBytes(client, "unheard"u8);
        Kit.Settle();
        kit.Receive(server, 100, MSG_DONTWAIT);
        kit.Option(client, SOL_TCP, TCP_MD5SIG, Key(family, local, ""));
        kit.Poll(3000, (server, SocketEvents.Readable));
        kit.Receive(server, 100, MSG_DONTWAIT);
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void A_reset_is_signed(AddressFamily family) => BothKernels.Run(kit =>
    {
        (long client, long server, _) = Connect(kit, family, family == AF_INET ? "127.0.0.1" : "::1", "secret", "secret");
        if (server < 0)
        {
            return;
        }

        kit.WriteBytes(client, "unread"u8);
        Kit.Settle();
        kit.Call(close, server);
        Kit.Settle();
        kit.Receive(client, 100);
        kit.Poll(0, (client, Everything));
    });

    [Theory]
    [MemberData(nameof(Families))]
    public void Nobody_refuses_what_is_signed(AddressFamily family) => BothKernels.Run(kit =>
    {
        string local = family == AF_INET ? "127.0.0.1" : "::1";
        long closed = kit.Socket(family, SOCK_STREAM);
        byte[] address = Kit.Loopback(family, kit.BindAny(closed, family));
        long client = kit.Socket(family, SOCK_STREAM | SOCK_NONBLOCK);
        kit.Option(client, SOL_TCP, TCP_MD5SIG, Key(family, local, "secret"));
        kit.Connect(client, address);
        kit.Poll(200, (client, Everything));
    });

    /// <summary>TCPMD5NotFound, TCPMD5Unexpected and TCPMD5Failure.</summary>
    private static long[] Counters(Kit kit)
    {
        string[] lines = [.. kit.ReadText("/proc/thread-self/net/netstat").Split('\n').Where(static line => line.StartsWith("TcpExt:", StringComparison.Ordinal))];
        string[] names = lines[0].Split(' ');
        string[] values = lines[1].Split(' ');
        return [.. values.Where((_, i) => names[i].StartsWith("TCPMD5", StringComparison.Ordinal)).Select(static value => long.Parse(value, CultureInfo.InvariantCulture))];
    }

    private static AddressFamily Of(string name) => name == "inet" ? AF_INET : AF_INET6;

    private static (long Client, long Server, long Listener) Connect(Kit kit, AddressFamily family, string address, string? ofListener, string? ofClient)
    {
        long listener = kit.Socket(family, SOCK_STREAM);
        if (ofListener != null)
        {
            kit.Option(listener, SOL_TCP, TCP_MD5SIG, Key(family, address, ofListener));
        }

        (long client, long server) = Connect(kit, listener, family, address, ofClient);
        return (client, server, listener);
    }

    /// <summary>A client with a key, and what the listener accepts; below 0 where nothing comes in a while.</summary>
    private static (long Client, long Server) Connect(Kit kit, long listener, AddressFamily family, string address, string? key)
    {
        bool isMapped = address.StartsWith("::ffff:", StringComparison.Ordinal);
        long client = kit.Socket(family, SOCK_STREAM | SOCK_NONBLOCK);
        byte[] any = SocketAddress.Of(new Endpoint(family == AF_INET ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, 0));
        kit.Bind(listener, any);
        ushort port = kit.PortOf(listener);
        kit.Call(listen, listener, 5);
        kit.NonBlocking(listener);
        if (key != null)
        {
            kit.Option(client, SOL_TCP, TCP_MD5SIG, Key(family, address, key));
        }

        byte[] to = new byte[family == AF_INET ? 16 : 28];
        Sockaddr(to, family, address);
        BinaryPrimitives.WriteUInt16BigEndian(to.AsSpan(2), port);
        kit.Note(isMapped ? "mapped" : "");
        kit.Connect(client, to);
        kit.Poll(200, (client, SocketEvents.Writable));
        kit.PortOf(client);
        long server = kit.Accept(listener);
        kit.Call(fcntl, client, 4, 0);
        return (client, server);
    }

    /// <summary>struct tcp_md5sig.</summary>
    private static byte[] Key(AddressFamily family, string address, string key, byte flags = 0, byte prefix = 0, int device = 0)
    {
        byte[] value = new byte[216];
        Sockaddr(value, family, address);
        value[128] = flags;
        value[129] = prefix;
        BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(130), (ushort)key.Length);
        BinaryPrimitives.WriteInt32LittleEndian(value.AsSpan(132), device);
        Encoding.ASCII.GetBytes(key, value.AsSpan(136));
        return value;
    }

    private static void Sockaddr(Span<byte> to, AddressFamily family, string address)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)family);
        byte[] bytes = System.Net.IPAddress.Parse(address).GetAddressBytes();
        bytes.CopyTo(to[(bytes.Length == 4 ? 4 : 8)..]);
    }

    private static byte[] WithLength(byte[] value, ushort length)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(value.AsSpan(130), length);
        return value;
    }

    /// <summary>Of TCP_INFO what was agreed on, and the length of a segment's data less that of the path's.</summary>
    private static void Show(Kit kit, params long[] sockets)
    {
        foreach (long fd in sockets)
        {
            byte[] info = kit.TcpInfo(fd, 104, out long result);
            kit.Write($"TCP_INFO state {info[0]} options {info[5]:X} segment {BitConverter.ToUInt32(info, 16)}", result);
        }
    }
}
