using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A socket below the transports: a raw one (raw(7)), which sees the packets of a protocol, or one for echo requests (icmp(7)), which
/// everybody may have whose group net.ipv4.ping_group_range says.
/// </summary>
internal sealed partial class InetRawSocket : InetDatagramFile
{
    private const int IPPROTO_RAW = 255;
    private const int IcmpHeaderBytes = 8;
    private readonly RawHandle _handle;
    private SocketFilter? _filter;
    private readonly bool _isEcho;

    private InetRawSocket(StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol, out Errno error)
        : base(driver, stack, family, type, protocol)
    {
        _isEcho = type == SocketType.SOCK_DGRAM;
        RawOpenRequest request = new() { IsIpv6 = family == AddressFamily.AF_INET6, Protocol = (byte)protocol, IsEcho = _isEcho };
        error = stack.Raw.Open(request, this, out _handle);
        if (error == Errno.None)
        {
            _checksumOffset = IsIpv6 && protocol == (int)IpProtocol.Icmpv6 ? IcmpChecksumOffset : -1;
            OwnInet.Set(InetFlags.HeaderIncluded, protocol == IPPROTO_RAW);
            OwnGeneric.Set(GenericFlags.ReuseAddress, true);
            IsIpv6Only = IsIpv6 && _isEcho;
            UpdateOptions();
        }
    }

    private RawLayer Raw => Stack.Raw;

    /// <summary>Errors: ENFILE.</summary>
    public static Errno Make(StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol, out SocketFile? made)
    {
        InetRawSocket socket = new(driver, stack, family, type, protocol, out Errno error);
        made = error == Errno.None ? socket : null;
        return error;
    }

    public override Errno Bind(Process process, ReadOnlySpan<byte> address)
    {
        if (address.Length < (IsIpv6 ? SocketAddress.Ipv6BytesMin : SocketAddress.Ipv4Bytes))
        {
            return Errno.EINVAL;
        }

        AddressFamily given = SocketAddress.Family(address);
        Endpoint local = IsIpv6 ? SocketAddress.ReadIpv6(address) : SocketAddress.ReadIpv4(address);
        bool isOld = !IsIpv6 && given == AddressFamily.AF_UNSPEC && local.Address.IsUnspecified;
        if (given != Family && (_isEcho ? !isOld : IsIpv6))
        {
            // A raw socket of IPv4 does not look at the family at all.
            return _isEcho ? Errno.EAFNOSUPPORT : Errno.EINVAL;
        }

        if (IsIpv6 && local.Address.IsIpv4)
        {
            return _isEcho ? Errno.EINVAL : Errno.EADDRNOTAVAIL;
        }

        return IsConnected && !_isEcho ? Errno.EINVAL : Raw.Bind(_handle, local, CanBindToAny);
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
            return Raw.Disconnect(_handle);
        }

        if (IsIpv6 && SocketAddress.Family(address) == AddressFamily.AF_INET)
        {
            return Errno.EAFNOSUPPORT;
        }

        Errno error = InetAddress.ForPeer(Family, IsIpv6Only, address, out Endpoint remote);
        error = error == Errno.None ? Raw.Connect(_handle, remote) : error;
        if (error == Errno.None)
        {
            IsConnected = true;
            KeepFlowInfo(address);
        }

