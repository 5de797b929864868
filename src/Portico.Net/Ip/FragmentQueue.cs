namespace Portico.Net;

/// <summary>What names an incomplete datagram (RFC 791 3.2, RFC 8200 4.5).</summary>
internal readonly record struct FragmentKey(
    IpAddress Source, IpAddress Destination, uint Identification, IpProtocol Protocol, int InterfaceIndex);

/// <summary>Hashes fragment keys with a secret, because anybody can choose them.</summary>
internal sealed class FragmentKeyComparer(SipKey secret) : IEqualityComparer<FragmentKey>
{
    public bool Equals(FragmentKey x, FragmentKey y) => x == y;

    public int GetHashCode(FragmentKey key) => (int)SipHash.HashFlow(
        secret, key.Source, key.Destination, (ushort)key.Identification, (ushort)((key.Identification >> 16) ^ ((uint)key.Protocol << 8)));
}

/// <summary>Hashes the sources of fragments with a secret.</summary>
internal sealed class FragmentSourceComparer(SipKey secret) : IEqualityComparer<IpAddress>
{
    public bool Equals(IpAddress x, IpAddress y) => x == y;

    public int GetHashCode(IpAddress key) => (int)SipHash.HashFlow(secret, key, key, 0, 0);
}

/// <summary>
/// One incomplete datagram: its fragments, ordered by where they begin. Reused, so that it allocates only while it grows.
/// </summary>
internal sealed class FragmentQueue
{
    private struct Piece
    {
        public int Start;
        public int End;
        public Packet Packet;
    }

    private Piece[] _pieces = new Piece[8];
    private int _count;

    public FragmentKey Key;
    public IpAddress Share;
    public MonoTime ExpiresAt;

    /// <summary>What the fragments that came in said, for the errors about them and for delivery.</summary>
    public IpInfo Info;

    /// <summary>Memory that the fragments hold.</summary>
    public int MemoryBytes;

    /// <summary>Payload bytes that have arrived; the datagram is complete when there are <see cref="TotalBytes"/>.</summary>
    public int PayloadBytes;

    /// <summary>Where the last fragment ends; -1 while it is missing.</summary>
    public int TotalBytes;

    /// <summary>Bit n is set where a fragment had n in its two ECN bits.</summary>
    public int EcnSeen;

    /// <summary>
    /// RFC 8200 4.5: a datagram with overlapping fragments is discarded with those that are still to come; it stays here without
    /// memory until its time is over.
    /// </summary>
    public bool IsDead;

    /// <summary>Whether every fragment's bytes are known to be right, so that the transport need not look.</summary>
    public bool IsVerified;

    // IPv6: what stands in front of the fragment header of the first fragment, and what follows it.
    public int UnfragmentableBytes;
    public int NextHeaderOffset;
    public IpProtocol NextHeader;

    // Places in the list by age, and in the list of the same source.
    public FragmentQueue? Next;
    public FragmentQueue? Previous;
    public FragmentQueue? ShareNext;
    public FragmentQueue? SharePrevious;

    public Packet? First => _count > 0 && _pieces[0].Start == 0 ? _pieces[0].Packet : null;

    public int FurthestEnd => _count == 0 ? 0 : _pieces[_count - 1].End;

    public bool IsComplete => PayloadBytes == TotalBytes;

    public void Begin(in FragmentKey key, in IpAddress share, MonoTime expiresAt)
    {
        Key = key;
        Share = share;
        ExpiresAt = expiresAt;
        TotalBytes = -1;
        EcnSeen = 0;
        IsDead = false;
        IsVerified = true;
        Info = default;
        PayloadBytes = 0;
        MemoryBytes = 0;
        Next = Previous = ShareNext = SharePrevious = null;
    }

    public enum Placement
    {
        Placed,
        Duplicate,
        Overlap,
    }

    /// <summary>Puts a fragment in its place; takes the packet only where the answer is Placed.</summary>
    public Placement TryPlace(Packet packet, int start, int end)
    {
        int at = _count;
        if (_count > 0 && start < _pieces[_count - 1].End)
        {
            at = FindPlace(start);
        }

        if (at < _count && _pieces[at].Start == start && _pieces[at].End == end)
        {
            return Placement.Duplicate;
        }

        if ((at > 0 && _pieces[at - 1].End > start) || (at < _count && _pieces[at].Start < end))
        {
            return Placement.Overlap;
        }

        if (_count == _pieces.Length)
        {
            Array.Resize(ref _pieces, _count * 2);
        }

        Array.Copy(_pieces, at, _pieces, at + 1, _count - at);
        _pieces[at] = new Piece { Start = start, End = end, Packet = packet };
        _count++;
        PayloadBytes += end - start;
        return Placement.Placed;
    }

    /// <summary>Copies the payload, which is complete, in order; each packet's linear part begins with its payload.</summary>
    public void CopyPayloadTo(Span<byte> destination)
    {
        for (int i = 0; i < _count; i++)
        {
            _pieces[i].Packet.CopyTo(destination[_pieces[i].Start.._pieces[i].End]);
        }
    }

    public void ReleasePackets()
    {
        for (int i = 0; i < _count; i++)
        {
            _pieces[i].Packet.Release();
            _pieces[i] = default;
        }

        _count = 0;
        PayloadBytes = 0;
    }

    /// <summary>The first piece that does not begin before <paramref name="start"/>.</summary>
    private int FindPlace(int start)
    {
        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (_pieces[middle].Start < start)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        return low;
    }
}
