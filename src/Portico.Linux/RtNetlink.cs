using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Configures interfaces of the calling thread's network namespace by rtnetlink(7): what <c>ip link</c>, <c>ip address</c> and
/// <c>ip route</c> do.
/// </summary>
public sealed unsafe class RtNetlink : IDisposable
{
    private const ushort RTM_NEWLINK = 16;
    private const ushort RTM_NEWADDR = 20;
    private const ushort RTM_NEWROUTE = 24;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLM_F_REQUEST = 1;
    private const ushort NLM_F_ACK = 4;
    private const ushort NLM_F_REPLACE = 0x100;
    private const ushort NLM_F_CREATE = 0x400;
    private const ushort IFLA_ADDRESS = 1;
    private const ushort IFLA_MTU = 4;
    private const ushort IFA_ADDRESS = 1;
    private const ushort IFA_LOCAL = 2;
    private const byte IFA_F_NODAD = 2;
    private const ushort RTA_DST = 1;
    private const ushort RTA_OIF = 4;
    private const ushort RTA_GATEWAY = 5;
    private const ushort RTA_PREFSRC = 7;
    private const uint IFF_UP = 1;
    private const int HeaderBytes = 16;

    private readonly byte[] _message = new byte[512];
    private readonly int _fd;
    private int _length;
    private uint _sequence;

    /// <summary>Opens a socket in the calling thread's network namespace, where it stays.</summary>
    public RtNetlink()
    {
        _fd = LibC.Socket(LibC.AF_NETLINK, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, 0);
        if (_fd < 0)
        {
            throw LinuxException.Last("netlink socket");
        }
    }

    /// <summary>The index of an interface of the calling thread's namespace.</summary>
    public static int IndexOf(string name)
    {
        uint index = LibC.InterfaceIndex(name);
        return index != 0 ? (int)index : throw LinuxException.Last($"interface {name}");
    }

    /// <summary>Sets an interface up; and its MTU and link-layer address where they are given.</summary>
    public void SetUp(int index, int mtu = 0, MacAddress address = default)
    {
        Begin(RTM_NEWLINK, 0);
        Span<byte> body = Append(16);
        MemoryMarshal.Write(body[4..], index);
        MemoryMarshal.Write(body[8..], IFF_UP);
        MemoryMarshal.Write(body[12..], IFF_UP);
        if (mtu != 0)
        {
            MemoryMarshal.Write(Attribute(IFLA_MTU, 4), mtu);
        }

        if (address != default)
        {
            address.Write(Attribute(IFLA_ADDRESS, 6));
        }

        Send("set the interface up");
    }

    /// <summary>Adds an address with its prefix; an IPv6 address is usable at once, without duplicate address detection.</summary>
    public void AddAddress(int index, IpPrefix prefix)
    {
        Begin(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE);
        Span<byte> body = Append(8);
        body[0] = Family(prefix.Address);
        body[1] = (byte)prefix.Length;
        body[2] = prefix.Address.IsIpv4 ? (byte)0 : IFA_F_NODAD;
        MemoryMarshal.Write(body[4..], index);
        WriteAddress(Attribute(IFA_LOCAL, prefix.Address.WireLength), prefix.Address);
        WriteAddress(Attribute(IFA_ADDRESS, prefix.Address.WireLength), prefix.Address);
        Send($"add address {prefix}");
    }

    /// <summary>
    /// Adds a route through an interface, and through a gateway where one is given; a prefix of length 0 is the default route.
    /// </summary>
    public void AddRoute(int index, IpPrefix destination, IpAddress? gateway = null, IpAddress? preferredSource = null)
    {
        Begin(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE);
        Span<byte> body = Append(12);
        body[0] = Family(destination.Address);
        body[1] = (byte)destination.Length;
        body[4] = 254; // RT_TABLE_MAIN
        body[5] = 4;   // RTPROT_STATIC
        body[6] = gateway == null && destination.Address.IsIpv4 ? (byte)253 : (byte)0; // RT_SCOPE_LINK or RT_SCOPE_UNIVERSE
        body[7] = 1;   // RTN_UNICAST
        if (destination.Length > 0)
        {
            WriteAddress(Attribute(RTA_DST, destination.Address.WireLength), destination.Address);
        }

        if (gateway is IpAddress next)
        {
            WriteAddress(Attribute(RTA_GATEWAY, next.WireLength), next);
        }

        if (preferredSource is IpAddress source)
        {
            WriteAddress(Attribute(RTA_PREFSRC, source.WireLength), source);
        }

        MemoryMarshal.Write(Attribute(RTA_OIF, 4), index);
        Send($"add route {destination}");
    }

    private static byte Family(in IpAddress address) => (byte)(address.IsIpv4 ? LibC.AF_INET : LibC.AF_INET6);

    private static void WriteAddress(Span<byte> destination, IpAddress address)
    {
        if (address.IsIpv4)
        {
            address.WriteIpv4(destination);
        }
        else
        {
            address.WriteIpv6(destination);
        }
    }

    private void Begin(ushort type, ushort flags)
    {
        Array.Clear(_message);
        _length = HeaderBytes;
        Span<byte> header = _message;
        MemoryMarshal.Write(header[4..], type);
        MemoryMarshal.Write(header[6..], (ushort)(flags | NLM_F_REQUEST | NLM_F_ACK));
        MemoryMarshal.Write(header[8..], ++_sequence);
    }

    private Span<byte> Append(int bytes)
    {
        Span<byte> added = _message.AsSpan(_length, bytes);
        _length += (bytes + 3) & ~3;
        return added;
    }

    private Span<byte> Attribute(ushort type, int bytes)
    {
        Span<byte> header = Append(4);
        MemoryMarshal.Write(header, (ushort)(bytes + 4));
        MemoryMarshal.Write(header[2..], type);
        return Append(bytes);
    }

    private void Send(string what)
    {
        MemoryMarshal.Write(_message, _length);
        fixed (byte* message = _message)
        {
            if (LibC.Send(_fd, message, (nuint)_length, 0) < 0)
            {
                throw LinuxException.Last(what);
            }
        }

        byte* reply = stackalloc byte[1024];
        while (true)
        {
            nint length = LibC.Receive(_fd, reply, 1024, 0);
            if (length < 0)
            {
                throw LinuxException.Last(what);
            }

            if (length < HeaderBytes + 4 || *(ushort*)(reply + 4) != NLMSG_ERROR || *(uint*)(reply + 8) != _sequence)
            {
                continue;
            }

            int error = -*(int*)(reply + HeaderBytes);
            if (error != 0)
            {
                throw LinuxException.From(what, (Errno)error);
            }

            return;
        }
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => LibC.Close(_fd);
}
