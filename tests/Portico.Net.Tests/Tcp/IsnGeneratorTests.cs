namespace Portico.Net.Tests.Tcp;

public class IsnGeneratorTests
{
    private static readonly IpAddress s_local = IpAddress.FromIpv4(192, 0, 2, 1);

    private static IpAddress Remote(int i, bool ipv6) =>
        ipv6 ? new IpAddress(0x2001_0db8_0000_0000, (ulong)i) : IpAddress.FromIpv4(0x0A00_0000u + (uint)(i >> 8));

    [Fact]
    public void The_numbers_of_one_flow_rise_every_64_nanoseconds()
    {
        IsnGenerator isn = new(new RandomSource(1));
        IpAddress remote = Remote(1, ipv6: false);
        MonoTime now = new(123_456_789_012);
        uint first = isn.Next(s_local, remote, 80, 4000, now);
        Assert.Equal(first + 1, isn.Next(s_local, remote, 80, 4000, now + new Duration(64)));
        Assert.Equal(first + 15_625_000, isn.Next(s_local, remote, 80, 4000, now + Duration.FromSeconds(1)));
        Assert.Equal(isn.TimestampOffset(s_local, remote, 80, 4000), isn.TimestampOffset(s_local, remote, 80, 4000));
    }

    [Fact]
    public void Another_key_gives_other_numbers()
    {
        IpAddress remote = Remote(1, ipv6: false);
        uint a = new IsnGenerator(new RandomSource(1)).Next(s_local, remote, 80, 4000, MonoTime.Zero);
        uint b = new IsnGenerator(new RandomSource(2)).Next(s_local, remote, 80, 4000, MonoTime.Zero);
        Assert.NotEqual(a, b);
    }

    // Attack B01 and B04: neighbouring flows at the same moment, each bit even, no correlation from one to the next.
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public void Numbers_of_different_flows_look_random(bool ipv6, bool timestamps)
    {
        const int Count = 1_000_000;
        IsnGenerator isn = new(new RandomSource(3));
        uint[] numbers = new uint[Count];
        for (int i = 0; i < Count; i++)
        {
            IpAddress local = ipv6 ? IpAddress.LoopbackIpv6 : s_local;
            ushort port = (ushort)(1024 + (i & 0xFF));
            numbers[i] = timestamps
                ? isn.TimestampOffset(local, Remote(i, ipv6), 443, port)
                : isn.Next(local, Remote(i, ipv6), 443, port, MonoTime.Zero);
        }

        // Five standard deviations of a fair coin.
        double tolerance = 5 * Math.Sqrt(Count) / 2;
        for (int bit = 0; bit < 32; bit++)
        {
            int ones = 0;
            int changes = 0;
            for (int i = 0; i < Count; i++)
            {
                ones += (int)(numbers[i] >> bit) & 1;
                changes += (int)((numbers[i] ^ numbers[(i + 1) % Count]) >> bit) & 1;
            }

            Assert.InRange(ones, (Count / 2) - tolerance, (Count / 2) + tolerance);
            Assert.InRange(changes, (Count / 2) - tolerance, (Count / 2) + tolerance);
        }

        // Chi square of the top byte with 255 degrees of freedom, also of the differences; and as few twins as a birthday brings (116).
        double square = 0;
        double differenceSquare = 0;
        int[] counts = new int[256];
        int[] differences = new int[256];
        for (int i = 0; i < Count; i++)
        {
            counts[numbers[i] >> 24]++;
            differences[(numbers[(i + 1) % Count] - numbers[i]) >> 24]++;
        }

        for (int i = 0; i < 256; i++)
        {
            square += Math.Pow(counts[i] - (Count / 256.0), 2) / (Count / 256.0);
            differenceSquare += Math.Pow(differences[i] - (Count / 256.0), 2) / (Count / 256.0);
        }

        Assert.InRange(square, 150, 370);
        Assert.InRange(differenceSquare, 150, 370);
        Array.Sort(numbers);
        int twins = Enumerable.Range(1, Count - 1).Count(i => numbers[i] == numbers[i - 1]);
        Assert.InRange(twins, 60, 180);
    }
}
