using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A UDP socket (udp(7)).</summary>
internal sealed partial class InetDatagramSocket : InetDatagramFile
{
    private readonly UdpHandle _handle;
    private SocketFilter? _filter;
    private bool _isBound;

    private InetDatagramSocket(StackDriver driver, NetworkStack stack, AddressFamily family, out Errno error)
        : base(driver, stack, family, SocketType.SOCK_DGRAM, (int)SocketLevel.IPPROTO_UDP)
    {
        UdpOpenRequest request = new() { IsIpv6 = family == AddressFamily.AF_INET6 };
        error = stack.Udp.Open(request, this, out _handle);
    }

    private UdpLayer Udp => Stack.Udp;

    /// <summary>Errors: ENFILE.</summary>
    public static Errno Make(StackDriver driver, NetworkStack stack, AddressFamily family, out SocketFile? made)
    {
        InetDatagramSocket socket = new(driver, stack, family, out Errno error);
        if (error == Errno.None)
        {
            socket.Tell(UdpOption.IP_MULTICAST_ALL, socket.Inet.Has(InetFlags.MulticastAll));
        }

        made = error == Errno.None ? socket : null;
        return error;
    }

    public override Errno Bind(Process process, ReadOnlySpan<byte> address)
    {
        Errno error = InetAddress.ForBind(Family, IsIpv6Only, address, out Endpoint local);
        if (error != Errno.None)
        {
            return error;
        }

        if (local.Port is > 0 and < 1024 && !process.IsPrivileged)
        {
            return IsOwn(local.Address) ? Errno.EACCES : Errno.EADDRNOTAVAIL;
        }

        if (Family == AddressFamily.AF_INET6 && _isBound)
        {
            // IPv4 looks at the address first, IPv6 at the socket.
            return Errno.EINVAL;
        }

        error = Udp.Bind(_handle, local, CanBindToAny);
        _isBound |= error == Errno.None;
        if (error == Errno.None && Family == AddressFamily.AF_INET6 && local.Address is { IsIpv4: false, IsUnspecified: false })
        {
            // As in Linux: an address of IPv6 makes the socket one of IPv6 only.
            IsIpv6Only = true;
        }

        return error;
    }

    public override Errno Connect(ReadOnlySpan<byte> address)
    {
        if (address.Length < sizeof(ushort))
        {
            return Errno.EINVAL;
        }

        if (SocketAddress.Family(address) == AddressFamily.AF_UNSPEC)
        {
            IsConnected = false;
            return Udp.Disconnect(_handle);
        }

        Errno error = PeerOf(address, Errno.EAFNOSUPPORT, out Endpoint remote);
        error = error == Errno.None ? TakeScope(address, remote.Address) : error;
        error = error == Errno.None ? Udp.Connect(_handle, remote) : error;

        if (error == Errno.None)
        {
            IsConnected = _isBound = true;
            KeepFlowInfo(address);
        }

        return error;
    }

    public override Errno Shutdown(ShutdownHow how) =>
        Udp.Shutdown(_handle, how != ShutdownHow.SHUT_WR, how != ShutdownHow.SHUT_RD);

    public override Errno Send(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        int length = (int)Math.Min(source.Remaining, int.MaxValue);
        Endpoint destination = default;
        Errno error = _pending == null ? CheckSend(source.Remaining, ref message, out destination) : CheckAppend(source.Remaining, message);
        IpSendControl control = BeginControl(message);
        if (error == Errno.None && _pending == null)
        {
            bool isIpv4 = !IsIpv6 || (message.Address.IsEmpty ? RemoteAddress : destination.Address).IsIpv4;
            error = ReadControl(message.Sender!, message.Control, isIpv4, ref control);
        }

        if (error != Errno.None)
        {
            return error;
        }

        bool isCorked = _isCorked || (message.Flags & MessageFlags.MSG_MORE) != 0;
        if (_pending != null || isCorked)
        {
            error = Append(ref source, message.Address.IsEmpty ? null : destination, control);
            error = error == Errno.None && !isCorked ? SendPending() : error;
        }
        else
        {
            error = SendNow(ref source, message.Address.IsEmpty ? null : destination, control);
        }

        count = error == Errno.None ? length : 0;
        return error;
    }

    private Errno SendNow(ref IoCursor source, Endpoint? destination, in IpSendControl control)
    {
        int length = (int)source.Remaining;
        if (source.Lacks(length))
        {
            return Errno.EFAULT;
        }

        ReadOnlySpan<byte> data = source.Next();
        if (data.Length == length)
        {
            return Transmit(data, destination, control);
        }

        byte[] gathered = System.Buffers.ArrayPool<byte>.Shared.Rent(length);
        source.Read(gathered.AsSpan(0, length));
        Errno error = Transmit(gathered.AsSpan(0, length), destination, control);
        System.Buffers.ArrayPool<byte>.Shared.Return(gathered);
        return error;
    }

