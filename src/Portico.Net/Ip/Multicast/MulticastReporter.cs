namespace Portico.Net;

/// <summary>
/// Tells the routers on an interface which groups of one IP version are wanted (read first: RFC 3376 5 and 7 for IGMP, RFC 3810 6
/// and 8 for MLD, which differ only in their numbers). Speaks the oldest version that a querier on the link speaks.
/// </summary>
internal sealed partial class MulticastReporter(MulticastMembership owner, NetworkInterface output, bool isIpv4) : IScheduled
{
    private const int RobustnessDefault = 2;
    private const int QueryIntervalSecondsDefault = 125;

    // RFC 3376 8.11, RFC 3810 9.11: 1 s between state-change reports; RFC 2236 8.10, RFC 2710 7.10: 10 s for the older versions.
    private static readonly Duration s_changeInterval = Duration.FromSeconds(1);
    private static readonly Duration s_olderChangeInterval = Duration.FromSeconds(10);

    private readonly Engine _engine = output.Stack.Engine;
    private MonoTime _version1Until = MonoTime.Zero;
    private MonoTime _version2Until = MonoTime.Zero;
    private MonoTime _generalQueryDue = MonoTime.Never;
    private MonoTime _wakeAt = MonoTime.Never;
    private int _robustness = RobustnessDefault;
    private int _queryIntervalSeconds = QueryIntervalSecondsDefault;

    public MibTable<MulticastCounter> Counters { get; } = new();

    /// <summary>The version spoken now: of IGMP 1 to 3; of MLD 1 or 2.</summary>
    public int Version
    {
        get
        {
            if (_engine.Now < _version1Until)
            {
                return 1;
            }

            return isIpv4 ? _engine.Now < _version2Until ? 2 : 3 : 2;
        }
    }

    private bool HasSourceFilters => Version == (isIpv4 ? 3 : 2);

    /// <summary>The group's state has changed from what it was before <see cref="MulticastGroup.BeginChange"/>.</summary>
    public void OnChange(MulticastGroup group, bool wasMember, MulticastFilterMode before)
    {
        if (!IsReported(group.Address))
        {
            return;
        }

        if (!HasSourceFilters)
        {
            OnOlderChange(group, wasMember);
            return;
        }

        bool hasChanged = group.Mode != before;
        if (hasChanged)
        {
            group.ModeRetransmissions = (byte)_robustness;
        }

        for (int i = 0; i < group.SourceCount; i++)
        {
            ref MulticastGroup.Source source = ref group.SourceAt(i);
            if (group.Mode != before)
            {
                source.Retransmissions = 0;
            }
            else if (group.IsListed(source) != source.WasListed)
            {
                source.Retransmissions = (byte)_robustness;
                hasChanged = true;
            }
        }

        if (hasChanged)
        {
            SendChange(group);
        }
    }

    /// <summary>Tells the group's whole state as a change to it.</summary>
    public void ReportAgain(MulticastGroup group)
    {
        if (IsReported(group.Address) && group.IsMember)
        {
            group.ModeRetransmissions = (byte)_robustness;
            SendChange(group);
        }
    }

    private void OnOlderChange(MulticastGroup group, bool wasMember)
    {
        bool isMember = group.IsMember;
        if (isMember && !wasMember)
        {
            group.ModeRetransmissions = (byte)_robustness;
            SendChange(group);
        }
        else if (wasMember && !isMember)
        {
            group.ModeRetransmissions = 0;
            group.ChangeDue = group.QueryDue = MonoTime.Never;
            if (group.IsLastReporter && !(isIpv4 && Version == 1))
            {
                SendOlder(group.Address, isLeave: true);
            }
        }
    }

    /// <summary>Sends one state-change report about the group, and arranges the next one while any is left.</summary>
    private void SendChange(MulticastGroup group)
    {
        if (HasSourceFilters)
        {
            AddChangeRecords(group);
            Flush();
        }
        else
        {
            group.ModeRetransmissions--;
            group.IsLastReporter = true;
            SendOlder(group.Address, isLeave: false);
        }

        bool isMore = group.ModeRetransmissions > 0;
        for (int i = 0; i < group.SourceCount; i++)
        {
            isMore |= group.SourceAt(i).Retransmissions > 0;
        }

        group.ChangeDue = isMore ? _engine.Now + Random(HasSourceFilters ? s_changeInterval : s_olderChangeInterval) : MonoTime.Never;
        WakeAt(group.ChangeDue);
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        if (_engine.Now < _wakeAt)
        {
            return;
        }

        _wakeAt = MonoTime.Never;
        if (_generalQueryDue <= _engine.Now)
        {
            _generalQueryDue = MonoTime.Never;
            AnswerGeneralQuery();
        }

        MonoTime next = _generalQueryDue;
        for (int i = owner.Groups.Count - 1; i >= 0; i--)
        {
            MulticastGroup group = owner.Groups[i];
            if (group.Address.IsIpv4 != isIpv4)
            {
                continue;
            }

            if (group.QueryDue <= _engine.Now)
            {
                group.QueryDue = MonoTime.Never;
                AnswerGroupQuery(group);
            }

            if (group.ChangeDue <= _engine.Now)
            {
                group.ChangeDue = MonoTime.Never;
                SendChange(group);
                owner.Tidy(group);
            }

            next = MonoTime.Min(next, MonoTime.Min(group.QueryDue, group.ChangeDue));
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

    /// <summary>A time in (0, <paramref name="most"/>].</summary>
    private Duration Random(Duration most) =>
        new(1 + (long)(_engine.Random.NextDouble() * Math.Max(most.Nanoseconds - 1, 0)));

    /// <summary>All-hosts groups are never reported, nor are groups that do not leave the host (RFC 3810 6).</summary>
    private static bool IsReported(in IpAddress group) =>
        !MulticastMembership.IsAllHosts(group) && (group.IsIpv4 || ((group.High >> 48) & 0xF) >= 2);
}
