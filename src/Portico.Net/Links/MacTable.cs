namespace Portico.Net;

/// <summary>
/// Which port a link-layer address was last seen on. Of fixed size: sets of four places under a keyed hash, so that learning and
/// looking up take four comparisons whatever the addresses, and a flood of made-up ones pushes out at most the oldest.
/// </summary>
internal sealed class MacTable
{
    private const int Ways = 4;

    private struct Entry
    {
        public ulong Address;
        public long SeenAt;
        public int Port;
        public bool IsUsed;
    }

    private readonly Entry[] _entries;
    private readonly int _setMask;
    private readonly ulong _key;
    private readonly long _ageMax;

    public MacTable(int capacity, Duration ageMax, ulong key)
    {
        int sets = (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, capacity / Ways));
        _entries = new Entry[sets * Ways];
        _setMask = sets - 1;
        _key = key | 1;
        _ageMax = ageMax.Nanoseconds;
    }

    /// <summary>How often a live address was pushed out by another.</summary>
    public long Evictions { get; private set; }

    /// <summary>Addresses seen no longer ago than the age limit.</summary>
    public int CountAt(MonoTime now)
    {
        int count = 0;
        foreach (ref readonly Entry entry in _entries.AsSpan())
        {
            count += IsLive(entry, now) ? 1 : 0;
        }

        return count;
    }

    public void Learn(MacAddress address, int port, MonoTime now)
    {
        Span<Entry> set = SetOf(address);
        ref Entry oldest = ref set[0];
        foreach (ref Entry entry in set)
        {
            if (entry.IsUsed && entry.Address == address.Value)
            {
                entry.SeenAt = now.Nanoseconds;
                entry.Port = port;
                return;
            }

            if (!entry.IsUsed || (oldest.IsUsed && entry.SeenAt < oldest.SeenAt))
            {
                oldest = ref entry;
            }
        }

        Evictions += IsLive(oldest, now) ? 1 : 0;
        oldest = new Entry { Address = address.Value, SeenAt = now.Nanoseconds, Port = port, IsUsed = true };
    }

    /// <summary>The port, or -1 where the address is not known.</summary>
    public int Find(MacAddress address, MonoTime now)
    {
        foreach (ref readonly Entry entry in SetOf(address))
        {
            if (entry.Address == address.Value && IsLive(entry, now))
            {
                return entry.Port;
            }
        }

        return -1;
    }

    private bool IsLive(in Entry entry, MonoTime now) => entry.IsUsed && now.Nanoseconds - entry.SeenAt <= _ageMax;

    private Span<Entry> SetOf(MacAddress address)
    {
        ulong hash = (address.Value ^ (_key >> 7)) * _key;
        hash = (hash ^ (hash >> 32)) * 0x9E37_79B9_7F4A_7C15;
        return _entries.AsSpan(((int)(hash >> 40) & _setMask) * Ways, Ways);
    }
}
