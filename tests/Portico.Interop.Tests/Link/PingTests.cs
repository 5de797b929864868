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
        foreach (int size in s_sizes)
        {
            KernelPing.AssertAllAnswered(kernel, address, size, 20);
        }
    }
}
