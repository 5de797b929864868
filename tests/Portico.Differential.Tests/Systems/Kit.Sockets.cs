using System.Buffers.Binary;
using System.Globalization;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Sockets. Ports that a kernel has chosen are written down by the order in which they were met, so that two kernels may choose others.
internal sealed unsafe partial class Kit
{
    private const int AddressRoom = 128;
    private readonly List<ushort> _ports = [];

    public long Socket(AddressFamily family, SocketType type, int protocol = 0)
    {
        long result = Raw(socket, (long)family, (long)type, protocol);
        Write($"socket {family} {type} {protocol}", result);
        return result;
    }

    /// <summary>A raw socket, which a case alone may not open.</summary>
    public long RawSocket(AddressFamily family, int protocol)
    {
        long fd = -1;
        system.WithNetRaw(() => fd = Socket(family, SocketType.SOCK_RAW, protocol));
        return fd;
    }

    /// <summary>A packet socket, whose protocol is an EtherType in the machine's order.</summary>
    public long PacketSocket(SocketType type, ushort protocol)
    {
        long fd = -1;
        system.WithNetRaw(() => fd = Socket(AddressFamily.AF_PACKET, type, BinaryPrimitives.ReverseEndianness(protocol)));
        return fd;
    }

    /// <summary>A struct sockaddr of the loopback of a family.</summary>
    public static byte[] Loopback(AddressFamily family, ushort port) =>
        SocketAddress.Of(new Endpoint(IpAddress.Parse(family == AddressFamily.AF_INET ? "127.0.0.1" : "::1"), port));

    public static byte[] Address(string address, ushort port) =>
        SocketAddress.Of(new Endpoint(IpAddress.Parse(address), port));

    public long Bind(long fd, byte[] address) => WithAddress("bind", bind, fd, address);

    public long Connect(long fd, byte[] address) => WithAddress("connect", connect, fd, address);

    /// <summary>Binds to a port of the loopback that the kernel chooses; the port.</summary>
    public ushort BindAny(long fd, AddressFamily family)
    {
        Bind(fd, Loopback(family, 0));
        return PortOf(fd);
    }

