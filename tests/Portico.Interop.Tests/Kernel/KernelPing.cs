namespace Portico.Interop.Tests.Kernel;

/// <summary>ping(8) in the kernel's namespace.</summary>
internal static class KernelPing
{
    /// <summary>
    /// Sends <paramref name="count"/> echo requests and asserts that the kernel receives as many replies and ping finds their bytes
    /// right. ping itself gives up two round trips after its last request, which on a busy machine is too soon to tell late from lost:
    /// the kernel's own counter tells.
    /// </summary>
    public static void AssertAllAnswered(KernelNamespace kernel, string address, int size, int count)
    {
        bool ipv6 = address.Contains(':', StringComparison.Ordinal);
        long before = EchoReplies(kernel, ipv6);
        CommandResult result = kernel.Run(
            "ping", ipv6 ? "-6" : "-4", "-n", "-q", "-c", $"{count}", "-i", "0.002", "-W", "20", "-s", $"{size}", address);
        Assert.Contains($"{count} packets transmitted", result.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("wrong data", result.Output + result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("errors", result.Output, StringComparison.Ordinal);
        bool complete = SpinWait.SpinUntil(
            () =>
            {
                Thread.Sleep(20);
                return EchoReplies(kernel, ipv6) - before >= count;
            },
            TimeSpan.FromSeconds(30));
        Assert.True(complete, $"{size} bytes: {EchoReplies(kernel, ipv6) - before} of {count} replies arrived; ping said: {result.Output}");
    }

    private static long EchoReplies(KernelNamespace kernel, bool ipv6)
    {
        if (ipv6)
        {
            string line = kernel.Run("grep", "Icmp6InEchoReplies", "/proc/net/snmp6").Succeeded();
            return long.Parse(line.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1]);
        }

        string[] lines = kernel.Run("grep", "^Icmp:", "/proc/net/snmp").Succeeded().Split('\n');
        int column = Array.IndexOf(lines[0].Split(' '), "InEchoReps");
        return long.Parse(lines[1].Split(' ')[column]);
    }
}
