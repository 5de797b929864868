namespace Portico.Net.Tests.Multicast;

public sealed class MulticastReportTests : MulticastFixture
{
    private const string ToEx = "to 224.0.0.22 ChangeToExclude 239.1.2.3";

    [Fact]
    public void A_join_is_reported_byte_for_byte_by_IGMPv3_with_router_alert()
    {
        Assert.Equal(Errno.None, Membership.Join(Group4));
        Assert.Equal(
            "46C00028000040000102F9F80A000001E000001694040000" + "2200E8F90000000104000000EF010203",
            Convert.ToHexString(Link.TakeOne()));
    }

    [Fact]
    public void A_join_is_reported_byte_for_byte_by_MLDv2_in_a_hop_by_hop_header()
    {
        Assert.Equal(Errno.None, Membership.Join(Group6));
        Assert.Equal(
            "6000000000240001FE800000000000000000000000000001FF020000000000000000000000000016"
            + "3A00050200000100" + "8F0070020000000104000000FF050000000000000000000000000005",
            Convert.ToHexString(Link.TakeOne()));
    }

    [Fact]
    public void A_report_is_repeated_once_within_a_second_and_a_leave_likewise()
    {
        Membership.Join(Group4);
        Assert.Equal(ToEx, TakeOne());
        AdvanceSeconds(1);
        Assert.Equal(ToEx, TakeOne());
        AdvanceSeconds(100);
        Assert.Empty(Take());
        Membership.Leave(Group4);
        Assert.False(Membership.IsMember(Group4));
        Assert.Equal("to 224.0.0.22 ChangeToInclude 239.1.2.3", TakeOne());
        Assert.Equal(1, Membership.GroupCount);
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 ChangeToInclude 239.1.2.3", TakeOne());
        Assert.Equal(0, Membership.GroupCount);
        AdvanceSeconds(100);
        Assert.Empty(Take());
    }

    [Fact]
    public void Joins_are_counted()
    {
        Membership.Join(Group4);
        Membership.Join(Group4);
        AdvanceSeconds(2);
        Assert.Equal(2, Take().Length);
        Membership.Leave(Group4);
        Assert.True(Membership.IsMember(Group4));
        AdvanceSeconds(2);
        Assert.Empty(Take());
        Membership.Leave(Group4);
        Assert.Equal(Errno.EADDRNOTAVAIL, Membership.Leave(Group4));
        Assert.Equal(Errno.EINVAL, Membership.Join(IpAddress.Parse("10.0.0.1")));
    }

    [Fact]
    public void The_all_hosts_groups_are_always_joined_and_never_reported()
    {
        foreach (string group in new[] { "224.0.0.1", "ff02::1", "ff01::1" })
        {
            IpAddress address = IpAddress.Parse(group);
            Assert.True(Membership.IsMember(address));
            Membership.Join(address);
            Membership.Leave(address);
            Assert.True(Membership.IsMember(address));
        }

        AdvanceSeconds(2);
        Assert.Empty(Take());
        Assert.Equal(0, Membership.GroupCount);
    }

    [Fact]
    public void Included_sources_are_allowed_and_blocked_one_by_one()
    {
        Membership.Add(Group4, MulticastFilterMode.Include, Sources.AsSpan(0, 2));
        Assert.Equal("to 224.0.0.22 AllowNewSources 239.1.2.3 10.1.0.1 10.1.0.2", TakeOne());
        Assert.True(Membership.Accepts(Group4, Sources[0]));
        Assert.False(Membership.Accepts(Group4, Sources[2]));
        AdvanceSeconds(1);
        Take();
        Membership.Replace(Group4, MulticastFilterMode.Include, Sources.AsSpan(0, 2), MulticastFilterMode.Include, Sources.AsSpan(1, 2));
        Assert.Equal("to 224.0.0.22 AllowNewSources 239.1.2.3 10.1.0.3 BlockOldSources 239.1.2.3 10.1.0.1", TakeOne());
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 AllowNewSources 239.1.2.3 10.1.0.3 BlockOldSources 239.1.2.3 10.1.0.1", TakeOne());
        Membership.Remove(Group4, MulticastFilterMode.Include, Sources.AsSpan(1, 2));
        Assert.Equal("to 224.0.0.22 BlockOldSources 239.1.2.3 10.1.0.2 10.1.0.3", TakeOne());
        AdvanceSeconds(1);
        Take();
        Assert.Equal(0, Membership.GroupCount);
    }

