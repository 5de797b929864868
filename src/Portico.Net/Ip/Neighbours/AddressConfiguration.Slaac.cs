namespace Portico.Net;

// What a router advertisement says (RFC 4861 6.3.4, RFC 4862 5.5.3, RFC 8106). Everything learned is bounded, because anybody on the
// link can pose as a router.
public sealed partial class AddressConfiguration
{
    private const int Ipv6MtuMin = 1280;

    /// <summary>RFC 4861 4.2: larger reachable times are an error of the router's.</summary>
    private const uint ReachableTimeMillisMax = 3_600_000;

    private static readonly Duration s_twoHours = Duration.FromSeconds(7200);

    /// <summary>A valid advertisement from a link-local source.</summary>
    internal void HandleRouterAdvertisement(in IpAddress source, RouterAdvertisement advertisement, int preferenceBits)
    {
        if (advertisement.RouterLifetimeSeconds > 0)
        {
            _solicitAt = MonoTime.Never;
        }

        if (Options.accept_ra_defrtr)
        {
            LearnRouter(source, advertisement.RouterLifetimeSeconds, preferenceBits);
        }

        byte hopLimit = advertisement.CurHopLimit;
        if (hopLimit != 0 && hopLimit >= Options.accept_ra_min_hop_limit)
        {
            _interface.SetAdvertised(_interface.AdvertisedMtu, hopLimit);
        }

        uint reachable = advertisement.ReachableTimeMillis;
        uint retrans = advertisement.RetransTimerMillis;
        _table.SetIpv6Times(
            Duration.FromMilliseconds(reachable <= ReachableTimeMillisMax ? reachable : 0),
            Duration.FromMilliseconds(retrans <= ReachableTimeMillisMax ? retrans : 0));

        NdOptionReader options = advertisement.Options;
        while (options.TryRead(out NdOption option))
        {
            HandleOption(option);
        }

        WakeAt(NextTime());
    }

    private void HandleOption(NdOption option)
    {
        switch (option.Kind)
        {
            case NdOptionKind.PrefixInformation when Options.accept_ra_pinfo:
                if (PrefixInformation.TryParse(option, out PrefixInformation prefix) && prefix.PrefixLength <= 128)
                {
                    HandlePrefix(prefix);
                }
                else
                {
                    _table.Counters[NeighbourCounter.NdInBadOption]++;
                }

                break;
            case NdOptionKind.Mtu when Options.accept_ra_mtu:
                if (option.TryReadMtu(out uint mtu) && mtu >= Ipv6MtuMin && mtu <= _interface.Mtu)
                {
                    _interface.SetAdvertised((int)mtu, _interface.AdvertisedHopLimit);
                }
                else
                {
                    _table.Counters[NeighbourCounter.RaMtuIgnored]++;
                }

                break;
            case NdOptionKind.RecursiveDnsServer:
                if (RecursiveDnsServers.TryParse(option, out RecursiveDnsServers servers))
                {
                    LearnDnsServers(servers);
                }
                else
                {
                    _table.Counters[NeighbourCounter.NdInBadOption]++;
                }

                break;
            default:
                break;
        }
    }

    private void HandlePrefix(PrefixInformation information)
    {
        IpPrefix prefix = new IpPrefix(information.Prefix, information.PrefixLength).Network;
        uint valid = information.ValidLifetimeSeconds;
        uint preferred = information.PreferredLifetimeSeconds;
        if (prefix.Address.IsLinkLocal || prefix.Address.IsMulticast || prefix.Address.IsIpv4 || prefix.Length == 0)
        {
            _table.Counters[NeighbourCounter.RaPrefixIgnored]++;
            return;
        }

        if (information.IsOnLink)
        {
            LearnOnLink(prefix, valid);
        }

        if (!information.IsAutonomous || !Options.autoconf)
        {
            return;
        }

        // An interface identifier has 64 bits on Ethernet (RFC 2464 4).
        if (preferred > valid || prefix.Length != 64)
        {
            _table.Counters[NeighbourCounter.RaPrefixIgnored]++;
            return;
        }

        foreach (AddressRecord record in _records)
        {
            if (record.Origin == AddressOrigin.Autoconfigured && record.Address.Prefix.Network == prefix)
            {
                Renew(record, valid, preferred);
                return;
            }
        }

        CreateAutoconfigured(prefix, valid, preferred);
    }

