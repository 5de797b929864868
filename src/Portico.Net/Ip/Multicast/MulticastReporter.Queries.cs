namespace Portico.Net;

// Messages that come in: queries of every version, and the reports of other hosts, which the older versions are silenced by.
internal sealed partial class MulticastReporter
{
    /// <summary>A message whose checksum is right, from its first byte on.</summary>
    public void HandleMessage(ReadOnlySpan<byte> message, in IpInfo info)
    {
        switch (message[0])
        {
            case IgmpType.MembershipQuery when isIpv4:
            case Icmpv6Type.MulticastListenerQuery when !isIpv4:
                HandleQuery(message, info);
                return;
            case IgmpType.MembershipReportV1 when isIpv4:
            case IgmpType.MembershipReportV2 when isIpv4:
            case Icmpv6Type.MulticastListenerReport when !isIpv4:
                Counters[MulticastCounter.InReports]++;
                HandleOlderReport(message, info);
                return;
            case IgmpType.MembershipReportV3 when isIpv4:
            case Icmpv6Type.MulticastListenerReportV2 when !isIpv4:
                Counters[MulticastCounter.InReports]++;
                return;
            case IgmpType.LeaveGroup when isIpv4:
            case Icmpv6Type.MulticastListenerDone when !isIpv4:
                Counters[MulticastCounter.InReductions]++;
                return;
            default:
                Counters[MulticastCounter.InErrors]++;
                return;
        }
    }

    private void HandleQuery(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (!(isIpv4 ? MulticastQuery.TryParseIgmp(message, out MulticastQuery query) : MulticastQuery.TryParseMld(message, out query)))
        {
            Counters[MulticastCounter.InErrors]++;
            return;
        }

        // RFC 3810 6.2: MLD queries come from a link-local address; both kinds are sent with a hop limit of 1.
        bool isForeign = info.HopLimit != 1 || (!isIpv4 && !info.Source.IsLinkLocal);
        if (isForeign || !(query.Group.IsUnspecified || query.Group.IsMulticast))
        {
            Counters[MulticastCounter.InIgnored]++;
            return;
        }

        Counters[MulticastCounter.InQueries]++;
        NoteVersion(message, query);
        Duration delay = Random(Duration.FromMilliseconds(Math.Max(query.MaxResponseMillis, 1)));
        if (query.Group.IsUnspecified)
        {
            HandleGeneralQuery(_engine.Now + delay);
        }
        else if (owner.Find(query.Group) is { IsMember: true } group && IsReported(query.Group))
        {
            HandleGroupQuery(group, query, _engine.Now + delay);
        }
    }

    /// <summary>RFC 3376 7.2.1, RFC 3810 8.2.1: an older querier makes this host speak its version for a while.</summary>
    private void NoteVersion(ReadOnlySpan<byte> message, in MulticastQuery query)
    {
        int newest = isIpv4 ? 3 : 2;
        if (query.Version == newest)
        {
            // RFC 3376 4.1.6 and 4.1.7: zero means that the querier uses the default.
            int flags = message[isIpv4 ? 8 : 24] & 7;
            int code = message[isIpv4 ? 9 : 25];
            int seconds = code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
            _robustness = flags == 0 ? RobustnessDefault : flags;
            _queryIntervalSeconds = seconds == 0 ? QueryIntervalSecondsDefault : seconds;
            return;
        }

        int before = Version;
        Duration present = Duration.FromSeconds((long)_robustness * _queryIntervalSeconds)
            + Duration.FromMilliseconds(query.MaxResponseMillis);
        ref MonoTime until = ref query.Version == 1 ? ref _version1Until : ref _version2Until;
        until = _engine.Now + present;
        if (Version != before)
        {
            CancelPending();
        }
    }

    private void CancelPending()
    {
        _generalQueryDue = MonoTime.Never;
        for (int i = owner.Groups.Count - 1; i >= 0; i--)
        {
            MulticastGroup group = owner.Groups[i];
            if (group.Address.IsIpv4 == isIpv4)
            {
                group.ForgetPending();
                owner.Tidy(group);
            }
        }
    }

    private void HandleGeneralQuery(MonoTime due)
    {
        if (HasSourceFilters)
        {
            if (due < _generalQueryDue)
            {
                _generalQueryDue = due;
                WakeAt(due);
            }

            return;
        }

        // The older versions answer for each group by itself, each at its own time within the querier's limit.
        Duration most = due - _engine.Now;
        foreach (MulticastGroup group in owner.Groups)
        {
            if (group.Address.IsIpv4 == isIpv4 && group.IsMember && IsReported(group.Address))
            {
                Expedite(group, _engine.Now + Random(most));
            }
        }
    }

    /// <summary>RFC 3376 5.2, rules 1 and 3 to 5.</summary>
    private void HandleGroupQuery(MulticastGroup group, in MulticastQuery query, MonoTime due)
    {
        if (HasSourceFilters && _generalQueryDue < due)
        {
            return;
        }

        bool isPending = group.QueryDue != MonoTime.Never;
        if (query.SourceCount == 0 || !HasSourceFilters || (isPending && group.AskedCount == 0))
        {
            group.AskedCount = 0;
        }
        else
        {
            for (int i = 0; i < query.SourceCount; i++)
            {
                if (!group.TryAsk(query.Source(i)))
                {
                    // Too many to remember: the whole state answers all of them.
                    group.AskedCount = 0;
                    break;
                }
            }
        }

        Expedite(group, due);
    }

    private void Expedite(MulticastGroup group, MonoTime due)
    {
        group.QueryDue = MonoTime.Min(group.QueryDue, due);
        WakeAt(group.QueryDue);
    }

    /// <summary>RFC 2236 3, RFC 2710 4: another host's report makes this host's unnecessary.</summary>
    private void HandleOlderReport(ReadOnlySpan<byte> message, in IpInfo info)
    {
        if (message.Length < (isIpv4 ? 8 : 24))
        {
            Counters[MulticastCounter.InErrors]++;
            return;
        }

        IpAddress address = isIpv4 ? IpAddress.ReadIpv4(message[4..]) : IpAddress.ReadIpv6(message[8..]);
        if (HasSourceFilters || info.Destination != address || owner.Find(address) is not { } group)
        {
            return;
        }

        group.QueryDue = group.ChangeDue = MonoTime.Never;
        group.ModeRetransmissions = 0;
        group.IsLastReporter = false;
    }

    private void AnswerGeneralQuery()
    {
        if (!HasSourceFilters)
        {
            return;
        }

        foreach (MulticastGroup group in owner.Groups)
        {
            if (group.Address.IsIpv4 == isIpv4 && group.IsMember && IsReported(group.Address))
            {
                AddStateRecord(group);
            }
        }

        Flush();
    }

    private void AnswerGroupQuery(MulticastGroup group)
    {
        if (!group.IsMember)
        {
            return;
        }

        if (!HasSourceFilters)
        {
            group.IsLastReporter = true;
            SendOlder(group.Address, isLeave: false);
            return;
        }

        if (group.AskedCount == 0)
        {
            AddStateRecord(group);
        }
        else
        {
            AddAskedRecord(group);
        }

        group.AskedCount = 0;
        Flush();
    }
}