    [Fact]
    public void The_filters_of_two_sockets_are_combined_as_RFC_3376_3_2_says()
    {
        // EXCLUDE {1,2,3} and EXCLUDE {2,3,4} and INCLUDE {3,5}: EXCLUDE {2}.
        Membership.Add(Group4, MulticastFilterMode.Exclude, Sources.AsSpan(0, 3));
        Assert.Equal(ToEx + " 10.1.0.1 10.1.0.2 10.1.0.3", TakeOne());
        Membership.Add(Group4, MulticastFilterMode.Exclude, Sources.AsSpan(1, 3));
        Membership.Add(Group4, MulticastFilterMode.Include, [Sources[2], Sources[4]]);
        AdvanceSeconds(5);
        Take();
        bool[] accepted = [.. Sources.Take(5).Select(source => Membership.Accepts(Group4, source))];
        Assert.Equal([true, false, true, true, true], accepted);
        Query4(1);
        AdvanceSeconds(1);
        Assert.Equal("to 224.0.0.22 ModeIsExclude 239.1.2.3 10.1.0.2", TakeOne());

        // Without the first two only the sources of the third are left.
        Membership.Remove(Group4, MulticastFilterMode.Exclude, Sources.AsSpan(0, 3));
        AdvanceSeconds(5);
        Take();
        Membership.Remove(Group4, MulticastFilterMode.Exclude, Sources.AsSpan(1, 3));
        Assert.Equal("to 224.0.0.22 ChangeToInclude 239.1.2.3 10.1.0.3 10.1.0.5", TakeOne());
        AdvanceSeconds(5);
    }

    [Fact]
    public void A_change_while_another_is_being_repeated_is_told_with_it()
    {
        Membership.Join(Group4);
        Membership.Replace(Group4, MulticastFilterMode.Exclude, default, MulticastFilterMode.Exclude, Sources.AsSpan(0, 1));
        Assert.Equal([ToEx, ToEx + " 10.1.0.1"], Take());
        AdvanceSeconds(3);
        Assert.Equal(["to 224.0.0.22 BlockOldSources 239.1.2.3 10.1.0.1"], Take());
    }

    [Fact]
    public void Many_groups_are_answered_in_reports_no_longer_than_the_mtu()
    {
        for (int i = 0; i < 400; i++)
        {
            Membership.Join(IpAddress.FromIpv4(0xEF000000u + (uint)i));
        }

        AdvanceSeconds(3);
        Take();
        Query4(10);
        AdvanceSeconds(1);
        byte[][] reports = Link.TakeAll();
        Assert.All(reports, report => Assert.InRange(report.Length, 24, 1500));
        Assert.Equal(400, reports.Sum(report => report[24 + 7] + (report[24 + 6] << 8)));
        Assert.Equal(3, reports.Length);
    }

    [Fact]
    public void The_number_of_groups_is_limited()
    {
        Membership.GroupCountMax = 2;
        Membership.Join(Group4);
        Membership.Join(Group6);
        Assert.Equal(Errno.ENOBUFS, Membership.Join(IpAddress.Parse("239.9.9.9")));
        Take();
    }

    [Fact]
    public void Without_a_link_local_address_MLD_speaks_from_the_unspecified_one()
    {
        Interface.RemoveAddress(IpAddress.Parse("fe80::1"));
        Membership.Join(Group6);
        Assert.Equal(new byte[16], Link.TakeOne()[8..24]);
    }

    [Fact]
    public void Groups_are_reported_again_when_the_interface_comes_up()
    {
        Interface.IsUp = false;
        Membership.Join(Group4);
        AdvanceSeconds(3);
        Assert.Empty(Take());
        Interface.IsUp = true;
        Assert.Equal(ToEx, TakeOne());
        AdvanceSeconds(1);
        Assert.Equal(ToEx, TakeOne());
    }

    [Fact]
    public void The_loopback_interface_reports_nothing()
    {
        Stack.Loopback.Multicast.Join(Group4);
        AdvanceSeconds(2);
        Assert.True(Stack.Loopback.Multicast.IsMember(Group4));
    }
}
