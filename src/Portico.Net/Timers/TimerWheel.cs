using System.Numerics;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>A timer that lives inside the record that it belongs to (a TCB, a SYN record); no memory of its own.</summary>
internal unsafe struct TimerNode
{
    public TimerNode* Next;
    public TimerNode* Previous;

    /// <summary>When it fires, in nanoseconds; valid while armed.</summary>
    public long Deadline;

    /// <summary>Index of the <see cref="ITimerHandler"/> that it belongs to.</summary>
    public ushort Handler;

    /// <summary>What the handler knows it by (its kind of record).</summary>
    public ushort Kind;

    /// <summary>The wheel's place for it (level and slot), or -1 when it is not armed.</summary>
    public short Place;

    public readonly bool IsArmed => Place >= 0;
}

/// <summary>Whoever owns timers.</summary>
internal unsafe interface ITimerHandler
{
    /// <summary>The timer has fired and is no longer armed.</summary>
    void OnTimer(TimerNode* node);
}

/// <summary>
/// A hierarchical timing wheel (Varghese, Lauck 1987) in ticks of 65.5 us: eight levels of 64 slots, each slot of a level as long as
/// the level below. A timer lies at the level of the highest 6-bit digit in which its tick differs from the current one, hence in the
/// same slot as every other timer of its tick; it moves down when its slot is entered. Timers fire in the order of their deadlines,
/// equal ones in the order in which they were armed; up to a tick late, never early.
/// </summary>
internal sealed unsafe class TimerWheel
{
    /// <summary>log2 of a tick in nanoseconds.</summary>
    internal const int TickShift = 16;

    private const int DigitBits = 6;
    private const int SlotCount = 1 << DigitBits;

    /// <summary>Eight digits are 48 bits of ticks: all that a <see cref="MonoTime"/> can say.</summary>
    private const int LevelCount = 8;

    /// <summary>The place of timers that are due and wait for their turn.</summary>
    private const short DuePlace = LevelCount * SlotCount;

    private const short NoPlace = -1;

    private struct Slot
    {
        public TimerNode* First;
        public TimerNode* Last;
    }

    // Pinned rather than native: nothing to give back, and no bounds checks.
    private readonly Slot[] _slotArray = GC.AllocateArray<Slot>(DuePlace + 1, pinned: true);
    private readonly ulong[] _occupiedArray = GC.AllocateArray<ulong>(LevelCount + 1, pinned: true);
    private readonly Slot* _slots;
    private readonly ulong* _occupied;

    /// <summary>A bit for each level with an occupied slot.</summary>
    private uint _levels;

    /// <summary>Everything up to and including this tick has fired.</summary>
    private long _current;

    private ITimerHandler[] _handlers = new ITimerHandler[8];
    private int _handlerCount;

    public TimerWheel()
    {
        _slots = (Slot*)Unsafe.AsPointer(ref _slotArray[0]);
        _occupied = (ulong*)Unsafe.AsPointer(ref _occupiedArray[0]);
    }

    /// <summary>
    /// When <see cref="Expire"/> next has something to do: a tick boundary, at which timers fire or come closer; never later than the
    /// first timer's tick.
    /// </summary>
    public MonoTime NextDeadline
    {
        get
        {
            if (_slots[DuePlace].First != null)
            {
                return new MonoTime(_current << TickShift);
            }

            return _levels == 0 ? MonoTime.Never : new MonoTime(NextTick(out _) << TickShift);
        }
    }

    /// <summary>Timers armed.</summary>
    public int Count { get; private set; }

    /// <summary>Makes a handler known; its index goes into the nodes.</summary>
    public ushort Register(ITimerHandler handler)
    {
        if (_handlerCount == _handlers.Length)
        {
            Array.Resize(ref _handlers, _handlerCount * 2);
        }

        _handlers[_handlerCount] = handler;
        return checked((ushort)_handlerCount++);
    }

    /// <summary>Makes a node usable; a record of zeros is not (its place would be the first slot).</summary>
    public static void Initialize(TimerNode* node, ushort handler, ushort kind)
    {
        *node = default;
        node->Handler = handler;
        node->Kind = kind;
        node->Place = NoPlace;
    }

    /// <summary>
    /// Arms the timer, or sets another deadline for one that is armed. A deadline that has passed fires at the next tick;
    /// <see cref="MonoTime.Never"/> is the same as <see cref="Cancel"/>.
    /// </summary>
    public void Arm(TimerNode* node, MonoTime deadline)
    {
        long time = deadline.Nanoseconds;
        if (time > long.MaxValue - (1L << TickShift))
        {
            Cancel(node);
            return;
        }

        short place = PlaceOf(Math.Max(TickOf(time), _current + 1));
        node->Deadline = time;
        if (node->Place >= 0)
        {
            // Already the last one armed in that slot: where it would go.
            if (node->Place == place && node->Next == null)
            {
                return;
            }

            Unlink(node);
        }
        else
        {
            Count++;
        }

        Append(node, place);
    }

    /// <summary>Disarms the timer if it is armed.</summary>
    public void Cancel(TimerNode* node)
    {
        if (node->Place >= 0)
        {
            Unlink(node);
            node->Place = NoPlace;
            Count--;
        }
    }

