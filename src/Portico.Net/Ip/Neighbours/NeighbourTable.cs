// RFC 4861 section 7 (neighbour unreachability detection), RFC 826, RFC 6583 (operational problems of neighbour caches).
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>
/// The neighbours of one interface, IPv4 and IPv6, and one state machine for both: ARP and Neighbor Discovery only differ in how a
/// solicitation looks. Bounded; entries that never answered give way first, neighbours in use never do.
/// </summary>
public sealed partial class NeighbourTable : IScheduled
{
    // State lists: which entries may be evicted first, oldest at the head.
    private const int FailedList = 0;
    private const int IncompleteList = 1;
    private const int StateLists = 2;

    private readonly NetworkInterface _interface;
    private readonly Engine _engine;
    private readonly NeighbourList[] _states = new NeighbourList[StateLists];
    private readonly int[] _buckets;
    private readonly ulong _key0;
    private readonly ulong _key1;
    private NeighbourEntry[] _entries = new NeighbourEntry[16];
    private int _free = NeighbourEntry.None;
    private int _used;
    private int _clockHand;

    internal NeighbourTable(NetworkInterface owner, NeighbourOptions? options = null)
    {
        _interface = owner;
        _engine = owner.Stack.Engine;
        Options = options ?? new NeighbourOptions();
        _buckets = new int[System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, Options.gc_thresh3))];
        _buckets.AsSpan().Fill(NeighbourEntry.None);
        _key0 = _engine.Random.NextUInt64();
        _key1 = _engine.Random.NextUInt64();
        InitializeLists();
    }

    /// <summary>Limits and times.</summary>
    public NeighbourOptions Options { get; }

    /// <summary>What happened.</summary>
    public MibTable<NeighbourCounter> Counters { get; } = new();

    /// <summary>How many entries there are.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of packets that wait for an address.</summary>
    public long QueuedBytes { get; private set; }

    /// <summary>How many entries await resolution.</summary>
    public int IncompleteCount => _states[IncompleteList].Count;

    /// <summary>The entry for an address; its state is <see cref="NudState.None"/> where there is none.</summary>
    public Neighbour Find(IpAddress address)
    {
        int index = IndexOf(address);
        return index < 0 ? new Neighbour(address, default, NudState.None, false) : Describe(in _entries[index]);
    }

    /// <summary>All entries, in no particular but a repeatable order; returns how many were written.</summary>
    public int CopyTo(Span<Neighbour> destination)
    {
        int count = 0;
        for (int i = 0; i < _used && count < destination.Length; i++)
        {
            if (_entries[i].State != NudState.None)
            {
                destination[count++] = Describe(in _entries[i]);
            }
        }

        return count;
    }

    /// <summary>
    /// The link-layer address for a next hop, if it may be sent to right now. Sending is what the caller is about to do: a stale entry
    /// moves on to DELAY (RFC 4861 7.3.3). Multicast and the limited broadcast address map without an entry.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal bool TryResolve(in IpAddress nextHop, out MacAddress destination)
    {
        Counters[NeighbourCounter.Lookups]++;
        int index = IndexOf(nextHop);
        if (index >= 0)
        {
            ref NeighbourEntry entry = ref _entries[index];
            if (entry.ReachableUntil > _engine.Now)
            {
                Counters[NeighbourCounter.Hits]++;
                entry.Used = _engine.Now;
                destination = entry.Mac;
                return true;
            }

            return TryUse(index, out destination);
        }

        return TryMapGroup(nextHop, out destination);
    }

    /// <summary>Sets an entry by hand (<c>ip neigh replace ... nud permanent</c>). False when the table is full.</summary>
    public bool SetPermanent(IpAddress address, MacAddress linkAddress)
    {
        int index = IndexOf(address);
        if (index < 0 && (index = Allocate(address)) < 0)
        {
            return false;
        }

        ref NeighbourEntry entry = ref _entries[index];
        StopTimer(index);
        LeaveStateList(index);
        entry.Mac = linkAddress;
        entry.State = NudState.Permanent;
        entry.ReachableUntil = MonoTime.Never;
        entry.Updated = _engine.Now;
        FlushQueue(index);
        return true;
    }

    /// <summary>Deletes an entry and what waits in it. False when there is none.</summary>
    public bool Remove(IpAddress address)
    {
        int index = IndexOf(address);
        if (index < 0)
        {
            return false;
        }

        Free(index);
        return true;
    }

    /// <summary>Deletes all entries, as when the interface goes down.</summary>
    public void Clear()
    {
        for (int i = 0; i < _used; i++)
        {
            if (_entries[i].State != NudState.None)
            {
                Free(i);
            }
        }
    }

    internal ref NeighbourEntry EntryAt(int index) => ref _entries[index];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal int IndexOf(in IpAddress address)
    {
        int index = _buckets[Hash(address) & (uint)(_buckets.Length - 1)];
        while (index >= 0 && _entries[index].Address != address)
        {
            index = _entries[index].HashNext;
        }

        return index;
    }

    /// <summary>A new entry in state NONE, in no list; -1 (and counted) when the table is full of neighbours in use.</summary>
    internal int Allocate(in IpAddress address)
    {
        if (Count >= Options.gc_thresh3 && !TryEvict())
        {
            Counters[NeighbourCounter.TableFulls]++;
            return NeighbourEntry.None;
        }

        int index = _free;
        if (index >= 0)
        {
            _free = _entries[index].HashNext;
        }
        else
        {
            if (_used == _entries.Length)
            {
                Array.Resize(ref _entries, Math.Min(_used * 2, Math.Max(Options.gc_thresh3, 16)));
            }

            index = _used++;
        }

        ref int bucket = ref _buckets[Hash(address) & (uint)(_buckets.Length - 1)];
        _entries[index] = new NeighbourEntry
        {
            Address = address,
            HashNext = bucket,
            TimerList = -1,
            StateList = -1,
            State = NudState.Stale,
        };
        bucket = index;
        Count++;
        Counters[NeighbourCounter.Allocs]++;
        ArmCollection();
        return index;
    }

    /// <summary>Takes an entry out of the table; packets that wait in it are dropped.</summary>
    internal void Free(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        Invariant.Check(entry.State != NudState.None);
        StopTimer(index);
        LeaveStateList(index);
        DropQueue(index);
        ref int link = ref _buckets[Hash(entry.Address) & (uint)(_buckets.Length - 1)];
        while (link != index)
        {
            link = ref _entries[link].HashNext;
        }

        link = entry.HashNext;
        entry = default;
        entry.TimerList = -1;
        entry.StateList = -1;
        entry.HashNext = _free;
        _free = index;
        Count--;
        Counters[NeighbourCounter.Destroys]++;
    }

    /// <summary>Multiply and fold with two secret keys: an attacker cannot choose addresses that share a bucket.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint Hash(in IpAddress address)
    {
        ulong high = Math.BigMul(address.High ^ _key0, address.Low ^ _key1, out ulong low);
        return (uint)((high ^ low) >> 16);
    }

    private Neighbour Describe(in NeighbourEntry entry) => new(entry.Address, entry.Mac, StateOf(entry), entry.IsRouter);

    /// <summary>REACHABLE ends by the clock, without a timer.</summary>
    private NudState StateOf(in NeighbourEntry entry) =>
        entry.State == NudState.Reachable && entry.ReachableUntil <= _engine.Now ? NudState.Stale : entry.State;

    private static bool TryMapGroup(in IpAddress nextHop, out MacAddress destination)
    {
        if (nextHop.IsMulticast)
        {
            // RFC 1112 6.4 and RFC 2464 7.
            destination = new MacAddress(nextHop.IsIpv4
                ? 0x0100_5E00_0000UL | (nextHop.Ipv4Value & 0x7F_FFFF)
                : 0x3333_0000_0000UL | (uint)nextHop.Low);
            return true;
        }

        destination = MacAddress.Broadcast;
        return nextHop.IsLimitedBroadcast;
    }
}
