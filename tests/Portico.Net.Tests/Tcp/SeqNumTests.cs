namespace Portico.Net.Tests.Tcp;

public class SeqNumTests
{
    [Theory]
    [InlineData(1u, 2u)]
    [InlineData(0xFFFF_FFFFu, 0u)]
    [InlineData(0xFFFF_FFF0u, 0x7FFF_FFEFu)]
    public void A_number_is_less_than_one_up_to_half_the_space_ahead(uint a, uint b)
    {
        Assert.True(Seq.Lt(a, b) && Seq.Leq(a, b) && Seq.Gt(b, a) && Seq.Geq(b, a));
        Assert.False(Seq.Lt(b, a) || Seq.Leq(b, a) || Seq.Gt(a, b) || Seq.Geq(a, b));
        Assert.Equal(b, Seq.Max(a, b));
        Assert.Equal(a, Seq.Min(b, a));
    }

    [Fact]
    public void An_interval_may_wrap_and_includes_both_its_ends()
    {
        Assert.True(Seq.Between(0xFFFF_FFFE, 0xFFFF_FFFE, 2));
        Assert.True(Seq.Between(0xFFFF_FFFE, 2, 2));
        Assert.True(Seq.Between(0xFFFF_FFFE, 0, 2));
        Assert.False(Seq.Between(0xFFFF_FFFE, 3, 2));
        Assert.False(Seq.Between(0xFFFF_FFFE, 0xFFFF_FFFD, 2));
    }
}
