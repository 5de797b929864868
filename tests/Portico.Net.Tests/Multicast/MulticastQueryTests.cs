namespace Portico.Net.Tests.Multicast;

public sealed class MulticastQueryTests : MulticastFixture
{
    private void JoinQuietly(IpAddress group)
    {
        Membership.Join(group);
        AdvanceSeconds(25);
        Take();
    }

    [Fact]
    public void A_general_query_is_answered_once_within_its_response_time()
    {
        JoinQuietly(Group4);
        MonoTime asked = Engine.Now;
        Query4(100);
        Query4(100);
        Assert.Empty(Take());
        MonoTime due = Engine.NextDeadline;
        Assert.InRange((due - asked).Nanoseconds, 1, Duration.FromSeconds(10).Nanoseconds);
        AdvanceSeconds(11);
        Assert.Equal("to 224.0.0.22 ModeIsExclude 239.1.2.3", TakeOne());
        Assert.Equal(2, Membership.IgmpCounters[MulticastCounter.InQueries]);
    }

    [Fact]
    public void A_query_for_a_group_is_answered_by_members_only()
    {
        JoinQuietly(Group4);
        Query4(10, "239.9.9.9");
        AdvanceSeconds(1);
        Assert.Empty(Take());
        Query4(10, "239.1.2.3");
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 ModeIsExclude 239.1.2.3", TakeOne());
    }

    [Fact]
    public void A_query_for_sources_is_answered_with_those_that_are_wanted()
    {
        Membership.Add(Group4, MulticastFilterMode.Exclude, Sources.AsSpan(0, 2));
        AdvanceSeconds(2);
        Take();
        Query4(10, "239.1.2.3", [Sources[1], Sources[2]]);
        Query4(10, "239.1.2.3", [Sources[3]]);
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 ModeIsInclude 239.1.2.3 10.1.0.3 10.1.0.4", TakeOne());
        Query4(10, "239.1.2.3", [Sources[0]]);
        AdvanceSeconds(1);
        Assert.Empty(Take());
        Query4(10, "239.1.2.3", [.. Enumerable.Range(0, 65).Select(i => IpAddress.FromIpv4((uint)i + 1))]);
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 ModeIsExclude 239.1.2.3 10.1.0.1 10.1.0.2", TakeOne());
    }

    [Fact]
    public void An_IGMPv2_querier_is_answered_with_version_2_until_it_has_been_silent()
    {
        JoinQuietly(Group4);
        Query4(100, version: 2);
        Assert.Equal(2, Membership.IgmpVersion);
        AdvanceSeconds(10);
        Assert.Equal("to 239.1.2.3 v2 report 239.1.2.3", TakeOne());
        Membership.Leave(Group4);
        Assert.Equal("to 224.0.0.2 leave 239.1.2.3", TakeOne());
        Membership.Join(Group4);
        Assert.Equal("to 239.1.2.3 v2 report 239.1.2.3", TakeOne());
        AdvanceSeconds(10);
        Assert.Equal("to 239.1.2.3 v2 report 239.1.2.3", TakeOne());

        // Robustness (2) times the query interval (125 s), and one response interval (10 s).
        AdvanceSeconds(239);
        Assert.Equal(2, Membership.IgmpVersion);
        AdvanceSeconds(1);
        Assert.Equal(3, Membership.IgmpVersion);
    }

    [Fact]
    public void Another_hosts_version_2_report_silences_this_one()
    {
        JoinQuietly(Group4);
        Query4(100, version: 2);
        byte[] report = new byte[8];
        MulticastReport.WriteIgmpV2(report, IgmpType.MembershipReportV2, Group4);
        InjectIgmp(report, "10.0.0.7", Group4);
        AdvanceSeconds(11);
        Assert.Empty(Take());
        Membership.Leave(Group4);
        Assert.Empty(Take());
    }

    [Fact]
    public void An_IGMPv1_querier_is_answered_with_version_1_and_not_told_of_leaving()
    {
        JoinQuietly(Group4);
        Query4(0, version: 1);
        Assert.Equal(1, Membership.IgmpVersion);
        AdvanceSeconds(10);
        Assert.Equal("to 239.1.2.3 v1 report 239.1.2.3", TakeOne());
        Membership.Leave(Group4);
        Assert.Empty(Take());
        Assert.Equal(0, Membership.GroupCount);
    }

    [Fact]
    public void An_older_query_cancels_the_reports_of_the_newer_version()
    {
        Membership.Join(Group4);
        Take();
        Query4(100, "239.1.2.3", version: 2);
        AdvanceSeconds(60);
        Assert.Equal("to 239.1.2.3 v2 report 239.1.2.3", TakeOne());
    }

    [Fact]
    public void MLD_general_and_version_1_queries_are_answered()
    {
        JoinQuietly(Group6);
        Query6(1000);
        AdvanceSeconds(1);
        Assert.Equal("to ff02::16 ModeIsExclude ff05::5", TakeOne());
        Query6(1000, version: 1);
        Assert.Equal(1, Membership.MldVersion);
        AdvanceSeconds(1);
        Assert.Equal("to ff05::5 v1 report ff05::5", TakeOne());
        Membership.Leave(Group6);
        Assert.Equal("to ff02::2 done ff05::5", TakeOne());
    }

    [Fact]
    public void Queries_from_elsewhere_and_malformed_messages_are_counted_and_not_answered()
    {
        JoinQuietly(Group4);
        JoinQuietly(Group6);
        Query4(10, ttl: 2);
        Query6(1000, source: "2001:db8::fe");
        Assert.Equal(1, Membership.IgmpCounters[MulticastCounter.InIgnored]);
        Assert.Equal(1, Membership.MldCounters[MulticastCounter.InIgnored]);
        IpAddress allHosts = IpAddress.Parse("224.0.0.1");
        for (int length = 0; length < 12; length++)
        {
            byte[] message = new byte[length];
            if (length > 4)
            {
                message[0] = IgmpType.MembershipQuery;
                IcmpHeader.WriteChecksum(message);
            }

            if (length != 8)
            {
                InjectIgmp(message, "10.0.0.254", allHosts);
            }
        }

        Assert.Equal(11, Membership.IgmpCounters[MulticastCounter.InErrors]);
        byte[] lying = new byte[16];
        MulticastQuery.WriteIgmp(lying, 10, IpAddress.AnyIpv4, [Sources[0]]);
        lying[11] = 2;
        IcmpHeader.WriteChecksum(lying);
        InjectIgmp(lying, "10.0.0.254", allHosts);
        Assert.Equal(12, Membership.IgmpCounters[MulticastCounter.InErrors]);
        lying[2] ^= 1;
        InjectIgmp(lying, "10.0.0.254", allHosts);
        Assert.Equal(13, Membership.IgmpCounters[MulticastCounter.InErrors]);
        AdvanceSeconds(20);
        Assert.Empty(Take());
    }
}