    /// <summary>The local port, not written down.</summary>
    public ushort PortOf(long fd)
    {
        byte* address = stackalloc byte[AddressRoom];
        uint length = AddressRoom;
        ushort port = Raw(getsockname, fd, (long)address, (long)(&length)) < 0
            ? (ushort)0
            : BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(address + 2, 2));
        Remember(port);
        return port;
    }

    public void Name(long fd, bool ofPeer = false, uint room = AddressRoom)
    {
        byte* address = stackalloc byte[AddressRoom];
        uint length = room;
        long result = Raw(ofPeer ? getpeername : getsockname, fd, (long)address, (long)(&length));
        Write($"{(ofPeer ? "getpeername" : "getsockname")} {room} -> {(result < 0 ? "" : Show(address, Math.Min(length, room), length))}", result);
    }

    public long Accept(long fd, SocketType flags = 0)
    {
        byte* address = stackalloc byte[AddressRoom];
        uint length = AddressRoom;
        long result = Raw(accept4, fd, (long)address, (long)(&length), (long)flags);
        Write($"accept4 {flags} -> {(result < 0 ? "" : Show(address, length, length))}", result);
        return result;
    }

    public long Send(long fd, ReadOnlySpan<byte> data, MessageFlags flags = 0, byte[]? to = null)
    {
        byte[] copy = data.IsEmpty ? [0] : data.ToArray();
        fixed (byte* p = copy, address = to)
        {
            long result = Raw(sendto, fd, (long)p, data.Length, (long)(flags | MessageFlags.MSG_NOSIGNAL), (long)address, to?.Length ?? 0);
            Write($"sendto {data.Length} {flags}", result);
            return result;
        }
    }

    public long Receive(long fd, int count, MessageFlags flags = 0, bool withAddress = false)
    {
        byte[] buffer = new byte[Math.Max(1, count)];
        byte* address = stackalloc byte[AddressRoom];
        uint length = AddressRoom;
        fixed (byte* p = buffer)
        {
            long result = Raw(recvfrom, fd, (long)p, count, (long)flags, withAddress ? (long)address : 0, withAddress ? (long)(&length) : 0);
            string from = withAddress && result >= 0 ? Show(address, length, length) : "";
            Write($"recvfrom {count} {flags} {from}", result, buffer.AsSpan(0, (int)Math.Clamp(result, 0, count)));
            return result;
        }
    }

    /// <summary>recvmsg(2): the flags that it returns, and the length of the address.</summary>
    public long ReceiveMessage(long fd, int count, MessageFlags flags)
    {
        byte[] buffer = new byte[Math.Max(1, count)];
        byte* address = stackalloc byte[AddressRoom];
        fixed (byte* p = buffer)
        {
            IoVector vector = new(p, (nuint)count);
            ulong* header = stackalloc ulong[7] { (ulong)address, AddressRoom, (ulong)(&vector), 1, 0, 0, 0 };
            long result = Raw(recvmsg, fd, (long)header, (long)flags);
            string returned = result < 0 ? "" : $"{(MessageFlags)(uint)header[6]} {Show(address, (uint)header[1], (uint)header[1])}";
            Write($"recvmsg {count} {flags} -> {returned}", result, buffer.AsSpan(0, (int)Math.Clamp(result, 0, count)));
            return result;
        }
    }

    public long Option(long fd, int level, int option, int value) => Option(fd, level, option, BitConverter.GetBytes(value));

    public long Option(long fd, int level, int option, byte[] value)
    {
        fixed (byte* p = value)
        {
            long result = Raw(setsockopt, fd, level, option, (long)p, value.Length);
            Write($"setsockopt {level} {option} {Convert.ToHexString(value)}", result);
            return result;
        }
    }

    public long GetOption(long fd, int level, int option, int room = sizeof(int), bool withValue = true)
    {
        byte* value = stackalloc byte[Math.Max(1, room)];
        new Span<byte>(value, Math.Max(1, room)).Clear();
        int length = room;
        long result = Raw(getsockopt, fd, level, option, (long)value, (long)(&length));
        Span<byte> shown = result < 0 || !withValue ? default : new Span<byte>(value, Math.Clamp(length, 0, room));
        Write($"getsockopt {level} {option} {room} -> {length}", result, shown);
        return result;
    }

    /// <summary>So many bytes of TCP_INFO, of which the caller writes down what two kernels have in common.</summary>
    public byte[] TcpInfo(long fd, int room, out long result)
    {
        const int TCP_INFO = 11;
        byte[] info = new byte[room];
        fixed (byte* p = info)
        {
            result = Raw(getsockopt, fd, (long)SocketLevel.IPPROTO_TCP, TCP_INFO, (long)p, (long)(&room));
        }

        return info;
    }

    /// <summary>A request for the time of a packet, in seconds and a part: whether it is about now.</summary>
    public void Stamp(long fd, IoctlRequest request)
    {
        long* time = stackalloc long[2] { -1, -1 };
        long result = Raw(ioctl, fd, (long)request, (long)time);
        bool isNow = Math.Abs(time[0] - DateTimeOffset.UtcNow.ToUnixTimeSeconds()) < 100;
        Write($"ioctl {(uint)request:X} {(result < 0 ? "" : isNow ? "now" : "some other time")}", result);
    }

    /// <summary>A listener on the loopback, and its port.</summary>
    public (long Listener, ushort Port) Listener(AddressFamily family, int backlog = 8)
    {
        long listener = Socket(family, SocketType.SOCK_STREAM);
        ushort port = BindAny(listener, family);
        Call(listen, listener, backlog);
        return (listener, port);
    }

    /// <summary>Both ends of a TCP connection over the loopback; the listener is closed.</summary>
    public (long Client, long Server) Connected(AddressFamily family)
    {
        (long listener, ushort port) = Listener(family);
        long client = Socket(family, SocketType.SOCK_STREAM);
        Connect(client, Loopback(family, port));
        PortOf(client);
        long server = Accept(listener);
        Call(close, listener);
        return (client, server);
    }

    private long WithAddress(string call, SyscallNumber number, long fd, byte[] address)
    {
        fixed (byte* p = address)
        {
            long result = Raw(number, fd, (long)p, address.Length);
            fixed (byte* shown = address.Length == 0 ? new byte[1] : address)
            {
                Write($"{call} {Show(shown, (uint)address.Length, (uint)address.Length)}", result);
            }

            return result;
        }
    }

    private void Remember(ushort port)
    {
        if (port != 0 && !_ports.Contains(port))
        {
            _ports.Add(port);
        }
    }

    private string Show(byte* address, uint present, uint length)
    {
        ReadOnlySpan<byte> bytes = new(address, (int)Math.Min(present, AddressRoom));
        if (bytes.Length > 2 && BitConverter.ToUInt16(bytes) == (ushort)AddressFamily.AF_UNIX)
        {
            return ShowUnix(bytes, length);
        }

        if (bytes.Length < 4 || BitConverter.ToUInt16(bytes) is not ((ushort)AddressFamily.AF_INET or (ushort)AddressFamily.AF_INET6))
        {
            return $"{length}:{Convert.ToHexString(bytes)}";
        }

        ushort port = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        int known = _ports.IndexOf(port);
        string name = port == 0 || (known < 0 && port < 1024) ? port.ToString(CultureInfo.InvariantCulture) : known < 0 ? "new" : $"#{known}";
        return $"{length}:{Convert.ToHexString(bytes[..2])}:{name}:{Convert.ToHexString(bytes[4..])}";
    }
}
