namespace Portico.Net;

// Who gives way when the table is full: entries that failed, then idle stale ones, then unanswered ones; never a neighbour in use
// (RFC 6583 6: existing entries are worth more than those that a scan asks for).
public sealed partial class NeighbourTable
{
    /// <summary>Bounds the work of one eviction, whatever fills the table.</summary>
    private const int ClockSteps = 64;

    /// <summary>Used so lately that it counts as in use (Linux: neigh_forced_gc spares what was used in the last 5 s).</summary>
    private static readonly Duration s_inUse = Duration.FromSeconds(5);

    private bool TryEvict()
    {
        Counters[NeighbourCounter.ForcedGcRuns]++;
        if (_states[FailedList].Head >= 0)
        {
            Free(_states[FailedList].Head);
            return true;
        }

        int stale = FindIdle();
        if (stale >= 0)
        {
            Counters[NeighbourCounter.StaleEvictions]++;
            Free(stale);
            return true;
        }

        if (_states[IncompleteList].Head >= 0)
        {
            Counters[NeighbourCounter.IncompleteEvictions]++;
            Free(_states[IncompleteList].Head);
            return true;
        }

        return false;
    }

    private void EvictIncompleteOverLimit()
    {
        if (_states[IncompleteList].Count >= Options.gc_thresh2)
        {
            Counters[NeighbourCounter.IncompleteEvictions]++;
            Free(_states[IncompleteList].Head);
        }
    }

    /// <summary>Second chance over a bounded stretch of the table: of the stale entries there, the one unused for longest.</summary>
    private int FindIdle()
    {
        int best = NeighbourEntry.None;
        MonoTime bestUsed = _engine.Now - s_inUse;
        for (int step = Math.Min(ClockSteps, _used); step > 0; step--)
        {
            _clockHand = _clockHand + 1 < _used ? _clockHand + 1 : 0;
            ref NeighbourEntry entry = ref _entries[_clockHand];
            if (StateOf(entry) == NudState.Stale && (entry.Used == default || entry.Used < bestUsed))
            {
                best = _clockHand;
                bestUsed = entry.Used;
            }
        }

        return best;
    }

    private void ArmCollection()
    {
        if (Count > Options.gc_thresh1 && _collectAt == MonoTime.Never)
        {
            _collectAt = _engine.Now + Options.gc_interval;
            WakeAt(_collectAt);
        }
    }

    /// <summary>Linux: neigh_periodic_work.</summary>
    private void Collect()
    {
        Counters[NeighbourCounter.PeriodicGcRuns]++;
        _collectAt = MonoTime.Never;
        MonoTime oldest = _engine.Now - Options.gc_stale_time;
        for (int i = 0; i < _used && Count > Options.gc_thresh1; i++)
        {
            ref NeighbourEntry entry = ref _entries[i];
            if (entry.State == NudState.Failed
                || (StateOf(entry) == NudState.Stale && MonoTime.Max(entry.Used, entry.Updated) < oldest))
            {
                Free(i);
            }
        }

        ArmCollection();
    }

    private void EnterStateList(int index, int list)
    {
        ref NeighbourEntry entry = ref _entries[index];
        Invariant.Check(entry.StateList < 0);
        ref NeighbourList states = ref _states[list];
        entry.StateList = (sbyte)list;
        entry.StatePrevious = states.Tail;
        entry.StateNext = NeighbourEntry.None;
        if (states.Tail < 0)
        {
            states.Head = index;
        }
        else
        {
            _entries[states.Tail].StateNext = index;
        }

        states.Tail = index;
        states.Count++;
    }

    private void LeaveStateList(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        if (entry.StateList < 0)
        {
            return;
        }

        ref NeighbourList states = ref _states[entry.StateList];
        if (entry.StatePrevious < 0)
        {
            states.Head = entry.StateNext;
        }
        else
        {
            _entries[entry.StatePrevious].StateNext = entry.StateNext;
        }

        if (entry.StateNext < 0)
        {
            states.Tail = entry.StatePrevious;
        }
        else
        {
            _entries[entry.StateNext].StatePrevious = entry.StatePrevious;
        }

        entry.StateList = -1;
        states.Count--;
    }
}
