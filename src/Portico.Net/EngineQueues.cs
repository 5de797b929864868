using System.Diagnostics.CodeAnalysis;

namespace Portico.Net;

/// <summary>Packets posted to a link's client and not yet delivered: a ring that grows to its bound.</summary>
internal sealed class PendingQueue(int countMax)
{
    private Packet?[] _ring = new Packet?[64];
    private int _head;
    private int _count;

    public bool IsEmpty => _count == 0;

    public long Drops { get; private set; }

    public bool TryAdd(Packet packet)
    {
        if (_count == _ring.Length && !TryGrow())
        {
            Drops++;
            return false;
        }

        _ring[(_head + _count++) & (_ring.Length - 1)] = packet;
        return true;
    }

    public bool TryTake([NotNullWhen(true)] out Packet? packet)
    {
        if (_count == 0)
        {
            packet = null;
            return false;
        }

        packet = _ring[_head]!;
        _ring[_head] = null;
        _head = (_head + 1) & (_ring.Length - 1);
        _count--;
        return true;
    }

    private bool TryGrow()
    {
        if (_ring.Length * 2L > countMax)
        {
            return false;
        }

        Packet?[] larger = new Packet?[_ring.Length * 2];
        for (int i = 0; i < _count; i++)
        {
            larger[i] = _ring[(_head + i) & (_ring.Length - 1)];
        }

        _ring = larger;
        _head = 0;
        return true;
    }
}

/// <summary>A binary heap of call-backs by time; equal times in the order in which they were added.</summary>
internal sealed class EventHeap
{
    private struct Entry
    {
        public long Time;
        public long Order;
        public IScheduled Target;
        public long Cookie;

        public readonly bool Before(in Entry other) => Time != other.Time ? Time < other.Time : Order < other.Order;
    }

    private Entry[] _entries = new Entry[64];
    private int _count;
    private long _order;

    public MonoTime NextTime => _count == 0 ? MonoTime.Never : new MonoTime(_entries[0].Time);

    public void Add(MonoTime time, IScheduled target, long cookie)
    {
        if (_count == _entries.Length)
        {
            Array.Resize(ref _entries, _count * 2);
        }

        Entry entry = new() { Time = time.Nanoseconds, Order = _order++, Target = target, Cookie = cookie };
        int i = _count++;
        while (i > 0 && entry.Before(_entries[(i - 1) / 2]))
        {
            _entries[i] = _entries[(i - 1) / 2];
            i = (i - 1) / 2;
        }

        _entries[i] = entry;
    }

    public bool TryTakeDue(MonoTime now, [NotNullWhen(true)] out IScheduled? target, out long cookie)
    {
        if (_count == 0 || _entries[0].Time > now.Nanoseconds)
        {
            target = null;
            cookie = 0;
            return false;
        }

        target = _entries[0].Target;
        cookie = _entries[0].Cookie;
        Entry last = _entries[--_count];
        _entries[_count] = default;
        int i = 0;
        while (true)
        {
            int child = (2 * i) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && _entries[child + 1].Before(_entries[child]))
            {
                child++;
            }

            if (!_entries[child].Before(last))
            {
                break;
            }

            _entries[i] = _entries[child];
            i = child;
        }

        if (_count > 0)
        {
            _entries[i] = last;
        }

        return true;
    }
}

/// <summary>Owners to be told, each at most once in a batch however often its socket changed.</summary>
internal sealed class ReadyList
{
    /// <summary>A reference by itself in an array of interfaces has its type checked whenever it is stored.</summary>
    private struct Place
    {
        public ISocketOwner? Owner;
    }

    private Place[] _owners = new Place[16];

    /// <summary>Of each slot; <see cref="SocketEvents"/> in 16 bits, which is what they have.</summary>
    private ushort[] _events = new ushort[16];
    private int[] _freeSlots = new int[16];
    private int _freeCount;
    private int _slotCount = 1;
    private int[] _ready = new int[16];
    private int _readyCount;

    public bool IsEmpty => _readyCount == 0;

    /// <summary>Slots count from 1, so that 0 in a connection means "nobody".</summary>
    public int Register(ISocketOwner owner)
    {
        int slot = _freeCount > 0 ? _freeSlots[--_freeCount] : _slotCount++;
        if (slot == _owners.Length)
        {
            Array.Resize(ref _owners, slot * 2);
            Array.Resize(ref _events, slot * 2);
        }

        _owners[slot].Owner = owner;
        _events[slot] = 0;
        return slot;
    }

    /// <summary>Who has a slot; null for 0.</summary>
    public ISocketOwner? OwnerAt(int slot) => slot == 0 ? null : _owners[slot].Owner;

    public void Unregister(int slot)
    {
        _owners[slot].Owner = null;
        if (_freeCount == _freeSlots.Length)
        {
            Array.Resize(ref _freeSlots, _freeCount * 2);
        }

        _freeSlots[_freeCount++] = slot;
    }

    public void Notify(int slot, SocketEvents events)
    {
        if (slot == 0)
        {
            return;
        }

        if (_events[slot] == 0)
        {
            if (_readyCount == _ready.Length)
            {
                Array.Resize(ref _ready, _readyCount * 2);
            }

            _ready[_readyCount++] = slot;
        }

        _events[slot] |= (ushort)events;
    }

    public void Dispatch()
    {
        // An owner may cause further events while it is told: those are appended and told in the same pass.
        for (int i = 0; i < _readyCount; i++)
        {
            int slot = _ready[i];
            SocketEvents events = (SocketEvents)_events[slot];
            _events[slot] = 0;
            if (events != SocketEvents.None)
            {
                _owners[slot].Owner?.OnReady(events);
            }
        }

        _readyCount = 0;
    }
}