    private void CreateAutoconfigured(in IpPrefix prefix, uint valid, uint preferred)
    {
        if (valid == 0)
        {
            return;
        }

        int count = 0;
        foreach (AddressRecord record in _records)
        {
            count += record.Origin == AddressOrigin.Autoconfigured ? 1 : 0;
        }

        if (count >= Options.max_addresses)
        {
            _table.Counters[NeighbourCounter.RaAddressLimit]++;
            return;
        }

        if (Generate(prefix, AddressOrigin.Autoconfigured, 0, out AddressRecord? created))
        {
            created!.ValidUntil = After(valid);
            created.PreferredUntil = After(preferred);
            if (preferred == 0 && created.Address.State == AddressState.Preferred)
            {
                _interface.SetAddressState(created.Address, AddressState.Deprecated);
            }
        }
    }

    /// <summary>
    /// RFC 4862 5.5.3 e: the preferred lifetime is what the router says; the valid lifetime may be cut to two hours but no further,
    /// so that a forged advertisement cannot take an address away at once.
    /// </summary>
    private void Renew(AddressRecord record, uint valid, uint preferred)
    {
        MonoTime validUntil = After(valid);
        MonoTime twoHours = _engine.Now + s_twoHours;
        if (validUntil > twoHours || validUntil > record.ValidUntil)
        {
            record.ValidUntil = validUntil;
        }
        else if (record.ValidUntil > twoHours)
        {
            record.ValidUntil = twoHours;
        }

        record.PreferredUntil = After(preferred);
        if (record.Address.IsUsable)
        {
            AddressState state = record.PreferredUntil > _engine.Now ? AddressState.Preferred : AddressState.Deprecated;
            if (state != record.Address.State)
            {
                _interface.SetAddressState(record.Address, state);
            }
        }
    }

    private void LearnOnLink(in IpPrefix prefix, uint valid)
    {
        for (int i = 0; i < _prefixes.Count; i++)
        {
            if (_prefixes[i].Prefix == prefix)
            {
                if (valid == 0)
                {
                    RemovePrefix(i);
                }
                else
                {
                    _prefixes[i] = _prefixes[i] with { Until = After(valid) };
                }

                return;
            }
        }

        if (valid == 0)
        {
            return;
        }

        if (_prefixes.Count >= Options.PrefixesMax)
        {
            _table.Counters[NeighbourCounter.RaPrefixLimit]++;
            return;
        }

        Route route = new() { Destination = prefix, InterfaceIndex = _interface.Index, Metric = 256 };
        if (_interface.Stack.Ip.Routes.Add(route) == Errno.None)
        {
            _prefixes.Add(new OnLinkPrefix(prefix, After(valid), route));
        }
    }

    private void LearnDnsServers(RecursiveDnsServers servers)
    {
        for (int i = 0; i < servers.Count; i++)
        {
            IpAddress address = servers[i];
            int known = FindDnsServer(address);
            if (servers.LifetimeSeconds == 0)
            {
                if (known >= 0)
                {
                    _dnsServers.RemoveAt(known);
                }
            }
            else if (known >= 0)
            {
                _dnsServers[known] = new DnsServer(address, After(servers.LifetimeSeconds));
            }
            else if (address.IsMulticast || address.IsUnspecified || address.IsLoopback || address.IsIpv4)
            {
                _table.Counters[NeighbourCounter.NdInBadOption]++;
            }
            else if (_dnsServers.Count >= Options.DnsServersMax)
            {
                _table.Counters[NeighbourCounter.RaDnsLimit]++;
            }
            else
            {
                _dnsServers.Add(new DnsServer(address, After(servers.LifetimeSeconds)));
            }
        }
    }

    private int FindDnsServer(in IpAddress address)
    {
        for (int i = 0; i < _dnsServers.Count; i++)
        {
            if (_dnsServers[i].Address == address)
            {
                return i;
            }
        }

        return -1;
    }

    private MonoTime After(uint seconds) =>
        seconds == PrefixInformation.Infinity ? MonoTime.Never : _engine.Now + Duration.FromSeconds(seconds);
}
