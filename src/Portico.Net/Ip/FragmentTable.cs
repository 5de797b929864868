using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>
/// The incomplete datagrams of one IP version, bounded in memory, in time and per source. Where memory runs out the oldest go first:
/// a datagram whose fragments follow each other, as a legitimate one's do, is complete long before that, however many sources a flood
/// pretends to have. One source's flood only ever evicts its own (RFC 8900 3.3, CVE-2018-5391).
/// </summary>
internal sealed class FragmentTable : IScheduled
{
    private struct Share
    {
        public int Count;
        public long MemoryBytes;
        public FragmentQueue? Oldest;
        public FragmentQueue? Newest;
    }

    /// <summary>
    /// What a datagram costs by itself, so that those without fragments (discarded, waiting for their time) are bounded too.
    /// </summary>
    private const int QueueBytes = 512;

    private readonly IpLayer _ip;
    private readonly Engine _engine;
    private readonly bool _isIpv4;
    private readonly Dictionary<FragmentKey, FragmentQueue> _queues;
    private readonly Dictionary<IpAddress, Share> _shares;
    private readonly Stack<FragmentQueue> _spare = [];
    private FragmentQueue? _oldest;
    private FragmentQueue? _newest;
    private bool _isScheduled;

    public FragmentTable(IpLayer ip, Engine engine, bool isIpv4)
    {
        _ip = ip;
        _engine = engine;
        _isIpv4 = isIpv4;
        _queues = new Dictionary<FragmentKey, FragmentQueue>(new FragmentKeyComparer(SipKey.From(engine.Random)));
        _shares = new Dictionary<IpAddress, Share>(new FragmentSourceComparer(SipKey.From(engine.Random)));
    }

    /// <summary>Incomplete datagrams, discarded ones that still wait for their time included.</summary>
    public int Count => _queues.Count;

    /// <summary>Memory that they hold.</summary>
    public long MemoryBytes { get; private set; }

    private MibTable<IpCounter> Mib => _isIpv4 ? _ip.Ipv4Counters : _ip.Ipv6Counters;

    private long HighBytes => _isIpv4 ? _ip.Options.ipfrag_high_thresh : _ip.Options.ip6frag_high_thresh;

    private long LowBytes => _isIpv4 ? _ip.Options.ipfrag_low_thresh : _ip.Options.ip6frag_low_thresh;

    private Duration Lifetime => _isIpv4 ? _ip.Options.ipfrag_time : _ip.Options.ip6frag_time;

    /// <summary>
    /// Bytes that a packet costs, its buffers counted whole: tiny fragments in large buffers are no way around the limit.
    /// </summary>
    public static unsafe int MemoryOf(Packet packet)
    {
        const int PacketObjectBytes = 512;
        int bytes = PacketObjectBytes + Packet.OwnBytes;
        if (packet.LinearBlock != null)
        {
            bytes += packet.LinearBlock->Capacity;
        }

        for (int i = 0; i < packet.FragmentCount; i++)
        {
            bytes += packet.Fragment(i).Block->Capacity;
        }

        return bytes;
    }

    public FragmentQueue FindOrAdd(in FragmentKey key)
    {
        if (_queues.TryGetValue(key, out FragmentQueue? queue))
        {
            return queue;
        }

        IpAddress source = _isIpv4 ? key.Source : key.Source.Masked(64);
        if (_shares.TryGetValue(source, out Share share) && share.Count >= _ip.Options.ipfrag_max_dist)
        {
            Evict(share.Oldest!, IpCounter.DropFragmentSourceShare);
        }

        if (!_spare.TryPop(out queue))
        {
            queue = new FragmentQueue();
        }

        queue.Begin(key, source, _engine.Now + Lifetime);
        _queues.Add(key, queue);
        Link(queue);
        Charge(queue, QueueBytes);
        if (MemoryBytes > HighBytes)
        {
            EvictOthers(queue);
        }

        if (!_isScheduled)
        {
            _isScheduled = true;
            _engine.Schedule(queue.ExpiresAt, this, 0);
        }

        return queue;
    }

