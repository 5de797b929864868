using System.Buffers;
using Portico.Net;

namespace Portico.Kernel;

// What becomes of the bytes of a send: one datagram, several of one size (UDP_SEGMENT), or a part of one that more will follow
// (UDP_CORK, MSG_MORE).
internal sealed partial class InetDatagramSocket
{
    private const int PayloadMax = 65_535 - 8 - 20;

    /// <summary>The datagram that is being put together; null for none.</summary>
    private byte[]? _pending;
    private int _pendingLength;
    private Endpoint? _pendingDestination;
    private IpSendControl _pendingControl;

    /// <summary>The rest of a datagram that has begun: where it goes has been said.</summary>
    private Errno CheckAppend(long length, in SocketMessage message) =>
        length > 65_535 ? Errno.EMSGSIZE : !IsIpv6 && (message.Flags & MessageFlags.MSG_OOB) != 0 ? Errno.EOPNOTSUPP : Errno.None;

    private Errno Append(ref IoCursor source, Endpoint? destination, in IpSendControl control)
    {
        int length = (int)source.Remaining;
        if (_pending == null)
        {
            _pending = ArrayPool<byte>.Shared.Rent(PayloadMax);
            _pendingLength = 0;
            _pendingDestination = destination;
            _pendingControl = control;
        }

        if (_pendingLength + length > PayloadMax)
        {
            // The whole datagram is given up, as in Linux.
            DropPending();
            return Errno.EMSGSIZE;
        }

        if (source.Lacks(length))
        {
            DropPending();
            return Errno.EFAULT;
        }

        _pendingLength += source.Read(_pending.AsSpan(_pendingLength, length));
        return Errno.None;
    }

    private Errno SendPending()
    {
        if (_pending == null)
        {
            return Errno.None;
        }

        Errno error = Transmit(_pending.AsSpan(0, _pendingLength), _pendingDestination, _pendingControl);
        DropPending();
        return error;
    }

    private void DropPending()
    {
        if (_pending != null)
        {
            ArrayPool<byte>.Shared.Return(_pending);
            _pending = null;
        }
    }

    private Errno Transmit(ReadOnlySpan<byte> data, Endpoint? destination, in IpSendControl control)
    {
        IpAddress to = destination?.Address ?? RemoteAddress;
        UdpSendOptions options = OptionsFor(to, control);
        if (to.IsIpv4 && options.InterfaceIndex != 0 && FindInterface(options.InterfaceIndex) == null)
        {
            return Errno.ENODEV;
        }

        if (to.IsIpv4 && !options.Source.IsUnspecified && !Stack.Ip.IsLocalAddress(options.Source))
        {
            // There is no way out from an address of somebody else.
            return Errno.ENETUNREACH;
        }

        return destination is { } given ? Udp.SendTo(_handle, data, given, options) : Udp.Send(_handle, data, options);
    }

    /// <summary>The control messages, and where they say nothing what IPV6_PKTINFO and IP_MULTICAST_IF say.</summary>
    private UdpSendOptions OptionsFor(in IpAddress to, in IpSendControl control)
    {
        UdpSendOptions options = new()
        {
            Source = control.Source,
            InterfaceIndex = control.InterfaceIndex,
            HopLimit = (byte)Math.Max(control.HopLimit, 0),
            TrafficClass = (byte)Math.Max(control.TrafficClass, 0),
            HasTrafficClass = control.TrafficClass >= 0,
            MustFit = !to.IsIpv4 && MustFit(control),
            OnLink = control.IsOnLink,
            FlowLabel = control.FlowInfo,
            SegmentBytes = control.SegmentBytes >= 0 ? control.SegmentBytes : _segmentBytes,
            Timestamping = control.Timestamping,
            TimestampId = control.TimestampId,
        };
        if (!to.IsIpv4)
        {
            options.Source = options.Source.IsUnspecified ? Inet.StickyPacketInfo.Source : options.Source;
            options.InterfaceIndex = options.InterfaceIndex == 0 ? Inet.StickyPacketInfo.InterfaceIndex : options.InterfaceIndex;
        }
        else if (to.IsMulticast && options.Source.IsUnspecified && Inet.MulticastInterface.Address != 0 && LocalAddress.IsUnspecified)
        {
            options.Source = IpAddress.FromIpv4(System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(Inet.MulticastInterface.Address));
        }

        return options;
    }
}
