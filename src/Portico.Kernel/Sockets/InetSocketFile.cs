using Portico.Net;

namespace Portico.Kernel;

/// <summary>A socket of AF_INET or AF_INET6: what all of them share are the options of IP.</summary>
internal abstract partial class InetSocketFile(
    StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol, SocketOptionRecord? options = null)
    : SocketFile(driver, stack, family, type, protocol, options)
{
    /// <summary>What is kept for the levels IPPROTO_IP and IPPROTO_IPV6, to be looked at.</summary>
    protected ref readonly InetOptions Inet => ref Options.Inet;

    /// <summary>The same to be written to.</summary>
    protected ref InetOptions OwnInet => ref OwnOptions.Inet;

    protected bool IsIpv6 => Family == AddressFamily.AF_INET6;

    protected bool IsIpv6Only
    {
        get => Inet.Has(InetFlags.Ipv6Only);
        set => OwnInet.Set(InetFlags.Ipv6Only, value);
    }

    private bool IsStream => SocketKind == SocketType.SOCK_STREAM;

    private bool IsRaw => SocketKind == SocketType.SOCK_RAW;

    /// <summary>The local port, or the protocol of a raw socket; 0 before there is one (inet_num in Linux).</summary>
    protected abstract int LocalNumber { get; }

    /// <summary>The own address; unspecified before there is one.</summary>
    protected abstract IpAddress LocalAddress { get; }

    /// <summary>The MTU of the path to the peer, in bytes. Errors: ENOTCONN without one.</summary>
    protected abstract Errno GetPathMtu(out int mtu);

    /// <summary>Whether the socket has a peer (TCP_ESTABLISHED in Linux, for all protocols).</summary>
    protected abstract bool IsEstablished { get; }

    protected override Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        return level switch
        {
            (int)SocketLevel.IPPROTO_IP when !IsIpv6 || !IsRaw => GetIpOption((IpOption)option, value, out length),
            (int)SocketLevel.IPPROTO_IPV6 when IsIpv6 => GetIpv6Option((Ipv6Option)option, value, out length),
            _ => IsIpv6 ? Errno.ENOPROTOOPT : Errno.EOPNOTSUPP,
        };
    }

    protected override Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value) => level switch
    {
        (int)SocketLevel.IPPROTO_IP when !IsIpv6 || !IsRaw => SetIpOption(process, (IpOption)option, value),
        (int)SocketLevel.IPPROTO_IPV6 when IsIpv6 => SetIpv6Option(process, (Ipv6Option)option, value),
        _ => Errno.ENOPROTOOPT,
    };

    /// <summary>An option of IP has been set: what of it the engine has to know is to be passed on.</summary>
    protected virtual void OnIpChanged(IpOption option)
    {
    }

    /// <summary>The same of IPv6.</summary>
    protected virtual void OnIpv6Changed(Ipv6Option option)
    {
    }

    /// <summary>The interface that an own address is of; null for an address of somebody else.</summary>
    private Net.NetworkInterface? InterfaceOf(in IpAddress address)
    {
        if (!Stack.Ip.IsLocalAddress(address))
        {
            return null;
        }

        foreach (Net.NetworkInterface candidate in Stack.Interfaces)
        {
            foreach (InterfaceAddress own in candidate.Addresses)
            {
                if (own.Prefix.Address == address)
                {
                    return candidate;
                }
            }
        }

        return Stack.Loopback;
    }

    /// <summary>The flow label in sin6_flowinfo.</summary>
    protected const uint FlowLabelMask = 0xF_FFFF;

    /// <summary>IPV6_FLOWINFO_SEND: the flow label that an address of IPv6 has; 0 where it does not count.</summary>
    protected uint FlowInfoOf(ReadOnlySpan<byte> address) =>
        Inet.Has(InetFlags.Ipv6FlowInfoSend) && address.Length >= SocketAddress.Ipv6BytesMin && SocketAddress.Family(address) == AddressFamily.AF_INET6
            ? SocketAddress.ReadFlowInfo(address)
            : 0;

    /// <summary>connect has succeeded: what is sent without an address has the flow label of this one.</summary>
    protected void KeepFlowInfo(ReadOnlySpan<byte> address)
    {
        // A stream keeps the bits of ECN to itself.
        uint flow = FlowInfoOf(address) & (IsStream ? ~((uint)EcnMask << TrafficClassShift) : uint.MaxValue);
        if (flow != Inet.FlowInfo)
        {
            OwnInet.FlowInfo = flow;
        }
    }

    /// <summary>The address of a peer, as getpeername(2) returns it.</summary>
    protected int WritePeer(Span<byte> address, in Endpoint peer)
    {
        int length = SocketAddress.Write(address, Family, peer);
        if (Inet.Has(InetFlags.Ipv6FlowInfoSend) && IsIpv6)
        {
            SocketAddress.WriteFlowInfo(address, Inet.FlowInfo);
        }

        return length;
    }

    /// <summary>Joins or leaves a group, or one of its sources. Streams have none (EPROTO).</summary>
    protected virtual Errno ChangeMembership(MembershipChange change, in IpAddress group, in IpAddress source, int interfaceIndex) => Errno.EPROTO;

    /// <summary>The same for a socket of the engine that holds the groups.</summary>
    protected static Errno ChangeMembership(
        UdpLayer udp, UdpHandle handle, MembershipChange change, in IpAddress group, in IpAddress source, int interfaceIndex) => change switch
    {
        MembershipChange.Join => udp.JoinGroup(handle, group, interfaceIndex),
        MembershipChange.Leave => udp.LeaveGroup(handle, group, interfaceIndex),
        MembershipChange.JoinSource => udp.JoinSource(handle, group, source, interfaceIndex),
        MembershipChange.LeaveSource => udp.LeaveSource(handle, group, source, interfaceIndex),
        MembershipChange.BlockSource => udp.BlockSource(handle, group, source, interfaceIndex),
        _ => udp.UnblockSource(handle, group, source, interfaceIndex),
    };

    /// <summary>IP_MSFILTER. Streams have no groups.</summary>
    protected virtual Errno SetSourceFilter(in IpAddress group, int interfaceIndex, MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources) => Errno.EINVAL;

    /// <summary>The same read.</summary>
    protected virtual Errno GetSourceFilter(
        in IpAddress group, int interfaceIndex, out MulticastFilterMode mode, Span<IpAddress> sources, out int count)
    {
        mode = default;
        count = 0;
        return Errno.EADDRNOTAVAIL;
    }
}

/// <summary>What a program asks for a group.</summary>
internal enum MembershipChange
{
    Join,
    Leave,
    JoinSource,
    LeaveSource,
    BlockSource,
    UnblockSource,
}
