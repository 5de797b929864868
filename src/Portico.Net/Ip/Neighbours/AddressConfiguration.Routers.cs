namespace Portico.Net;

// Finding routers (RFC 4861 6.3.7 with the back-off of RFC 7559), and remembering a bounded number of them, of their prefixes and of
// their DNS servers.
public sealed partial class AddressConfiguration
{
    private static readonly Duration s_initialRt = Duration.FromSeconds(4);
    private static readonly Duration s_maximumRt = Duration.FromSeconds(3600);

    private readonly List<DefaultRouter> _routers = [];
    private readonly List<OnLinkPrefix> _prefixes = [];
    private readonly List<DnsServer> _dnsServers = [];
    private MonoTime _solicitAt = MonoTime.Never;
    private Duration _solicitInterval;
    private Route? _defaultRoute;

    private record struct DefaultRouter(IpAddress Address, MonoTime Until, int Preference);

    private record struct OnLinkPrefix(IpPrefix Prefix, MonoTime Until, Route Route);

    private record struct DnsServer(IpAddress Address, MonoTime Until);

    /// <summary>How many default routers are known.</summary>
    public int RouterCount => _routers.Count;

    /// <summary>How many advertised prefixes are known to be on the link.</summary>
    public int PrefixCount => _prefixes.Count;

    /// <summary>How many DNS servers routers have told of (RFC 8106).</summary>
    public int DnsServerCount => _dnsServers.Count;

    /// <summary>The router that packets without a better route go to; unspecified where there is none.</summary>
    public IpAddress CurrentRouter => _defaultRoute?.Gateway ?? default;

    /// <summary>A DNS server, the longest known first.</summary>
    public IpAddress DnsServerAt(int index) => _dnsServers[index].Address;

    /// <summary>A neighbour did not answer: if it is the default router, another one is taken (RFC 4861 6.3.6).</summary>
    internal void HandleUnreachableNeighbour(in IpAddress address)
    {
        if (_defaultRoute != null && _defaultRoute.Gateway == address)
        {
            SelectRouter();
        }
    }

    /// <summary>A router has said that it is one no longer (RFC 4861 7.2.5).</summary>
    internal void HandleRouterGone(in IpAddress address)
    {
        int index = FindRouter(address);
        if (index >= 0)
        {
            _routers.RemoveAt(index);
            SelectRouter();
        }
    }

    private void BeginSoliciting()
    {
        if (AcceptsRouterAdvertisements)
        {
            _solicitInterval = Duration.Zero;
            _solicitAt = _engine.Now + RandomUpTo(s_maxRtrSolicitationDelay);
            WakeAt(_solicitAt);
        }
    }

    private void SolicitIfDue()
    {
        if (_solicitAt > _engine.Now)
        {
            return;
        }

        if (!AcceptsRouterAdvertisements)
        {
            _solicitAt = MonoTime.Never;
            return;
        }

        _table.Discovery.SendRouterSolicitation(LinkLocalAddress());

        // RFC 8415 15, as RFC 7559 2 applies it: IRT 4 s, doubled up to MRT 3600 s, without end, each time one tenth more or less.
        double jitter = (_engine.Random.NextDouble() * 0.2) - 0.1;
        Duration factor = _solicitInterval == Duration.Zero ? s_initialRt : _solicitInterval;
        Duration plain = _solicitInterval == Duration.Zero ? s_initialRt : _solicitInterval * 2;
        Duration next = plain + new Duration((long)(factor.Nanoseconds * jitter));
        _solicitInterval = next > s_maximumRt ? s_maximumRt + new Duration((long)(s_maximumRt.Nanoseconds * jitter)) : next;
        _solicitAt = _engine.Now + _solicitInterval;
    }

    /// <summary>A usable link-local address; unspecified where there is none.</summary>
    internal IpAddress LinkLocalAddress()
    {
        foreach (InterfaceAddress own in _interface.AddressList)
        {
            if (own.IsUsable && !own.Address.IsIpv4 && own.Address.IsLinkLocal)
            {
                return own.Address;
            }
        }

        return IpAddress.AnyIpv6;
    }

