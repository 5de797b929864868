using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>Says whether the record that a value names has the wanted key.</summary>
internal interface IFlowMatcher
{
    bool Matches(uint value);
}

/// <summary>
/// From the keyed hash of a flow to the index of its record: open addressing with linear probing in slots of 8 bytes (32 bits of
/// hash, 32 of value), at most 0.6 full. Keys are not stored: the caller's matcher compares them in the record. It grows and shrinks
/// by moving a few clusters with every change, so that no single call pays for the whole table.
/// </summary>
internal sealed unsafe class FlowTable : INativeMemory
{
    private const int CapacityMin = 64;

    /// <summary>Slots looked at per change while resizing: the move ends long before the next resize can become due.</summary>
    private const int MoveSlots = 16;

    // A slot is hash << 32 | value; 0 is empty, for which reason values are not 0. The home position is the low bits of the stored
    // hash, so entries are placed again without their keys.
    private ulong* _slots;
    private uint _mask;

    // The table that is being emptied, null if none: whole clusters leave it in circular order from an empty slot, which keeps every
    // remaining probe sequence unbroken.
    private ulong* _old;
    private uint _oldMask;
    private uint _oldCursor;
    private uint _oldLeft;

    public FlowTable(int capacity = CapacityMin)
    {
        uint slots = BitOperations.RoundUpToPowerOf2((uint)Math.Max(CapacityMin, capacity));
        _slots = Allocate(slots);
        _mask = slots - 1;
    }

    /// <summary>Entries.</summary>
    public int Count { get; private set; }

    /// <summary>Slots of the table that entries are added to.</summary>
    public int Capacity => (int)(_mask + 1);

    /// <inheritdoc/>
    public long BytesReserved => (Capacity + (_old == null ? 0L : _oldMask + 1)) * sizeof(ulong);

    /// <summary>Whether a change of size is under way.</summary>
    public bool IsResizing => _old != null;

    /// <summary>The most slots of the old table that one call has gone through.</summary>
    public int SlotsMovedMax { get; private set; }

    /// <summary>The value under this hash that the matcher accepts; 0 if there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public uint Find<TMatcher>(ulong hash, ref TMatcher matcher)
        where TMatcher : struct, IFlowMatcher
    {
        uint tag = (uint)(hash >> 32);
        ulong* slots = _slots;
        uint mask = _mask;
        for (uint i = tag & mask; ; i = (i + 1) & mask)
        {
            ulong slot = slots[i];
            if (slot == 0)
            {
                return _old == null ? 0 : FindOld(tag, ref matcher);
            }

            if ((uint)(slot >> 32) == tag && matcher.Matches((uint)slot))
            {
                return (uint)slot;
            }
        }
    }

    /// <summary>Adds an entry; the caller knows that its key is not there yet. The value is not 0.</summary>
    public void Add(ulong hash, uint value)
    {
        Invariant.Check(value != 0);
        if (_old != null)
        {
            Move(MoveSlots);
        }
        else if (((ulong)Count + 1) * 5 > ((ulong)_mask + 1) * 3)
        {
            BeginResize((_mask + 1) * 2);
        }

        Place(_slots, _mask, (hash & 0xFFFF_FFFF_0000_0000) | value);
        Count++;
    }

    /// <summary>Removes an entry; false if it is not there.</summary>
    public bool Remove(ulong hash, uint value)
    {
        ulong slot = (hash & 0xFFFF_FFFF_0000_0000) | value;
        if (!Erase(_slots, _mask, slot) && (_old == null || !Erase(_old, _oldMask, slot)))
        {
            return false;
        }

        Count--;
        if (_old != null)
        {
            Move(MoveSlots);
        }
        else if (_mask >= CapacityMin && (ulong)Count * 8 < (ulong)_mask + 1)
        {
            BeginResize((_mask + 1) / 2);
        }

        return true;
    }

    /// <summary>Gives the memory back; the table must not be used any more.</summary>
    public void Dispose()
    {
        NativeMemory.Free(_slots);
        NativeMemory.Free(_old);
        _slots = _old = null;
        Count = 0;
    }

    private uint FindOld<TMatcher>(uint tag, ref TMatcher matcher)
        where TMatcher : struct, IFlowMatcher
    {
        uint found = 0;
        for (uint i = tag & _oldMask; _old[i] != 0; i = (i + 1) & _oldMask)
        {
            if ((uint)(_old[i] >> 32) == tag && matcher.Matches((uint)_old[i]))
            {
                found = (uint)_old[i];
                break;
            }
        }

        Move(MoveSlots);
        return found;
    }

    private void BeginResize(uint slots)
    {
        _old = _slots;
        _oldMask = _mask;
        _slots = Allocate(slots);
        _mask = slots - 1;
        _oldCursor = 0;
        while (_old[_oldCursor] != 0)
        {
            _oldCursor++;
        }

        _oldLeft = _oldMask + 1;
        Move(MoveSlots);
    }

    /// <summary>Takes entries over until about so many slots are empty, and on to the end of the cluster.</summary>
    private void Move(int slots)
    {
        uint left = _oldLeft;
        while (_oldLeft > 0 && (slots > 0 || _old[_oldCursor] != 0))
        {
            ulong slot = _old[_oldCursor];
            if (slot != 0)
            {
                _old[_oldCursor] = 0;
                Place(_slots, _mask, slot);
            }

            _oldCursor = (_oldCursor + 1) & _oldMask;
            _oldLeft--;
            slots--;
        }

        SlotsMovedMax = Math.Max(SlotsMovedMax, (int)(left - _oldLeft));
        if (_oldLeft == 0)
        {
            NativeMemory.Free(_old);
            _old = null;
        }
    }

    private static void Place(ulong* slots, uint mask, ulong slot)
    {
        uint i = (uint)(slot >> 32) & mask;
        while (slots[i] != 0)
        {
            i = (i + 1) & mask;
        }

        slots[i] = slot;
    }

    private static bool Erase(ulong* slots, uint mask, ulong slot)
    {
        uint hole = (uint)(slot >> 32) & mask;
        while (slots[hole] != slot)
        {
            if (slots[hole] == 0)
            {
                return false;
            }

            hole = (hole + 1) & mask;
        }

        // No tombstones: whatever probed past the hole to get where it is moves back into it.
        for (uint i = (hole + 1) & mask; slots[i] != 0; i = (i + 1) & mask)
        {
            uint home = (uint)(slots[i] >> 32) & mask;
            if (((i - home) & mask) >= ((i - hole) & mask))
            {
                slots[hole] = slots[i];
                hole = i;
            }
        }

        slots[hole] = 0;
        return true;
    }

    private static ulong* Allocate(uint slots) => (ulong*)NativeMemory.AllocZeroed(slots, sizeof(ulong));
}
