using System.Numerics;

namespace Portico.Net.Tests.HostileInput;

/// <summary>
/// Checks that no packet disappears: for each one that goes in, a counter must say what became of it, at the layer where its way ended.
/// </summary>
public sealed class HostileAccounting
{
    /// <summary>Counters that say that a packet came in, not what became of it.</summary>
    private static readonly HashSet<string> s_arrivals =
    [
        "InReceives", "InOctets", "InNoECTPkts", "InECT1Pkts", "InECT0Pkts", "InCEPkts", "InMcastPkts", "InBcastPkts", "InMcastOctets",
        "InBcastOctets",
    ];

    private readonly List<(long[] Values, long[] Mask)> _groups = [];
    private readonly long[] _ip4;
    private readonly long[] _ip6;
    private readonly List<long[]> _transports = [];
    private readonly List<(string Name, long[] Values, int Index)> _named = [];
    private readonly UdpLayer _udp;
    private long _dispositions;
    private long _delivered;
    private long _transported;

    public HostileAccounting(HostileWorld world)
    {
        NetworkStack stack = world.Victim;
        _udp = stack.Udp;
        _ip4 = Add(stack.Ip.Ipv4Counters, "Ip.");
        _ip6 = Add(stack.Ip.Ipv6Counters, "Ip6.");
        foreach (NetworkInterface port in stack.Interfaces)
        {
            AddTransport(port.Multicast.IgmpCounters, $"{port.Name}.Igmp.");
            AddTransport(port.Multicast.MldCounters, $"{port.Name}.Mld.");
            if (port.Neighbours is { } neighbours)
            {
                Add(neighbours.Counters, $"{port.Name}.");
            }
        }

        AddTransport(stack.Udp.Ipv4Counters, "Udp.");
        AddTransport(stack.Udp.Ipv6Counters, "Udp6.");
        AddTransport(stack.Icmp.Ipv4Counters, "Icmp.");
        AddTransport(stack.Icmp.Ipv6Counters, "Icmp6.");
        AddTransport(stack.Tcp.Mib, "Tcp.");
        Begin();
    }

    /// <summary>Remembers where the counters stand.</summary>
    public void Begin()
    {
        _dispositions = Dispositions();
        _delivered = Delivered();
        _transported = Transported();
    }

    /// <summary>
    /// Whether every counter that must have moved since the last packet has moved; the reason if not. The counters' places now are
    /// where the next packet begins.
    /// </summary>
    public string? Complain()
    {
        (long dispositions, long delivered, long transported) = (_dispositions, _delivered, _transported);
        Begin();
        if (_dispositions == dispositions)
        {
            return "no counter of interface or IP says what became of the packet";
        }

        return _delivered != delivered && _transported == transported ? "IP delivered the packet and no transport counted it" : null;
    }

    /// <summary>The counters that are not 0.</summary>
    public IReadOnlyList<string> Describe() =>
        [.. _named.Where(named => named.Values[named.Index] != 0).Select(named => $"{named.Name} {named.Values[named.Index]}")];

    private long Delivered() => _ip4[(int)IpCounter.InDelivers] + _ip6[(int)IpCounter.InDelivers];

    private long Dispositions()
    {
        Vector<long> sum = Vector<long>.Zero;
        long rest = 0;
        foreach ((long[] values, long[] mask) in _groups)
        {
            int at = 0;
            for (; at + Vector<long>.Count <= values.Length; at += Vector<long>.Count)
            {
                sum += new Vector<long>(values, at) & new Vector<long>(mask, at);
            }

            for (; at < values.Length; at++)
            {
                rest += values[at] & mask[at];
            }
        }

        return Vector.Sum(sum) + rest;
    }

    private long Transported()
    {
        // A datagram counts as received when the application has read it; until then it is in a queue.
        long rest = _udp.QueuedBytes;
        Vector<long> sum = Vector<long>.Zero;
        foreach (long[] values in _transports)
        {
            int at = 0;
            for (; at + Vector<long>.Count <= values.Length; at += Vector<long>.Count)
            {
                sum += new Vector<long>(values, at);
            }

            for (; at < values.Length; at++)
            {
                rest += values[at];
            }
        }

        return Vector.Sum(sum) + rest;
    }

    private void AddTransport<T>(MibTable<T> table, string prefix)
        where T : struct, Enum
    {
        _transports.Add(table.Values);
        Name(table, prefix);
    }

    private void Name<T>(MibTable<T> table, string prefix)
        where T : struct, Enum
    {
        for (int i = 0; i < table.Count; i++)
        {
            _named.Add((prefix + table.At(i).Name, table.Values, i));
        }
    }

    private long[] Add<T>(MibTable<T> table, string prefix)
        where T : struct, Enum
    {
        Name(table, prefix);
        _groups.Add((table.Values, [.. Enumerable.Range(0, table.Count).Select(i => IsDisposition(table.At(i).Name) ? -1L : 0)]));
        return table.Values;
    }

    private static bool IsDisposition(string name) =>
        !s_arrivals.Contains(name) && (name == nameof(IpCounter.OutForwDatagrams) || !name.StartsWith("Out", StringComparison.Ordinal));
}