    private void LearnRouter(in IpAddress address, uint lifetimeSeconds, int preferenceBits)
    {
        int index = FindRouter(address);
        if (lifetimeSeconds == 0)
        {
            if (index >= 0)
            {
                _routers.RemoveAt(index);
                SelectRouter();
            }

            return;
        }

        // RFC 4191 2.1: 01 high, 11 low, and 10 is to be taken for medium.
        int preference = preferenceBits == 1 ? 1 : preferenceBits == 3 ? -1 : 0;
        DefaultRouter router = new(address, _engine.Now + Duration.FromSeconds(lifetimeSeconds), preference);
        if (index >= 0)
        {
            bool changed = _routers[index].Preference != preference;
            _routers[index] = router;
            if (changed || _defaultRoute?.Gateway != address)
            {
                SelectRouter();
            }
        }
        else if (_routers.Count >= Options.RoutersMax)
        {
            _table.Counters[NeighbourCounter.RaRouterLimit]++;
        }
        else
        {
            _routers.Add(router);
            SelectRouter();
        }
    }

    private int FindRouter(in IpAddress address)
    {
        for (int i = 0; i < _routers.Count; i++)
        {
            if (_routers[i].Address == address)
            {
                return i;
            }
        }

        return -1;
    }

    /// <summary>
    /// RFC 4861 6.3.6 with RFC 4191 3.2: a reachable router before one that failed, then by preference, then the one known longest;
    /// where all have failed they take turns.
    /// </summary>
    private void SelectRouter()
    {
        int best = -1;
        int bestRank = int.MinValue;
        int current = _defaultRoute == null ? -1 : FindRouter(_defaultRoute.Gateway);
        for (int i = 0; i < _routers.Count; i++)
        {
            int candidate = (current + 1 + i) % _routers.Count;
            bool hasFailed = _table.Find(_routers[candidate].Address).State == NudState.Failed;
            int rank = hasFailed ? -10 : (_routers[candidate].Preference * 2) + (candidate == current ? 1 : 0);
            if (rank > bestRank)
            {
                best = candidate;
                bestRank = rank;
            }
        }

        IpAddress gateway = best < 0 ? default : _routers[best].Address;
        if (_defaultRoute != null && _defaultRoute.Gateway != gateway)
        {
            _interface.Stack.Ip.Routes.Remove(_defaultRoute);
            _defaultRoute = null;
        }

        if (best >= 0 && _defaultRoute == null)
        {
            Route route = new()
            {
                Destination = new IpPrefix(IpAddress.AnyIpv6, 0),
                Gateway = gateway,
                InterfaceIndex = _interface.Index,
                Metric = 1024,
            };
            _defaultRoute = _interface.Stack.Ip.Routes.Add(route) == Errno.None ? route : null;
        }
    }

    private void AgeRouters()
    {
        int before = _routers.Count;
        for (int i = _routers.Count - 1; i >= 0; i--)
        {
            if (_routers[i].Until <= _engine.Now)
            {
                _routers.RemoveAt(i);
            }
        }

        if (_routers.Count != before)
        {
            SelectRouter();
        }

        for (int i = _prefixes.Count - 1; i >= 0; i--)
        {
            if (_prefixes[i].Until <= _engine.Now)
            {
                RemovePrefix(i);
            }
        }

        for (int i = _dnsServers.Count - 1; i >= 0; i--)
        {
            if (_dnsServers[i].Until <= _engine.Now)
            {
                _dnsServers.RemoveAt(i);
            }
        }
    }

    private MonoTime NextRouterTime()
    {
        MonoTime next = MonoTime.Never;
        foreach (DefaultRouter router in _routers)
        {
            next = MonoTime.Min(next, router.Until);
        }

        foreach (OnLinkPrefix prefix in _prefixes)
        {
            next = MonoTime.Min(next, prefix.Until);
        }

        foreach (DnsServer server in _dnsServers)
        {
            next = MonoTime.Min(next, server.Until);
        }

        return next;
    }

    private void RemovePrefix(int index)
    {
        _interface.Stack.Ip.Routes.Remove(_prefixes[index].Route);
        _prefixes.RemoveAt(index);
    }

    private void ForgetRouters()
    {
        _solicitAt = MonoTime.Never;
        _routers.Clear();
        SelectRouter();
        for (int i = _prefixes.Count - 1; i >= 0; i--)
        {
            RemovePrefix(i);
        }

        _dnsServers.Clear();
        _interface.SetAdvertised(0, 0);
    }
}
