namespace Portico.Net;

// One call-back of the engine for all entries: each list holds the entries that run the same timer, in the order of their deadlines.
public sealed partial class NeighbourTable
{
    // One list for each timer and family, because all entries of a list wait equally long, which keeps insertion at the tail O(1).
    private const int RetransTimers = 0;
    private const int DelayTimers = 2;
    private const int TimerLists = 4;

    /// <summary>RFC 4861 6.3.4: a new random ReachableTime at least every few hours, so that hosts do not probe in step.</summary>
    private static readonly Duration s_reachableTimeRedraw = Duration.FromSeconds(2 * 3600);

    private readonly NeighbourList[] _timers = new NeighbourList[TimerLists];
    private MonoTime _wakeAt = MonoTime.Never;
    private MonoTime _collectAt = MonoTime.Never;
    private Duration _baseReachableIpv4;
    private Duration _baseReachableIpv6;
    private Duration _reachableIpv4;
    private Duration _reachableIpv6;
    private Duration _retransIpv6;
    private MonoTime _redrawAt;
    private long _solicitTokens;
    private MonoTime _solicitTokensAt;

    private void InitializeLists()
    {
        _timers.AsSpan().Fill(new NeighbourList { Head = NeighbourEntry.None, Tail = NeighbourEntry.None });
        _states.AsSpan().Fill(new NeighbourList { Head = NeighbourEntry.None, Tail = NeighbourEntry.None });
        _baseReachableIpv4 = Options.base_reachable_time;
        _baseReachableIpv6 = Options.base_reachable_time;
        _retransIpv6 = Options.retrans_time;
        _solicitTokens = Options.solicit_burst;
        _solicitTokensAt = _engine.Now;
        DrawReachableTimes();
    }

    /// <summary>A router has said how long (RFC 4861 6.3.4); zero leaves a time as it is.</summary>
    internal void SetIpv6Times(Duration baseReachable, Duration retrans)
    {
        if (retrans > Duration.Zero)
        {
            _retransIpv6 = retrans;
        }

        if (baseReachable > Duration.Zero && baseReachable != _baseReachableIpv6)
        {
            _baseReachableIpv6 = baseReachable;
            DrawReachableTimes();
        }
    }

    internal Duration RetransTime(bool ipv4) => ipv4 ? Options.retrans_time : _retransIpv6;

    internal Duration ReachableTime(bool ipv4)
    {
        if (_engine.Now >= _redrawAt)
        {
            DrawReachableTimes();
        }

        return ipv4 ? _reachableIpv4 : _reachableIpv6;
    }

    private void DrawReachableTimes()
    {
        // MIN_RANDOM_FACTOR 0.5 to MAX_RANDOM_FACTOR 1.5 (RFC 4861 10).
        _reachableIpv4 = new Duration((long)(_baseReachableIpv4.Nanoseconds * (0.5 + _engine.Random.NextDouble())));
        _reachableIpv6 = new Duration((long)(_baseReachableIpv6.Nanoseconds * (0.5 + _engine.Random.NextDouble())));
        _redrawAt = _engine.Now + s_reachableTimeRedraw;
    }

    /// <inheritdoc/>
    void IScheduled.OnTime(long cookie)
    {
        if (_wakeAt > _engine.Now)
        {
            // Left over from a time that was moved forward since.
            return;
        }

        _wakeAt = MonoTime.Never;
        if (_collectAt <= _engine.Now)
        {
            Collect();
        }

        MonoTime next = _collectAt;
        for (int list = 0; list < TimerLists; list++)
        {
            int head;
            while ((head = _timers[list].Head) >= 0 && _entries[head].Deadline <= _engine.Now)
            {
                StopTimer(head);
                HandleTimer(head);
            }
        }

        for (int list = 0; list < TimerLists; list++)
        {
            int head = _timers[list].Head;
            next = head < 0 ? next : MonoTime.Min(next, _entries[head].Deadline);
        }

        WakeAt(next);
    }

    private void WakeAt(MonoTime time)
    {
        if (time < _wakeAt)
        {
            _wakeAt = time;
            _engine.Schedule(time, this, 0);
        }
    }

    private void StartTimer(int index, int timer, Duration duration)
    {
        StopTimer(index);
        ref NeighbourEntry entry = ref _entries[index];
        int list = timer + (entry.Address.IsIpv4 ? 0 : 1);
        ref NeighbourList timers = ref _timers[list];
        entry.Deadline = _engine.Now + duration;
        entry.TimerList = (sbyte)list;

        // Only after RetransTimer was made shorter is there anything to walk past.
        int previous = timers.Tail;
        while (previous >= 0 && _entries[previous].Deadline > entry.Deadline)
        {
            previous = _entries[previous].TimerPrevious;
        }

        int next = previous < 0 ? timers.Head : _entries[previous].TimerNext;
        entry.TimerPrevious = previous;
        entry.TimerNext = next;
        if (previous < 0)
        {
            timers.Head = index;
        }
        else
        {
            _entries[previous].TimerNext = index;
        }

        if (next < 0)
        {
            timers.Tail = index;
        }
        else
        {
            _entries[next].TimerPrevious = index;
        }

        timers.Count++;
        WakeAt(entry.Deadline);
    }

    private void StopTimer(int index)
    {
        ref NeighbourEntry entry = ref _entries[index];
        if (entry.TimerList < 0)
        {
            return;
        }

        ref NeighbourList timers = ref _timers[entry.TimerList];
        if (entry.TimerPrevious < 0)
        {
            timers.Head = entry.TimerNext;
        }
        else
        {
            _entries[entry.TimerPrevious].TimerNext = entry.TimerNext;
        }

        if (entry.TimerNext < 0)
        {
            timers.Tail = entry.TimerPrevious;
        }
        else
        {
            _entries[entry.TimerNext].TimerPrevious = entry.TimerPrevious;
        }

        entry.TimerList = -1;
        timers.Count--;
    }

    /// <summary>RFC 6583 7.1: a scan of the subnet must not turn into as many multicasts.</summary>
    private bool TryTakeSolicitToken()
    {
        long interval = 1_000_000_000L / Math.Max(1, Options.solicit_rate);
        long earned = (_engine.Now - _solicitTokensAt).Nanoseconds / interval;
        if (earned > 0)
        {
            _solicitTokens = Math.Min(Options.solicit_burst, _solicitTokens + earned);
            _solicitTokensAt += new Duration(earned * interval);
        }

        if (_solicitTokens == 0)
        {
            return false;
        }

        _solicitTokens--;
        return true;
    }
}
