namespace Portico.Net.Tests.Links;

public class CongestionMarkTests
{
    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0xB8, false)]
    [InlineData(0x01, true)]
    [InlineData(0x02, true)]
    [InlineData(0xBA, true)]
    [InlineData(0x03, true)]
    public void Ipv4_is_marked_where_its_sender_knows_of_it_and_its_checksum_stays_right(int trafficClass, bool isMarked)
    {
        byte[] header = [0x45, (byte)trafficClass, 0, 40, 0x12, 0x34, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2];
        ushort checksum = InternetChecksum.Compute(header);
        (header[10], header[11]) = ((byte)(checksum >> 8), (byte)checksum);
        Assert.Equal(0, InternetChecksum.Compute(header));
        Assert.Equal(isMarked, CongestionMark.TrySet(header));
        Assert.Equal(isMarked ? trafficClass | 3 : trafficClass, header[1]);
        Assert.Equal(0, InternetChecksum.Compute(header));
    }

    [Theory]
    [InlineData(0x00, false)]
    [InlineData(0x01, true)]
    [InlineData(0x02, true)]
    [InlineData(0xB9, true)]
    public void Ipv6_is_marked_in_its_traffic_class(int trafficClass, bool isMarked)
    {
        byte[] header = new byte[40];
        header[0] = (byte)(0x60 | (trafficClass >> 4));
        header[1] = (byte)(trafficClass << 4 | 0x0A);
        Assert.Equal(isMarked, CongestionMark.TrySet(header));
        int now = (header[0] & 15) << 4 | header[1] >> 4;
        Assert.Equal(isMarked ? trafficClass | 3 : trafficClass, now);
        Assert.Equal(0x0A, header[1] & 15);
    }

    [Fact]
    public void What_is_too_short_is_left_alone() => Assert.False(CongestionMark.TrySet(new byte[19]));
}