        return error;
    }

    public override Errno Shutdown(ShutdownHow how) => Raw.Shutdown(_handle, how != ShutdownHow.SHUT_WR, how != ShutdownHow.SHUT_RD);

    public override Errno Send(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        int length = (int)Math.Min(source.Remaining, int.MaxValue);
        byte[] data = ArrayPool<byte>.Shared.Rent(Math.Min(length, ushort.MaxValue));
        Errno error = CheckSend(source.Remaining, ref source, data, ref message, out IpAddress destination);
        IpSendControl control = BeginControl(message);
        if (error == Errno.None)
        {
            error = ReadControl(message.Sender!, message.Control, !IsIpv6, ref control);
        }

        if (error == Errno.None && control.InterfaceIndex != 0 && FindInterface(control.InterfaceIndex) == null)
        {
            error = Errno.ENODEV;
        }

        if (error == Errno.None && source.HasFaulted)
        {
            error = Errno.EFAULT;
        }

        if (error == Errno.None)
        {
            error = Raw.Send(_handle, data.AsSpan(0, length), destination, protocol: 0, ToOptions(control));
        }

        ArrayPool<byte>.Shared.Return(data);
        count = error == Errno.None ? length : 0;
        return error;
    }

    /// <summary>What Linux asks before it looks for a route (raw_sendmsg, rawv6_sendmsg, ping_common_sendmsg); gathers the bytes.</summary>
    private Errno CheckSend(long length, ref IoCursor source, byte[] data, ref SocketMessage message, out IpAddress destination)
    {
        destination = default;
        bool isLong = length > ushort.MaxValue;
        if (isLong && (_isEcho || !IsIpv6))
        {
            return Errno.EMSGSIZE;
        }

        if (_isEcho && length < IcmpHeaderBytes)
        {
            return Errno.EINVAL;
        }

        if ((message.Flags & MessageFlags.MSG_OOB) != 0)
        {
            return Errno.EOPNOTSUPP;
        }

        source.Read(data.AsSpan(0, (int)Math.Min(length, ushort.MaxValue)));
        byte request = IsIpv6 ? Icmpv6Type.EchoRequest : IcmpType.EchoRequest;
        if (_isEcho && (data[0] != request || data[1] != 0))
        {
            return Errno.EINVAL;
        }

        if (message.Address.IsEmpty)
        {
            destination = RemoteAddress;
            return !IsConnected ? Errno.EDESTADDRREQ : IsIpv6 && destination.IsIpv4 ? Errno.ENETUNREACH : isLong ? Errno.EMSGSIZE : Errno.None;
        }

        int needed = !IsIpv6 ? SocketAddress.Ipv4Bytes : _isEcho ? SocketAddress.Ipv6Bytes : SocketAddress.Ipv6BytesMin;
        if (message.Address.Length < needed)
        {
            return Errno.EINVAL;
        }

        AddressFamily given = SocketAddress.Family(message.Address);
        if (given != Family && (_isEcho || given != AddressFamily.AF_UNSPEC))
        {
            return Errno.EAFNOSUPPORT;
        }

        Endpoint to = IsIpv6 ? SocketAddress.ReadIpv6(message.Address) : SocketAddress.ReadIpv4(message.Address);
        destination = to.Address;
        bool isOtherProtocol = IsIpv6 && !_isEcho && to.Port != 0 && to.Port != Protocol && Protocol != IPPROTO_RAW;
        return isOtherProtocol || (IsIpv6 && destination.IsIpv4) ? Errno.EINVAL : isLong ? Errno.EMSGSIZE : Errno.None;
    }

    /// <summary>IPV6_DONTFRAG is of these protocols.</summary>
    private bool MayRefuseFragments => Protocol is (int)IpProtocol.Udp or (int)IpProtocol.Icmpv6 or IPPROTO_RAW;

    private UdpSendOptions ToOptions(in IpSendControl control) => new()
    {
        Source = control.Source.IsUnspecified && IsIpv6 ? Inet.StickyPacketInfo.Source : control.Source,
        InterfaceIndex = control.InterfaceIndex == 0 && IsIpv6 ? Inet.StickyPacketInfo.InterfaceIndex : control.InterfaceIndex,
        HopLimit = (byte)Math.Max(control.HopLimit, 0),
        TrafficClass = (byte)Math.Max(control.TrafficClass, 0),
        HasTrafficClass = control.TrafficClass >= 0,
        MustFit = MayRefuseFragments && MustFit(control),
        OnLink = control.IsOnLink,
        FlowLabel = control.FlowInfo,
    };

    public override Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        return (message.Flags & MessageFlags.MSG_OOB) != 0 ? Errno.EOPNOTSUPP : base.Receive(ref destination, ref message, out count);
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (_isEcho || request is not (IoctlRequest.FIONREAD or IoctlRequest.SIOCOUTQ))
        {
            return AnswerRequest(request, argument);
        }

        int bytes = 0;
        if (request == IoctlRequest.FIONREAD)
        {
            Raw.Receive(_handle, default, UdpReceiveFlags.Peek, out UdpReceiveInfo info, out _);
            bytes = info.TotalLength;
        }

        return MemoryMarshal.TryWrite(argument, bytes) ? Errno.None : Errno.EFAULT;
    }

    internal override void OnReleased(OpenFileDescription description)
    {
        LeaveGroups();
        Raw.Close(_handle);
    }

    /// <summary>An echo socket does not say, as in Linux.</summary>
    protected override IpAddress AnswerAddress(in UdpReceiveInfo info) => _isEcho ? IpAddress.AnyIpv4 : base.AnswerAddress(info);

    protected override SocketFilter? Filter
    {
        get => _filter;
        set
        {
            _filter = value;
            Raw.AttachFilter(_handle, value);
        }
    }

    protected override bool TellsWholeLength => !_isEcho;

    protected override SocketEvents Ready => Raw.Poll(_handle);

    protected override long Drops => Raw.GetDrops(_handle);

    protected override Errno TakeError() => Raw.TakeError(_handle);

    protected override Errno GetPathMtu(out int mtu) => Raw.GetPathMtu(_handle, out mtu);

    protected override void GetEndpoints(out Endpoint local, out Endpoint remote) => Raw.GetEndpoints(_handle, out local, out remote);

    protected override Errno Take(Span<byte> buffer, UdpReceiveFlags flags, out UdpReceiveInfo info, out int received) =>
        Raw.Receive(_handle, buffer, flags, out info, out received);

    protected override Errno TakeQueuedError(out UdpErrorInfo error) => Raw.ReceiveError(_handle, out error);
}
