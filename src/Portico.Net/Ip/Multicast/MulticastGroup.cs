namespace Portico.Net;

/// <summary>
/// A group on an interface: what the sockets together want of it (RFC 3376 3.2), and what is still to be told to the routers.
/// </summary>
internal sealed class MulticastGroup(IpAddress address)
{
    internal struct Source
    {
        public IpAddress Address;

        /// <summary>Filters in INCLUDE mode, and in EXCLUDE mode, that list it.</summary>
        public int IncludeCount;
        public int ExcludeCount;

        /// <summary>State-change reports that still have to name it.</summary>
        public byte Retransmissions;

        /// <summary>Whether it was listed before the change that is under way.</summary>
        public bool WasListed;
    }

    /// <summary>The most sources that queries may ask for before the answer is the whole state.</summary>
    private const int AskedCountMax = 64;

    private Source[] _sources = [];
    private IpAddress[] _asked = [];

    public readonly IpAddress Address = address;

    /// <summary>Filters that exist.</summary>
    public int FilterCount;

    /// <summary>Filters in EXCLUDE mode; any of them makes the group's mode EXCLUDE.</summary>
    public int ExcludeFilterCount;

    /// <summary>State-change reports of the mode that are still to be sent.</summary>
    public byte ModeRetransmissions;

    /// <summary>When the next state-change report, or the report of an older version, is due.</summary>
    public MonoTime ChangeDue = MonoTime.Never;

    /// <summary>When the answer to a query is due.</summary>
    public MonoTime QueryDue = MonoTime.Never;

    /// <summary>Sources that a pending query asked for; without them the whole state is the answer.</summary>
    public int AskedCount;

    /// <summary>RFC 2236 3: this host was the last to report the group, so it says when it leaves.</summary>
    public bool IsLastReporter;

    public int SourceCount { get; private set; }

    public ref Source SourceAt(int index) => ref _sources[index];

    public MulticastFilterMode Mode => ExcludeFilterCount > 0 ? MulticastFilterMode.Exclude : MulticastFilterMode.Include;

    /// <summary>Whether anything at all is wanted.</summary>
    public bool IsMember
    {
        get
        {
            if (ExcludeFilterCount > 0)
            {
                return true;
            }

            for (int i = 0; i < SourceCount; i++)
            {
                if (_sources[i].IncludeCount > 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>
    /// Whether the source is in the interface's list: all EXCLUDE filters have it and no INCLUDE filter, or any INCLUDE filter.
    /// </summary>
    public bool IsListed(in Source source) => Mode == MulticastFilterMode.Exclude
        ? source.ExcludeCount == ExcludeFilterCount && source.IncludeCount == 0
        : source.IncludeCount > 0;

    public bool Accepts(in IpAddress source)
    {
        int index = Find(source);
        bool isListed = index >= 0 && IsListed(_sources[index]);
        return isListed == (Mode == MulticastFilterMode.Include);
    }

    public int Find(in IpAddress source)
    {
        for (int i = 0; i < SourceCount; i++)
        {
            if (_sources[i].Address == source)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>Adds a socket's filter to the counts, or takes it out.</summary>
    public void Count(MulticastFilterMode mode, ReadOnlySpan<IpAddress> sources, int change)
    {
        FilterCount += change;
        if (mode == MulticastFilterMode.Exclude)
        {
            ExcludeFilterCount += change;
        }

        foreach (ref readonly IpAddress address in sources)
        {
            int index = Find(address);
            if (index < 0)
            {
                Invariant.Check(change > 0);
                if (SourceCount == _sources.Length)
                {
                    Array.Resize(ref _sources, Math.Max(4, SourceCount * 2));
                }

                index = SourceCount++;
                _sources[index] = new Source { Address = address };
            }

            ref Source source = ref _sources[index];
            if (mode == MulticastFilterMode.Include)
            {
                source.IncludeCount += change;
            }
            else
            {
                source.ExcludeCount += change;
            }
        }
    }

    public IpAddress AskedAt(int index) => _asked[index];

    /// <summary>Remembers a source that a query asks for; false where there are too many.</summary>
    public bool TryAsk(in IpAddress source)
    {
        if (_asked.AsSpan(0, AskedCount).Contains(source))
        {
            return true;
        }

        if (AskedCount == AskedCountMax)
        {
            return false;
        }

        if (AskedCount == _asked.Length)
        {
            Array.Resize(ref _asked, Math.Max(4, AskedCount * 2));
        }

        _asked[AskedCount++] = source;
        return true;
    }

    /// <summary>Nothing more is to be told: the version of the protocol has changed.</summary>
    public void ForgetPending()
    {
        ModeRetransmissions = 0;
        ChangeDue = QueryDue = MonoTime.Never;
        AskedCount = 0;
        for (int i = 0; i < SourceCount; i++)
        {
            _sources[i].Retransmissions = 0;
        }
    }

    public void BeginChange()
    {
        for (int i = 0; i < SourceCount; i++)
        {
            _sources[i].WasListed = IsListed(_sources[i]);
        }
    }

    /// <summary>Forgets sources that nobody lists and nobody has to be told about.</summary>
    public void Sweep()
    {
        int kept = 0;
        for (int i = 0; i < SourceCount; i++)
        {
            ref Source source = ref _sources[i];
            if (source.IncludeCount > 0 || source.ExcludeCount > 0 || source.Retransmissions > 0)
            {
                _sources[kept++] = source;
            }
        }

        SourceCount = kept;
    }
}
