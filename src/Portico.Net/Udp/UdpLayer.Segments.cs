namespace Portico.Net;

// Several datagrams as one packet (UDP_SEGMENT, UDP_GRO; RFC 768 knows nothing of it): links that can take them whole do, and whoever does
// not want them so gets them one by one.
public sealed partial class UdpLayer
{
    /// <summary>UDP_MAX_SEGMENTS.</summary>
    private const int SegmentsMax = 128;

    /// <summary>
    /// What Linux asks of a send of segments once it has a route: EMSGSIZE where a segment does not fit the path, EINVAL for too many of them
    /// or without checksums.
    /// </summary>
    private static Errno CheckSegments(UdpSocket socket, int length, int segmentBytes, bool isIpv4, int pathMtu)
    {
        int headers = UdpHeader.Length + (isIpv4 ? IpLayer.Ipv4HeaderBytes : IpLayer.Ipv6HeaderBytes);
        return headers + Math.Min(length, segmentBytes) > pathMtu ? Errno.EMSGSIZE
            : length > segmentBytes * SegmentsMax || (isIpv4 ? socket.NoChecksum : socket.SendsNoChecksum6) ? Errno.EINVAL
            : Errno.None;
    }

    /// <summary>
    /// Queues a payload as the socket takes it. <paramref name="whole"/> is the packet that has the headers still in front, which may be the
    /// same.
    /// </summary>
    private void Deliver(
        UdpSocket socket, Packet packet, Packet whole, in IpInfo info, in Endpoint source, in Endpoint destination, MibTable<UdpCounter> mib)
    {
        if (packet.GsoSize == 0 || socket.TakesSegments)
        {
            Enqueue(socket, packet, whole, info, source, destination, mib);
            return;
        }

        int pulled = whole.Start - whole.NetworkOffset;
        whole.Push(pulled);
        if (!Segmentation.TryBegin(whole, out Segmentation cutter))
        {
            whole.Pull(pulled);
            Drop(packet, mib, UdpCounter.InErrors, UdpCounter.DropBadLength);
            return;
        }

        while (!cutter.IsDone)
        {
            Packet? segment = cutter.Next(_engine.Packets);
            if (segment == null)
            {
                socket.Drops++;
                mib[UdpCounter.InErrors]++;
                mib[UdpCounter.MemErrors]++;
                _stack.NoteDrop(mib.NameOf(UdpCounter.MemErrors));
                break;
            }

            segment.Pull(pulled);
            Enqueue(socket, segment, segment, info, source, destination, mib);
        }

        whole.Pull(pulled);
        packet.Release();
    }
}
