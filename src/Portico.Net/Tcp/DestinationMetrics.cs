using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>What has been learned of a destination and outlives connections (Linux: tcp_metrics).</summary>
internal struct DestinationMetrics
{
    /// <summary>The MSS that the destination announced last; 0 when it is not known. For the size of a SYN's data (RFC 7413 4.1.3).</summary>
    public ushort FastOpenMss;

    /// <summary>SYNs with data that got lost, one after the other.</summary>
    public ushort SynLosses;

    /// <summary>Eight times the round trip of data, in microseconds; 0 when it is not known.</summary>
    public int SrttTimes8;

    /// <summary>ssthresh and the reordering that was seen, in segments; 0 for neither.</summary>
    public uint SsThresh;
    public uint Reordering;

    /// <summary>Which option a request uses: 0 and 2 the one of RFC 7413, 1 the experimental one.</summary>
    public byte TryExperimental;

    /// <summary>Length 0 when there is none.</summary>
    public FastOpenCookie Cookie;
}

/// <summary>The metrics of all destinations, by own and remote address; bounded: the oldest makes room.</summary>
internal sealed class DestinationCache(int countMax)
{
    private readonly Dictionary<(IpAddress Local, IpAddress Remote), DestinationMetrics> _entries = [];
    private readonly Queue<(IpAddress Local, IpAddress Remote)> _order = new();

    public int Count => _entries.Count;

    /// <summary>Entries that made room for others.</summary>
    public long Evicted { get; private set; }

    /// <summary>The entry; a null reference where there is none.</summary>
    public ref DestinationMetrics Find(in IpAddress local, in IpAddress remote) =>
        ref CollectionsMarshal.GetValueRefOrNullRef(_entries, (local, remote));

    /// <summary>The entry, made where there is none. The reference is good until the next is made.</summary>
    public ref DestinationMetrics Need(in IpAddress local, in IpAddress remote)
    {
        ref DestinationMetrics found = ref Find(local, remote);
        if (!Unsafe.IsNullRef(ref found))
        {
            return ref found;
        }

        if (_entries.Count >= countMax)
        {
            _entries.Remove(_order.Dequeue());
            Evicted++;
        }

        _order.Enqueue((local, remote));
        return ref CollectionsMarshal.GetValueRefOrAddDefault(_entries, (local, remote), out _);
    }

    /// <summary>Forgets all (ip tcp_metrics flush all).</summary>
    public void Clear()
    {
        _entries.Clear();
        _order.Clear();
    }
}