    /// <summary>
    /// Counts memory that a queue has taken, and makes room where that is too much. False where the queue itself had to go.
    /// </summary>
    public bool TryCharge(FragmentQueue queue, int bytes)
    {
        ref Share share = ref Charge(queue, bytes);
        while (share.MemoryBytes > HighBytes / 2 && share.Oldest != queue)
        {
            // The reference stays good: the queue itself keeps the share in the table.
            Evict(share.Oldest!, IpCounter.DropFragmentSourceShare);
        }

        if (MemoryBytes <= HighBytes)
        {
            return true;
        }

        EvictOthers(queue);
        if (MemoryBytes <= HighBytes)
        {
            return true;
        }

        Evict(queue, IpCounter.DropFragmentMemory);
        return false;
    }

    private ref Share Charge(FragmentQueue queue, int bytes)
    {
        queue.MemoryBytes += bytes;
        MemoryBytes += bytes;
        ref Share share = ref CollectionsMarshal.GetValueRefOrNullRef(_shares, queue.Share);
        share.MemoryBytes += bytes;
        return ref share;
    }

    private void EvictOthers(FragmentQueue queue)
    {
        while (MemoryBytes > LowBytes && _oldest != null && _oldest != queue)
        {
            Evict(_oldest, IpCounter.DropFragmentMemory);
        }
    }

    /// <summary>Discards what has arrived and what is still to come of a datagram.</summary>
    public void Kill(FragmentQueue queue)
    {
        Discharge(queue, queue.MemoryBytes - QueueBytes);
        queue.ReleasePackets();
        queue.IsDead = true;
    }

    /// <summary>Takes a datagram out of the table with all that it holds.</summary>
    public void Remove(FragmentQueue queue)
    {
        Discharge(queue, queue.MemoryBytes);
        queue.ReleasePackets();
        _queues.Remove(queue.Key);
        Unlink(queue);
        queue.Info = default;
        _spare.Push(queue);
    }

    public void OnTime(long cookie)
    {
        _isScheduled = false;
        while (_oldest != null && _oldest.ExpiresAt <= _engine.Now)
        {
            Expire(_oldest);
        }

        if (_oldest != null)
        {
            _isScheduled = true;
            _engine.Schedule(_oldest.ExpiresAt, this, 0);
        }
    }

    private void Expire(FragmentQueue queue)
    {
        if (!queue.IsDead)
        {
            Mib[IpCounter.ReasmTimeout]++;
            Mib[IpCounter.ReasmFails]++;
            if (queue.First is { } first)
            {
                // RFC 792, RFC 8200 4.5: only where the first fragment is there.
                _ip.ReportReassemblyTimeout(first, queue.Info);
            }
        }

        Remove(queue);
    }

    private void Evict(FragmentQueue queue, IpCounter reason)
    {
        if (!queue.IsDead)
        {
            Mib[IpCounter.ReasmFails]++;
            Mib[reason]++;
        }

        Remove(queue);
    }

    private void Discharge(FragmentQueue queue, int bytes)
    {
        MemoryBytes -= bytes;
        CollectionsMarshal.GetValueRefOrNullRef(_shares, queue.Share).MemoryBytes -= bytes;
        queue.MemoryBytes -= bytes;
    }

    private void Link(FragmentQueue queue)
    {
        queue.Previous = _newest;
        if (_newest == null)
        {
            _oldest = queue;
        }
        else
        {
            _newest.Next = queue;
        }

        _newest = queue;
        ref Share share = ref CollectionsMarshal.GetValueRefOrAddDefault(_shares, queue.Share, out _);
        queue.SharePrevious = share.Newest;
        if (share.Newest == null)
        {
            share.Oldest = queue;
        }
        else
        {
            share.Newest.ShareNext = queue;
        }

        share.Newest = queue;
        share.Count++;
    }

    private void Unlink(FragmentQueue queue)
    {
        if (queue.Previous == null)
        {
            _oldest = queue.Next;
        }
        else
        {
            queue.Previous.Next = queue.Next;
        }

        if (queue.Next == null)
        {
            _newest = queue.Previous;
        }
        else
        {
            queue.Next.Previous = queue.Previous;
        }

        ref Share share = ref CollectionsMarshal.GetValueRefOrNullRef(_shares, queue.Share);
        if (queue.SharePrevious == null)
        {
            share.Oldest = queue.ShareNext;
        }
        else
        {
            queue.SharePrevious.ShareNext = queue.ShareNext;
        }

        if (queue.ShareNext == null)
        {
            share.Newest = queue.SharePrevious;
        }
        else
        {
            queue.ShareNext.SharePrevious = queue.SharePrevious;
        }

        if (--share.Count == 0)
        {
            _shares.Remove(queue.Share);
        }
    }
}
