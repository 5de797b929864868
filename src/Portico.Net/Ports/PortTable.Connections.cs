namespace Portico.Net;

// The ports of connections: picked by RFC 6056, and shared by flows whose 4-tuples differ.
internal sealed partial class PortTable
{
    private const int CounterCount = 1 << 16;
    private const long ShuffleNanoseconds = 10_000_000_000;

    private ushort[]? _counters;
    private int[] _buckets = new int[16];
    private int _hashedCount;

    /// <summary>
    /// Picks the local port of a new connection by algorithm 4 of RFC 6056 (3.3.4), the double hash: a keyed hash of the flow's other
    /// three parts gives each destination its own starting point, which changes every ten seconds, and one of 65,536 counters, which
    /// advances by a random step. Skips ports that a bound socket holds; asks <paramref name="isFree"/> about ports that only other
    /// connections use. <paramref name="rangeFirst"/> and <paramref name="rangeLast"/> are IP_LOCAL_PORT_RANGE. The port is taken by <see cref="BindConnection"/>. Errors: EADDRNOTAVAIL when all are taken.
    /// </summary>
    public Errno SelectEphemeral<TPredicate>(in Endpoint localAddress, in Endpoint remote, ref TPredicate isFree, out ushort port,
        ushort rangeFirst = 0, ushort rangeLast = 0)
        where TPredicate : struct, IPortPredicate
    {
        ulong hash = HashFlow(localAddress.Address, remote);
        ushort[] counters = _counters ?? MakeCounters();
        ref ushort counter = ref counters[(int)hash & (CounterCount - 1)];
        (int first, int last) = RangeOf(rangeFirst, rangeLast);
        int count = last - first + 1;
        int candidate = first + (int)((uint)((hash >> 32) + counter) % (uint)count);
        for (int i = 0; i < count; i++, candidate = candidate == last ? first : candidate + 1)
        {
            port = (ushort)candidate;
            if (_range.IsReserved(port) || (IsUsed(port) && !(HoldsOnlyConnections(port, localAddress.Address) && isFree.IsFree(port))))
            {
                continue;
            }

            // At low contention the step is random; at high contention it is past what was just searched (Linux: __inet_hash_connect).
            int step = Math.Max(i, (int)_engine.Random.NextBelow(8)) + 1;
            counter = (ushort)((counter + step) % count);
            return Errno.None;
        }

        port = 0;
        return Errno.EADDRNOTAVAIL;
    }

    /// <summary>
    /// Notes that a connection uses a local end: one that connect made, that a listener accepted, or that is in TIME-WAIT. Never
    /// fails; connections with the same local end share one record. <see cref="Release"/> once for each. While it lasts, bind of an
    /// overlapping address needs SO_REUSEADDR on both sides, as in Linux.
    /// </summary>
    public PortBinding BindConnection(in Endpoint local, int interfaceIndex, bool reuseAddress)
    {
        int bucket = Bucket(local.Address, local.Port);
        for (int i = _buckets[bucket]; i != 0; i = _records[i].HashNext)
        {
            ref Record shared = ref _records[i];
            if (shared.Port == local.Port && shared.Address == local.Address && shared.InterfaceIndex == interfaceIndex
                && shared.ReuseAddress == reuseAddress)
            {
                shared.References++;
                return new PortBinding(i, local.Port, shared.Generation);
            }
        }

        if (_hashedCount == _buckets.Length)
        {
            GrowBuckets();
            bucket = Bucket(local.Address, local.Port);
        }

        int index = Add(local.Port, local.Address);
        ref Record record = ref _records[index];
        record.IsConnection = true;
        record.InterfaceIndex = interfaceIndex;
        record.ReuseAddress = reuseAddress;
        record.HashNext = _buckets[bucket];
        _buckets[bucket] = index;
        _hashedCount++;
        return new PortBinding(index, local.Port, record.Generation);
    }

    /// <summary>One more connection uses the same local end.</summary>
    public void AddReference(PortBinding binding)
    {
        ref Record record = ref Get(binding);
        Invariant.Check(record.IsConnection);
        record.References++;
    }

    private bool HoldsOnlyConnections(ushort port, in IpAddress local)
    {
        for (int i = FirstOf(port); i != 0; i = _records[i].Next)
        {
            ref Record record = ref _records[i];
            if (!record.IsConnection && Overlaps(local, false, record.Address, record.Ipv6Only))
            {
                return false;
            }
        }

        return true;
    }

    private ushort[] MakeCounters()
    {
        _counters = new ushort[CounterCount];
        for (int i = 0; i < CounterCount; i++)
        {
            _counters[i] = (ushort)_engine.Random.NextBelow((uint)_range.Count);
        }

        return _counters;
    }

    private ulong HashFlow(in IpAddress local, in Endpoint remote)
    {
        ulong period = (ulong)(_engine.Now.Nanoseconds / ShuffleNanoseconds);
        return SipHash.HashFlow24(_key, local, remote.Address, 0, remote.Port, period);
    }

    /// <summary>By a keyed product: where an interface takes any address, peers choose which.</summary>
    private int Bucket(in IpAddress address, ushort port)
    {
        ulong high = Math.BigMul(address.High ^ _key.K0, address.Low ^ ((ulong)port << 48) ^ _key.K1, out ulong low);
        ulong hash = high ^ low;
        return (int)(hash ^ (hash >> 32)) & (_buckets.Length - 1);
    }

    private void GrowBuckets()
    {
        int[] old = _buckets;
        _buckets = new int[old.Length * 2];
        foreach (int head in old)
        {
            for (int i = head; i != 0;)
            {
                ref Record record = ref _records[i];
                int next = record.HashNext;
                ref int bucket = ref _buckets[Bucket(record.Address, record.Port)];
                record.HashNext = bucket;
                bucket = i;
                i = next;
            }
        }
    }

    private void Unhash(int index)
    {
        ref int link = ref _buckets[Bucket(_records[index].Address, _records[index].Port)];
        while (link != index)
        {
            link = ref _records[link].HashNext;
        }

        link = _records[index].HashNext;
        _hashedCount--;
    }
}
