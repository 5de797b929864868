namespace Portico.Net;

/// <summary>
/// The keys by which a socket signs its segments and wants those of its peers signed (RFC 2385; TCP_MD5SIG and TCP_MD5SIG_EXT of tcp(7)), for
/// peers by prefix of their addresses. A connection that a listener accepts has the key of its peer alone.
/// </summary>
public sealed class TcpSignatureKeys
{
    /// <summary>Bytes of the longest key (TCP_MD5SIG_MAXKEYLEN).</summary>
    public const int KeyBytesMax = 80;

    /// <summary>Most keys of a socket: as many as net.core.optmem_max leaves room for on Linux.</summary>
    public const int CountMax = 963;

    private readonly List<Entry> _entries = [];

    private sealed record Entry(IpPrefix Peers, bool IsOfDomain, byte[] Key);

    /// <summary>How many keys there are.</summary>
    public int Count => _entries.Count;

    /// <summary>
    /// Sets the key of peers, or another in its place. <paramref name="isOfDomain"/> tells keys apart that are given with TCP_MD5SIG_FLAG_IFINDEX.
    /// Errors: EINVAL for a key that is empty or too long, ENOMEM.
    /// </summary>
    public Errno Add(IpPrefix peers, bool isOfDomain, ReadOnlySpan<byte> key)
    {
        if (key.IsEmpty || key.Length > KeyBytesMax)
        {
            return Errno.EINVAL;
        }

        int index = IndexOf(peers, isOfDomain);
        if (index >= 0)
        {
            _entries[index] = new Entry(peers, isOfDomain, key.ToArray());
            return Errno.None;
        }

        if (_entries.Count >= CountMax)
        {
            return Errno.ENOMEM;
        }

        _entries.Add(new Entry(peers, isOfDomain, key.ToArray()));
        return Errno.None;
    }

    /// <summary>Forgets the key of exactly these peers. Errors: ENOENT.</summary>
    public Errno Remove(IpPrefix peers, bool isOfDomain)
    {
        int index = IndexOf(peers, isOfDomain);
        if (index < 0)
        {
            return Errno.ENOENT;
        }

        _entries.RemoveAt(index);
        return Errno.None;
    }

    /// <summary>The key of a peer, by the longest prefix; empty where there is none.</summary>
    public ReadOnlySpan<byte> Find(in IpAddress peer) => Match(peer) is { } entry ? entry.Key : default;

    /// <summary>The key of a peer alone, for a connection with it; null where there is none.</summary>
    internal TcpSignatureKeys? For(in IpAddress peer)
    {
        if (Match(peer) is not { } entry)
        {
            return null;
        }

        TcpSignatureKeys keys = new();
        keys._entries.Add(entry with { Peers = new IpPrefix(peer, peer.WireLength * 8) });
        return keys;
    }

    private Entry? Match(in IpAddress peer)
    {
        Entry? best = null;
        foreach (Entry entry in _entries)
        {
            if (entry.Peers.Contains(peer) && (best == null || entry.Peers.Length > best.Peers.Length))
            {
                best = entry;
            }
        }

        return best;
    }

    private int IndexOf(IpPrefix peers, bool isOfDomain)
    {
        for (int i = 0; i < _entries.Count; i++)
        {
            if (_entries[i].Peers == peers && _entries[i].IsOfDomain == isOfDomain)
            {
                return i;
            }
        }

        return -1;
    }
}
