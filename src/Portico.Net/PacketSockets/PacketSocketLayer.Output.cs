namespace Portico.Net;

// What sockets put on links, as it is.
public sealed partial class PacketSocketLayer
{
    /// <summary>Who sends at the moment: it is not shown what it sends itself.</summary>
    private PacketSocket? _sender;
    private ushort _sentProtocol;

    /// <summary>
    /// Sends a packet on the interface of <paramref name="to"/>, or where that is null on the one that the socket is bound to. It begins with
    /// the link's header, which a cooked socket is given: to the address that <paramref name="to"/> has. Errors: EBADF, ENXIO for no such
    /// interface, ENETDOWN, EMSGSIZE where it is larger than the link's MTU, EINVAL for one that is shorter than a header or for an
    /// address that is missing, ENOBUFS.
    /// </summary>
    public Errno Send(PacketSocketHandle handle, ReadOnlySpan<byte> data, PacketAddress? to)
    {
        const int Ieee8021QTagBytes = 4;
        if (!TryGet(handle, out PacketSocket? socket))
        {
            return Errno.EBADF;
        }

        int index = to?.InterfaceIndex ?? socket.InterfaceIndex;
        NetworkInterface? output = index > 0 ? _stack.Ip.InterfaceAt(index) : null;
        if (output is not { IsUp: true })
        {
            return output == null ? Errno.ENXIO : Errno.ENETDOWN;
        }

        int headerBytes = output.HeaderBytes;
        int reserved = socket.IsCooked ? 0 : headerBytes;
        if (data.Length > output.Mtu + reserved + Ieee8021QTagBytes)
        {
            return Errno.EMSGSIZE;
        }

        bool hasAddress = to != null || output.IsLoopback || headerBytes == 0;
        if (socket.IsCooked ? !hasAddress : data.Length < headerBytes || data.IsEmpty)
        {
            return Errno.EINVAL;
        }

        if (data.Length > output.Mtu + reserved)
        {
            // Only a frame with a tag of 802.1Q may be longer, and no link here takes one.
            return Errno.EMSGSIZE;
        }

        ushort protocol = to?.Protocol ?? socket.Protocol;
        Packet? packet = _engine.Packets.RentLinear(data.Length + headerBytes - reserved);
        if (packet == null)
        {
            return Errno.ENOBUFS;
        }

        if (socket.IsCooked && headerBytes > 0)
        {
            EthernetHeader.Write(packet.Append(headerBytes), to?.Address ?? default, output.Link.Address, protocol);
        }

        data.CopyTo(packet.Append(data.Length));
        Transmit(socket, packet, output, protocol);
        return Errno.None;
    }

    private void Transmit(PacketSocket socket, Packet packet, NetworkInterface output, ushort protocol)
    {
        bool isOpen = protocol is 0 or AllProtocols && !socket.IsCooked;
        _sender = socket;
        _sentProtocol = !isOpen ? protocol
            : output.HeaderBytes == 0 ? LinkFrame.TypeOf(packet)
            : LinkFrame.OfEthernet(packet, output, isOutgoing: true).Protocol;
        packet.NetworkOffset = packet.TransportOffset = packet.Start + output.HeaderBytes;
        if (output.IsLoopback)
        {
            SendOnLoopback(packet, output);
        }
        else
        {
            output.Transmit(packet);
        }

        _sender = null;
        Counters[PacketCounter.OutPackets]++;
    }

    /// <summary>
    /// The loopback's link carries IP packets and no headers: a frame of a packet socket comes back in as it is, without that link.
    /// </summary>
    private void SendOnLoopback(Packet packet, NetworkInterface loopback)
    {
        if (loopback.IsTapped)
        {
            LinkFrame frame = LinkFrame.OfEthernet(packet, loopback, isOutgoing: true);
            frame.Protocol = _sentProtocol;
            Offer(packet, frame, _sender);
        }

        loopback.TransmitFrameToSelf(packet);
    }
}
