namespace Portico.Net;

// SO_ATTACH_FILTER of connections and listeners: what a filter wants nothing of has not arrived, and what it cuts off neither; the peer
// sends it again (tcp_filter in Linux).
public sealed unsafe partial class TcpLayer
{
    /// <summary>The filters of connections, by the places of these.</summary>
    private readonly Dictionary<uint, SocketFilter> _filters = [];

    /// <summary>Says which segments the connection gets, and how much of each; null for all of them.</summary>
    public void AttachFilter(TcpHandle handle, SocketFilter? filter)
    {
        Tcb* c = Find(handle);
        if (c != null)
        {
            SetFilter(c, filter);
        }
    }

    /// <summary>The same of a listener, and of the connections that are made from what comes to it from now on.</summary>
    public void AttachFilter(TcpListenerHandle handle, SocketFilter? filter)
    {
        Listener? listener = Find(handle);
        if (listener != null)
        {
            listener.Filter = filter;
        }
    }

    private void SetFilter(Tcb* c, SocketFilter? filter)
    {
        SetExtra(c, TcbExtras.Filtered, filter != null);
        if (filter == null)
        {
            _filters.Remove(c->Index);
        }
        else
        {
            _filters[c->Index] = filter;
        }
    }

    private void FreeFilter(Tcb* c)
    {
        if (Has(c, TcbExtras.Filtered))
        {
            SetFilter(c, null);
        }
    }

    /// <summary>Cuts a segment to what a filter leaves of it, which is its header at least; false where it wants nothing of it.</summary>
    private bool Passes(SocketFilter? filter, ref Arrival seg)
    {
        if (filter == null)
        {
            return true;
        }

        ChecksumOffload.Show(seg.Packet);
        uint kept = filter.Run(FilterPacket.OfTransport(seg.Packet, 0, seg.Info));
        if (kept == 0)
        {
            CountDrop(TcpCounter.Filtered);
            return false;
        }

        int cut = seg.Packet.Length - (int)Math.Min(Math.Max(kept, (uint)seg.HeaderLength), (uint)seg.Packet.Length);
        if (cut > 0)
        {
            seg.Packet.TrimTo(seg.Packet.Length - cut);
            seg.Length -= cut;
            seg.EndSeq -= (uint)cut;
        }

        return true;
    }
}