    /// <summary>Fires what is due. Handlers may arm and cancel any timer meanwhile, also one that is due together with theirs.</summary>
    public void Expire(MonoTime now)
    {
        long target = now.Nanoseconds >> TickShift;
        FireDue();
        while (_levels != 0)
        {
            long tick = NextTick(out int place);
            if (tick > target)
            {
                break;
            }

            _current = tick;
            Enter(place);
            FireDue();
        }

        _current = Math.Max(_current, target);
    }

    /// <summary>The first tick that begins at or after the time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static long TickOf(long time) => (time + ((1L << TickShift) - 1)) >> TickShift;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private short PlaceOf(long tick)
    {
        Invariant.Check(tick > _current);
        int level = BitOperations.Log2((ulong)(tick ^ _current)) / DigitBits;
        return (short)((level * SlotCount) + (int)((tick >> (level * DigitBits)) & (SlotCount - 1)));
    }

    /// <summary>The tick at which the next occupied slot begins. Lower levels come first: they lie within the current slot of the higher.</summary>
    private long NextTick(out int place)
    {
        int level = BitOperations.TrailingZeroCount(_levels);
        int slot = BitOperations.TrailingZeroCount(_occupied[level]);
        int shift = level * DigitBits;
        place = (level * SlotCount) + slot;
        return (_current & (-1L << (shift + DigitBits))) | ((long)slot << shift);
    }

    /// <summary>The current tick is the slot's first: its timers become due or go to lower levels, in the order in which they were armed.</summary>
    private void Enter(int place)
    {
        TimerNode* node = _slots[place].First;
        _slots[place] = default;
        ClearOccupied(place);
        while (node != null)
        {
            TimerNode* next = node->Next;
            long tick = TickOf(node->Deadline);
            Append(node, tick <= _current ? DuePlace : PlaceOf(tick));
            node = next;
        }

        Sort(ref _slots[DuePlace]);
    }

    private void FireDue()
    {
        Slot* due = &_slots[DuePlace];
        while (due->First != null)
        {
            TimerNode* node = due->First;
            Cancel(node);
            _handlers[node->Handler].OnTimer(node);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Append(TimerNode* node, short place)
    {
        Slot* slot = &_slots[place];
        TimerNode* last = slot->Last;
        node->Place = place;
        node->Next = null;
        node->Previous = last;
        slot->Last = node;
        if (last != null)
        {
            last->Next = node;
            return;
        }

        // The due place has an occupied word of its own, and no bit among the levels.
        slot->First = node;
        int level = place >> DigitBits;
        _occupied[level] |= 1UL << (place & (SlotCount - 1));
        _levels |= (1u << level) & ((1u << LevelCount) - 1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private void Unlink(TimerNode* node)
    {
        Slot* slot = &_slots[node->Place];
        TimerNode* next = node->Next;
        TimerNode* previous = node->Previous;
        Invariant.Check(previous != null ? previous->Next == node : slot->First == node);
        Invariant.Check(next != null ? next->Previous == node : slot->Last == node);
        if (next != null)
        {
            next->Previous = previous;
        }
        else
        {
            slot->Last = previous;
        }

        if (previous != null)
        {
            previous->Next = next;
            return;
        }

        slot->First = next;
        if (next == null)
        {
            ClearOccupied(node->Place);
        }
    }

    private void ClearOccupied(int place)
    {
        int level = place >> DigitBits;
        if ((_occupied[level] &= ~(1UL << (place & (SlotCount - 1)))) == 0)
        {
            _levels &= ~(1u << level);
        }
    }

    /// <summary>By deadline; equal ones keep their order. Mostly there is nothing to do: few timers share a tick.</summary>
    private static void Sort(ref Slot slot)
    {
        TimerNode* node = slot.First;
        while (node != null && node->Next != null && node->Deadline <= node->Next->Deadline)
        {
            node = node->Next;
        }

        if (node == null || node->Next == null)
        {
            return;
        }

        // Merge sort from below: runs[i] is empty or a sorted run of 2^i nodes that come before those of lower i.
        const int RunCount = 32;
        TimerNode** runs = stackalloc TimerNode*[RunCount];
        new Span<nint>(runs, RunCount).Clear();
        for (node = slot.First; node != null;)
        {
            TimerNode* run = node;
            node = node->Next;
            run->Next = null;
            int i = 0;
            for (; i < RunCount - 1 && runs[i] != null; i++)
            {
                run = Merge(runs[i], run);
                runs[i] = null;
            }

            runs[i] = runs[i] == null ? run : Merge(runs[i], run);
        }

        TimerNode* sorted = null;
        for (int i = 0; i < RunCount; i++)
        {
            sorted = Merge(runs[i], sorted);
        }

        slot.First = sorted;
        TimerNode* previous = null;
        for (; sorted != null; sorted = sorted->Next)
        {
            sorted->Previous = previous;
            previous = sorted;
        }

        slot.Last = previous;
    }

    private static TimerNode* Merge(TimerNode* earlier, TimerNode* later)
    {
        TimerNode* first = null;
        TimerNode** link = &first;
        while (earlier != null && later != null)
        {
            ref TimerNode* taken = ref (earlier->Deadline <= later->Deadline ? ref earlier : ref later);
            *link = taken;
            link = &taken->Next;
            taken = taken->Next;
        }

        *link = earlier != null ? earlier : later;
        return first;
    }
}
