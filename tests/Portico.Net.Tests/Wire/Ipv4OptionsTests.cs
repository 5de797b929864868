using CsCheck;

namespace Portico.Net.Tests.Wire;

public class Ipv4OptionsTests
{
    private static Ipv4Options Parse(params byte[] options)
    {
        Assert.True(Ipv4Options.Parse(options, out Ipv4Options parsed));
        return parsed;
    }

    private static int ErrorOf(params byte[] options)
    {
        Assert.False(Ipv4Options.Parse(options, out Ipv4Options parsed));
        return parsed.ErrorOffset - 20;
    }

    [Fact]
    public void All_kinds_with_all_lengths_terminate()
    {
        byte[] options = new byte[40];
        for (int kind = 0; kind < 256; kind++)
        {
            for (int length = 0; length < 256; length++)
            {
                for (int pointer = 0; pointer < 44; pointer += 4)
                {
                    options[0] = (byte)kind;
                    options[1] = (byte)length;
                    options[2] = (byte)pointer;
                    bool legal = Ipv4Options.Parse(options, out Ipv4Options parsed);
                    Assert.True(kind < 2 || length is >= 2 and <= 40 || !legal);
                    Assert.Equal(legal, parsed.ErrorOffset == 0);
                }
            }
        }
    }

    [Fact]
    public void Legal_options_can_be_filled_without_leaving_them() => Gen.Byte.Array[0, 40].Sample(
        options =>
        {
            if (Ipv4Options.Parse(options, out Ipv4Options parsed))
            {
                if (parsed.RecordRouteOffset != 0)
                {
                    Ipv4Options.TryRecordRoute(options.AsSpan(parsed.RecordRouteOffset - 20), IpAddress.LoopbackIpv4);
                }

                if (parsed.TimestampOffset != 0)
                {
                    Ipv4Options.TryAddTimestamp(options.AsSpan(parsed.TimestampOffset - 20), IpAddress.LoopbackIpv4, 1);
                }
            }
        },
        iter: 100_000);

    [Theory]
    [InlineData(131)]
    [InlineData(137)]
    public void A_source_route_is_recognised(byte kind)
    {
        Assert.True(Parse(1, kind, 7, 4, 10, 0, 0, 1).HasSourceRoute);
        Assert.Equal(21, Parse(1, kind, 7, 4, 10, 0, 0, 1).SourceRouteOffset);
        Assert.Equal(7, ErrorOf(kind, 7, 4, 10, 0, 0, 1, 131, 7, 4, 10, 0, 0, 1));
    }

    [Fact]
    public void An_error_points_to_the_wrong_byte()
    {
        Assert.Equal(1, ErrorOf(1, 7));
        Assert.Equal(0, ErrorOf(7, 0, 0, 0));
        Assert.Equal(0, ErrorOf(7, 1, 0, 0));
        Assert.Equal(0, ErrorOf(99, 5, 0, 0));
        Assert.Equal(1, ErrorOf(7, 2, 0, 0));
        Assert.Equal(2, ErrorOf(7, 7, 3, 0, 0, 0, 0));
        Assert.Equal(2, ErrorOf(7, 7, 5, 0, 0, 0, 0));
        Assert.Equal(1, ErrorOf(68, 3, 5));
        Assert.Equal(2, ErrorOf(68, 8, 4, 0, 0, 0, 0, 0));
        Assert.Equal(2, ErrorOf(68, 8, 5, 1, 0, 0, 0, 0));
        Assert.Equal(3, ErrorOf(68, 12, 5, 2, 0, 0, 0, 0, 0, 0, 0, 0));
        Assert.Equal(3, ErrorOf(68, 8, 9, 0xF0, 0, 0, 0, 0));
        Assert.Equal(1, ErrorOf(148, 3, 0));
    }

    [Fact]
    public void An_unknown_option_is_skipped() => Assert.True(Parse(99, 4, 1, 2, 148, 4, 0, 0).HasRouterAlert);

    [Fact]
    public void A_route_is_recorded_until_the_option_is_full()
    {
        byte[] option = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.True(Ipv4Options.TryRecordRoute(option, IpAddress.Parse("10.0.0.1")));
        Assert.True(Ipv4Options.TryRecordRoute(option, IpAddress.Parse("10.0.0.2")));
        Assert.False(Ipv4Options.TryRecordRoute(option, IpAddress.Parse("10.0.0.3")));
        Assert.Equal([7, 11, 12, 10, 0, 0, 1, 10, 0, 0, 2], option);
        Parse(option);
    }

    [Fact]
    public void Timestamps_are_added_then_the_overflow_counts()
    {
        byte[] option = [68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        Assert.True(Ipv4Options.TryAddTimestamp(option, IpAddress.Parse("10.0.0.1"), 0x01020304));
        Assert.Equal([68, 12, 13, 1, 10, 0, 0, 1, 1, 2, 3, 4], option);
        for (int i = 1; i < 16; i++)
        {
            Assert.True(Ipv4Options.TryAddTimestamp(option, IpAddress.Parse("10.0.0.1"), 9));
            Assert.Equal(i, option[3] >> 4);
        }

        Assert.False(Ipv4Options.TryAddTimestamp(option, IpAddress.Parse("10.0.0.1"), 9));
    }

    [Fact]
    public void A_prespecified_timestamp_is_filled_by_its_own_host_only()
    {
        byte[] option = [68, 12, 5, 3, 10, 0, 0, 1, 0, 0, 0, 0];
        Assert.True(Ipv4Options.TryAddTimestamp(option, IpAddress.Parse("10.0.0.2"), 7));
        Assert.Equal(5, option[2]);
        Assert.True(Ipv4Options.TryAddTimestamp(option, IpAddress.Parse("10.0.0.1"), 7));
        Assert.Equal([68, 12, 13, 3, 10, 0, 0, 1, 0, 0, 0, 7], option);
    }
}
