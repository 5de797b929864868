using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Icmp;

[Collection(TrafficCollection.Name)]
public sealed class PingEverySizeTests
{
    private static readonly int[] s_sizes = [0, 1, 56, 1452, 1453, 1472, 1473, 8000, 65_507];

    [Theory]
    [InlineData(CapturedKernel.PorticoIpv4, true)]
    [InlineData(CapturedKernel.PorticoIpv4, false)]
    [InlineData(CapturedKernel.PorticoIpv6, true)]
    [InlineData(CapturedKernel.PorticoIpv6, false)]
    public void No_ping_is_lost_and_every_packet_is_well_formed(string address, bool offloads)
    {
        using CapturedKernel captured = new(offloads);
        bool ipv6 = address == CapturedKernel.PorticoIpv6;
        foreach (int size in ipv6 ? [.. s_sizes, 65_527] : s_sizes)
        {
            KernelPing.AssertAllAnswered(captured.Kernel, address, size, 10);
        }

        string file = captured.End();
        Tshark.AssertWellFormed(file);
        int sizes = s_sizes.Length + (ipv6 ? 1 : 0);
        Assert.Equal(10 * sizes, Tshark.Read(file, ipv6 ? "icmpv6.type==128" : "icmp.type==8").Length);
        Assert.Equal(10 * sizes, Tshark.Read(file, ipv6 ? "icmpv6.type==129" : "icmp.type==0").Length);
    }
}
