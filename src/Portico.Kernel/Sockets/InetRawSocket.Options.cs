using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of sockets below the transports: filters and checksums besides what all internet sockets have.
internal sealed partial class InetRawSocket
{
    private const int SOL_RAW = 255;
    private const int SOL_ICMPV6 = 58;
    private const int ICMP_FILTER = 1;
    private const int IcmpFilterBytes = 4;
    private const int Icmp6FilterBytes = 32;
    private const int IcmpChecksumOffset = 2;

    /// <summary>IPV6_CHECKSUM.</summary>
    private int _checksumOffset;

    /// <summary>ICMP_FILTER or ICMP6_FILTER, eight words in all; null while nothing is kept out.</summary>
    private uint[]? _keptOut;

    /// <summary>A socket of UDP that never receives: it holds the groups that this one has joined.</summary>
    private UdpHandle? _groups;

    protected override bool HasPeekOffset => false;

    protected override Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        Errno error = CheckFilter(level, option, out int bytes);
        if (bytes != 0)
        {
            return error != Errno.None ? error : Return(MemoryMarshal.AsBytes<uint>(_keptOut ?? new uint[8])[..bytes], value, out length);
        }

        return IsChecksum(level, option) ? Return(_checksumOffset, value, out length)
            : IsHeaderIncluded(level, option) ? Return(Inet.Has(InetFlags.HeaderIncluded) ? 1 : 0, value, out length)
            : level == SOL_RAW && !_isEcho ? Errno.ENOPROTOOPT
            : base.GetProtocolOption(level, option, value, out length);
    }

    protected override Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        Errno error = CheckFilter(level, option, out int bytes);
        if (bytes != 0)
        {
            if (error == Errno.None)
            {
                _keptOut ??= new uint[8];
                value[..Math.Min(value.Length, bytes)].CopyTo(MemoryMarshal.AsBytes(_keptOut.AsSpan()));
                Raw.SetFilter(_handle, _keptOut);
            }

            return error;
        }

        if (IsChecksum(level, option))
        {
            return SetChecksum(level, value);
        }

        if (IsHeaderIncluded(level, option))
        {
            return SetHeaderIncluded(value);
        }

        return level != SOL_RAW || _isEcho ? base.SetProtocolOption(process, level, option, value)
            : IsIpv6 && value.Length < sizeof(int) ? Errno.EINVAL
            : Errno.ENOPROTOOPT;
    }

    protected override void OnGenericChanged(SocketOption option) => UpdateOptions();

    protected override void OnIpChanged(IpOption option) => UpdateOptions();

    protected override void OnIpv6Changed(Ipv6Option option) => UpdateOptions();

    protected override Errno ChangeMembership(MembershipChange change, in IpAddress group, in IpAddress source, int interfaceIndex)
    {
        if (_groups == null)
        {
            Errno error = Stack.Udp.Open(new UdpOpenRequest { IsIpv6 = IsIpv6 }, null, out UdpHandle opened);
            if (error != Errno.None)
            {
                return error;
            }

            _groups = opened;
        }

        return ChangeMembership(Stack.Udp, _groups.Value, change, group, source, interfaceIndex);
    }

    private void LeaveGroups()
    {
        if (_groups is { } opened)
        {
            Stack.Udp.Close(opened);
            _groups = null;
        }
    }

    /// <summary>Bytes of the filter that a level and option name; 0 for another option. Errors: EOPNOTSUPP for another protocol's socket.</summary>
    private Errno CheckFilter(int level, int option, out int bytes)
    {
        bytes = _isEcho || option != ICMP_FILTER ? 0
            : !IsIpv6 && level == SOL_RAW ? IcmpFilterBytes
            : IsIpv6 && level == SOL_ICMPV6 ? Icmp6FilterBytes
            : 0;
        return bytes == 0 || Protocol == (int)(IsIpv6 ? IpProtocol.Icmpv6 : IpProtocol.Icmp) ? Errno.None : Errno.EOPNOTSUPP;
    }

    private bool IsChecksum(int level, int option) =>
        IsIpv6 && !_isEcho && level is (int)SocketLevel.IPPROTO_IPV6 or SOL_RAW && option == (int)Ipv6Option.IPV6_CHECKSUM;

    private bool IsHeaderIncluded(int level, int option) =>
        IsIpv6 && !_isEcho && level is (int)SocketLevel.IPPROTO_IPV6 or SOL_RAW && option == (int)Ipv6Option.IPV6_HDRINCL;

    private Errno SetHeaderIncluded(ReadOnlySpan<byte> value)
    {
        if (value.Length < sizeof(int))
        {
            return Errno.EINVAL;
        }

        OwnInet.Set(InetFlags.HeaderIncluded, MemoryMarshal.Read<int>(value) != 0);
        UpdateOptions();
        return Errno.None;
    }

    private Errno SetChecksum(int level, ReadOnlySpan<byte> value)
    {
        if (value.Length < sizeof(int))
        {
            return Errno.EINVAL;
        }

        int offset = MemoryMarshal.Read<int>(value);
        bool isIcmp = Protocol == (int)IpProtocol.Icmpv6 && level == (int)SocketLevel.IPPROTO_IPV6;
        if (isIcmp || (offset > 0 && (offset & 1) != 0))
        {
            return Errno.EINVAL;
        }

        _checksumOffset = Math.Max(offset, -1);
        UpdateOptions();
        return Errno.None;
    }

    private void UpdateOptions()
    {
        RawOptions options = new()
        {
            HopLimit = IsIpv6 ? Inet.HopLimit : Inet.Ttl,
            MulticastHopLimit = IsIpv6 ? Inet.MulticastHops : Inet.MulticastTtl,
            TrafficClass = IsIpv6 ? Inet.TrafficClass : Inet.Tos,
            MtuDiscover = IsIpv6 ? Inet.Ipv6MtuDiscover : Inet.MtuDiscover,
            MulticastLoop = Inet.Has(IsIpv6 ? InetFlags.Ipv6MulticastLoop : InetFlags.MulticastLoop),
            Broadcast = Generic.Has(GenericFlags.Broadcast),
            ReuseAddress = Generic.Has(GenericFlags.ReuseAddress),
            HeaderIncluded = Inet.Has(InetFlags.HeaderIncluded),
            ReceiveErrors = Inet.Has(IsIpv6 ? InetFlags.Ipv6ReceiveErrors : InetFlags.ReceiveErrors),
            ChecksumOffset = _checksumOffset,
            InterfaceIndex = Generic.InterfaceIndex,
            MulticastInterface = IsIpv6 ? Inet.Ipv6MulticastInterface : Inet.MulticastInterface.Index,
            UnicastInterface = IsIpv6 ? Inet.Ipv6UnicastInterface : Inet.UnicastInterface,
            RouterAlert = Inet.Has(InetFlags.RouterAlert),
            DontRoute = Generic.Has(GenericFlags.DontRoute),
            FragmentMtu = IsIpv6 ? Inet.FragmentMtu : 0,
            ReceiveMemoryMax = Generic.ReceiveBuffer,
        };
        Raw.SetOptions(_handle, options);
    }
}
