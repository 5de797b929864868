namespace Portico.Net;

// ICMP errors about datagrams that this stack sent (RFC 1122 4.1.3.3; Linux: __udp4_lib_err, __udp6_lib_err).
public sealed partial class UdpLayer
{
    /// <summary>An ICMP error about a datagram; <paramref name="quoted"/> is the quoted UDP header (at least 8 bytes).</summary>
    internal void HandleIcmpError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
        MibTable<UdpCounter> mib = CountersOf(error.LocalAddress);
        if (!UdpHeader.TryParse(quoted, out UdpHeader header))
        {
            mib[UdpCounter.IgnoredIcmp]++;
            return;
        }

        Endpoint local = new(error.LocalAddress, header.SourcePort);
        Endpoint remote = new(error.RemoteAddress, header.DestinationPort);
        UdpSocket? socket = Lookup(local, remote, error.Interface.Index);
        if (socket == null)
        {
            if (Forwarder != null && error.Interface.AcceptsAnyAddress)
            {
                Forwarder.OnError(local, remote, error.Error);
                return;
            }

            mib[UdpCounter.IgnoredIcmp]++;
            return;
        }

        ref UdpFamilyOptions family = ref socket.OptionsFor(error.RemoteAddress);
        bool isHard = error.IsHard;
        if (error.Mtu >= 0)
        {
            // IP keeps the path MTU, now that the datagram is known to be ours; the socket hears of it unless it leaves its datagrams to
            // fragmentation.
            _stack.Ip.LearnPathMtu(error);
            isHard = family.MtuDiscover != MtuDiscoverDont;
        }

        if (family.ReceiveErrors)
        {
            UdpErrorOrigin origin = error.LocalAddress.IsIpv4 ? UdpErrorOrigin.Icmp : UdpErrorOrigin.Icmpv6;
            UdpErrorInfo info = new(error.Error, origin, error.Type, error.Code, Math.Max(error.Mtu, 0), remote, error.Reporter)
            {
                InterfaceIndex = error.Interface.Index,
                HopLimit = error.HopLimit,
                TrafficClass = error.TrafficClass,
                Timestamp = _engine.Now,
            };
            QueueError(socket, info, quoted[UdpHeader.Length..]);
        }
        else if (!isHard || !socket.IsConnected)
        {
            return;
        }

        socket.Errors.Pending = error.Error;
        _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
    }

    private void QueueError(UdpSocket socket, in UdpErrorInfo info, ReadOnlySpan<byte> quoted)
    {
        if (!socket.Errors.TryAdd(info, quoted, socket.ReceiveMemory, socket.ReceiveMemoryMax))
        {
            CountersOf(info.Destination.Address)[UdpCounter.ErrorQueueDrops]++;
            return;
        }

        _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
    }
}