    /// <summary>What Linux asks before it looks for a route, in the order of udp_sendmsg and udpv6_sendmsg.</summary>
    private Errno CheckSend(long length, ref SocketMessage message, out Endpoint destination)
    {
        destination = default;
        if (Family == AddressFamily.AF_INET)
        {
            return length > 65_535 ? Errno.EMSGSIZE
                : (message.Flags & MessageFlags.MSG_OOB) != 0 ? Errno.EOPNOTSUPP
                : message.Address.IsEmpty ? IsConnected ? Errno.None : Errno.EDESTADDRREQ
                : InetAddress.ForSendIpv4(message.Address, out destination) is var wrong && wrong != Errno.None ? wrong
                : destination.Port == 0 ? Errno.EINVAL
                : Errno.None;
        }

        if (message.Address.Length >= sizeof(ushort) && SocketAddress.Family(message.Address) == AddressFamily.AF_UNSPEC)
        {
            message.Address = default;
        }

        Errno error = message.Address.IsEmpty ? Errno.None : PeerOf(message.Address, Errno.ENETUNREACH, out destination);
        if (error == Errno.EAFNOSUPPORT)
        {
            return Errno.EINVAL;
        }

        // Only what fits IPv4's length could be gathered; IPv6 says the same a little later.
        return error != Errno.None ? error
            : message.Address.IsEmpty && !IsConnected ? Errno.EDESTADDRREQ
            : length > 65_535 ? Errno.EMSGSIZE
            : !message.Address.IsEmpty && destination.Port == 0 ? Errno.EINVAL
            : Errno.None;
    }

    /// <summary>An IPv6 socket takes addresses of IPv4 as they are, too, unless it is of IPv6 only.</summary>
    private Errno PeerOf(ReadOnlySpan<byte> address, Errno whereOnlyIpv6, out Endpoint peer)
    {
        if (Family != AddressFamily.AF_INET6 || address.Length < sizeof(ushort) || SocketAddress.Family(address) != AddressFamily.AF_INET)
        {
            return InetAddress.ForPeer(Family, IsIpv6Only, address, out peer);
        }

        peer = default;
        return IsIpv6Only ? whereOnlyIpv6 : InetAddress.ForSendIpv4(address, out peer);
    }

    /// <summary>
    /// An address of a link is one only together with an interface (RFC 4007): the one of its scope, which the socket is then bound to.
    /// Errors: EINVAL without one, or where the socket is bound to another.
    /// </summary>
    private Errno TakeScope(ReadOnlySpan<byte> address, in IpAddress peer)
    {
        const ulong Link = 2;
        bool isOfLink = peer.IsLinkLocal || (peer.IsMulticast && ((peer.High >> 48) & 0xF) is 1 or Link);
        if (!IsIpv6 || peer.IsIpv4 || !isOfLink)
        {
            return Errno.None;
        }

        int scope = address.Length >= SocketAddress.Ipv6Bytes ? SocketAddress.ReadScope(address) : 0;
        scope = scope == 0 && peer.IsMulticast && Generic.InterfaceIndex == 0 ? Inet.Ipv6MulticastInterface : scope;
        if (Generic.InterfaceIndex == 0 ? scope == 0 : scope != 0 && scope != Generic.InterfaceIndex)
        {
            return Errno.EINVAL;
        }

        if (Generic.InterfaceIndex == 0)
        {
            OwnGeneric.InterfaceIndex = scope;
            OnGenericChanged(SocketOption.SO_BINDTOIFINDEX);
        }

        return Errno.None;
    }

    protected override SocketFilter? Filter
    {
        get => _filter;
        set
        {
            _filter = value;
            Udp.AttachFilter(_handle, value);
        }
    }

    protected override SocketEvents Ready => Udp.Poll(_handle);

    protected override void GetEndpoints(out Endpoint local, out Endpoint remote) => Udp.GetEndpoints(_handle, out local, out remote);

    protected override Errno Take(Span<byte> buffer, UdpReceiveFlags flags, out UdpReceiveInfo info, out int received) =>
        Udp.Receive(_handle, buffer, flags, out info, out received);

    protected override Errno PeekFrom(Span<byte> buffer, ref int offset, out UdpReceiveInfo info, out int received) =>
        Udp.Peek(_handle, buffer, ref offset, out info, out received);

    protected override Errno TakeQueuedError(out UdpErrorInfo error) => Udp.ReceiveError(_handle, out error);

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request == IoctlRequest.FIONREAD)
        {
            Span<byte> none = [];
            Errno error = Udp.Receive(_handle, none, UdpReceiveFlags.Peek, out UdpReceiveInfo info, out _);
            return MemoryMarshal.TryWrite(argument, error == Errno.None ? info.TotalLength : 0) ? Errno.None : Errno.EFAULT;
        }

        if (request == IoctlRequest.SIOCOUTQ)
        {
            // A datagram is on its way when the call returns.
            return MemoryMarshal.TryWrite(argument, 0) ? Errno.None : Errno.EFAULT;
        }

        return AnswerRequest(request, argument);
    }

    internal override void OnReleased(OpenFileDescription description)
    {
        DropPending();
        Udp.Close(_handle);
    }

    private bool IsOwn(in IpAddress address) => address.IsUnspecified || address.IsMulticast || Stack.Ip.IsLocalAddress(address);
}
