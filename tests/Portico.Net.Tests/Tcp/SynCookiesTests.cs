namespace Portico.Net.Tests.Tcp;

public class SynCookiesTests
{
    private static readonly IpAddress s_local = IpAddress.FromIpv4(192, 0, 2, 1);
    private static readonly IpAddress s_remote = IpAddress.FromIpv4(198, 51, 100, 7);
    private static readonly IpAddress s_local6 = IpAddress.Parse("2001:db8::1");
    private static readonly IpAddress s_remote6 = IpAddress.Parse("2001:db8::7");
    private static readonly MonoTime s_now = MonoTime.Zero + Duration.FromSeconds(6400);

    private readonly SynCookies _cookies = new(new RandomSource(9));

    [Theory]
    [InlineData(100, 536)]
    [InlineData(536, 536)]
    [InlineData(1299, 536)]
    [InlineData(1300, 1300)]
    [InlineData(1459, 1440)]
    [InlineData(1460, 1460)]
    [InlineData(65495, 1460)]
    public void The_mss_comes_back_rounded_down_to_one_of_four(int offered, int expected)
    {
        uint cookie = _cookies.Make(s_local, s_remote, 80, 4000, 12345, (ushort)offered, s_now);
        Assert.True(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 12345, s_now, out ushort mss));
        Assert.Equal(expected, mss);
    }

    [Theory]
    [InlineData(1220, 1220)]
    [InlineData(1432, 1420)]
    [InlineData(1440, 1440)]
    [InlineData(9000, 8940)]
    public void Ipv6_has_sizes_of_its_own(int offered, int expected)
    {
        uint cookie = _cookies.Make(s_local6, s_remote6, 80, 4000, 12345, (ushort)offered, s_now);
        Assert.True(_cookies.TryCheck(s_local6, s_remote6, 80, 4000, cookie, 12345, s_now, out ushort mss));
        Assert.Equal(expected, mss);
    }

    [Fact]
    public void A_cookie_is_good_for_two_periods_of_64_seconds()
    {
        uint cookie = _cookies.Make(s_local, s_remote, 80, 4000, 1, 1460, s_now);
        Assert.True(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1, s_now + Duration.FromMilliseconds(63_999), out _));
        Assert.True(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1, s_now + Duration.FromMilliseconds(127_999), out _));
        for (int seconds = 128; seconds < 100_000; seconds += 32)
        {
            Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1, s_now + Duration.FromSeconds(seconds), out _));
        }

        Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1, s_now - Duration.FromSeconds(1), out _));
    }

    [Fact]
    public void A_cookie_is_refused_on_any_other_flow()
    {
        uint cookie = _cookies.Make(s_local, s_remote, 80, 4000, 1, 1460, s_now);
        Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4001, cookie, 1, s_now, out _));
        Assert.False(_cookies.TryCheck(s_local, s_remote, 81, 4000, cookie, 1, s_now, out _));
        Assert.False(_cookies.TryCheck(s_remote, s_local, 80, 4000, cookie, 1, s_now, out _));
        Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 100, s_now, out _));
        Assert.False(new SynCookies(new RandomSource(10)).TryCheck(s_local, s_remote, 80, 4000, cookie, 1, s_now, out _));
    }

    [Fact]
    public void Data_that_overtakes_the_last_ACK_is_not_taken_for_it()
    {
        for (ushort mss = 536; mss <= 1460; mss += 77)
        {
            uint cookie = _cookies.Make(s_local, s_remote, 80, 4000, 1, mss, s_now);
            for (uint bytes = 1; bytes <= 8; bytes++)
            {
                Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1 + bytes, s_now, out _));
                Assert.False(_cookies.TryCheck(s_local, s_remote, 80, 4000, cookie, 1 - bytes, s_now, out _));
            }
        }
    }

    // Attack C02: at most 2^-20 of random acknowledgments may be taken for cookies (the form gives 2^-29).
    [Fact]
    public void Random_acknowledgments_are_refused()
    {
        const int Count = 4_000_000;
        RandomSource random = new(4);
        int accepted = 0;
        for (int i = 0; i < Count; i++)
        {
            ulong bits = random.NextUInt64();
            if (_cookies.TryCheck(s_local, s_remote, 80, (ushort)bits, (uint)(bits >> 32), (uint)(bits >> 16), s_now, out _))
            {
                accepted++;
            }
        }

        Assert.InRange(accepted, 0, Count >> 20);
    }

    // What an attacker can learn from cookies of its own flows must not give away those of others.
    [Fact]
    public void The_difference_of_cookies_of_two_flows_changes_with_the_period()
    {
        HashSet<uint> differences = [];
        for (int i = 0; i < 100; i++)
        {
            MonoTime now = MonoTime.Zero + Duration.FromSeconds(64 * i);
            differences.Add(_cookies.Make(s_local, s_remote, 80, 1, 0, 1460, now) - _cookies.Make(s_local, s_remote, 80, 2, 0, 1460, now));
        }

        Assert.InRange(differences.Count, 99, 100);
    }

    [Theory]
    [InlineData(-1, false, false)]
    [InlineData(0, true, false)]
    [InlineData(7, true, true)]
    [InlineData(14, false, true)]
    public void The_timestamp_remembers_the_options_and_does_not_run_ahead(int scale, bool sack, bool ecn)
    {
        for (uint i = 0; i < 1000; i++)
        {
            uint now = uint.MaxValue - 500 + i;
            uint encoded = SynCookies.EncodeTimestamp(now, (sbyte)scale, sack, ecn);
            Assert.InRange(now - encoded, 0u, 127u);
            SynCookies.DecodeTimestamp(encoded, out sbyte gotScale, out bool gotSack, out bool gotEcn);
            Assert.Equal((scale, sack, ecn), (gotScale, gotSack, gotEcn));
        }
    }

    [Fact]
    public void A_scale_above_14_is_taken_as_14()
    {
        SynCookies.DecodeTimestamp(SynCookies.EncodeTimestamp(1000, 20, false, false), out sbyte scale, out _, out _);
        Assert.Equal(14, scale);
    }
}
