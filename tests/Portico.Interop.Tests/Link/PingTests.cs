using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Link;

/// <summary>The kernel's own ping(8) against a stack, over TUN and TAP.</summary>
public sealed class PingTests
{
    // Around what one frame of either family holds, around the pool's blocks, and the most that IPv4 can carry.
    private static readonly int[] s_sizes = [0, 1, 7, 8, 56, 1232, 1233, 1440, 1452, 1453, 1472, 1473, 1700, 9000, 16000, 32768, 65507];

    [Theory]
    [InlineData(LinkKind.Ip, "10.77.0.2")]
    [InlineData(LinkKind.Ip, "fd77::2")]
    [InlineData(LinkKind.Ethernet, "10.77.0.2")]
    [InlineData(LinkKind.Ethernet, "fd77::2")]
    public void Every_ping_of_every_size_is_answered(LinkKind kind, string address)
    {
        using KernelNamespace kernel = new(kind);
        kernel.AddStack();
        bool isIpv6 = IpAddress.Parse(address) is { IsIpv4: false };

        // On Ethernet the kernel may still be resolving while the first goes out; ping counts it as lost only after 20 s.
        foreach (int size in s_sizes)
        {
            string output = kernel.Run(
                "ping", isIpv6 ? "-6" : "-4", "-n", "-q", "-c", "20", "-i", "0.002", "-W", "20", "-s", $"{size}", address).Succeeded();
            Assert.Contains("20 packets transmitted, 20 received, 0% packet loss", output, StringComparison.Ordinal);
        }
    }
}
