namespace Portico.Cli;

/// <summary>
/// Events on their way from the one thread that is in the engine to the one that writes them. Adding never waits: what finds no place is
/// counted.
/// </summary>
internal sealed class TraceQueue
{
    private readonly TraceEvent[] _events;
    private long _added;
    private long _taken;
    private long _lost;

    /// <summary>Holds at most <paramref name="eventsMax"/> events, a power of two.</summary>
    public TraceQueue(int eventsMax) => _events = new TraceEvent[eventsMax];

    /// <summary>Events that found no place.</summary>
    public long Lost => Volatile.Read(ref _lost);

    public void Add(in TraceEvent added)
    {
        if (_added - Volatile.Read(ref _taken) == _events.Length)
        {
            Volatile.Write(ref _lost, _lost + 1);
            return;
        }

        _events[_added & (_events.Length - 1)] = added;
        Volatile.Write(ref _added, _added + 1);
    }

    public bool TryTake(out TraceEvent taken)
    {
        if (_taken == Volatile.Read(ref _added))
        {
            taken = default;
            return false;
        }

        ref TraceEvent place = ref _events[_taken & (_events.Length - 1)];
        taken = place;
        place.Text = place.Answer = null;
        Volatile.Write(ref _taken, _taken + 1);
        return true;
    }
}
