using System.Net;
using System.Text.RegularExpressions;
using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Scan;

[Collection(TrafficCollection.Name)]
public sealed partial class NmapTests
{
    private static readonly int[] s_tcpPorts = [22, 80, 443, 1024, 8080];
    private static readonly int[] s_udpPorts = [7, 53, 100];

    [GeneratedRegex(@"(\d+)/([a-z|]+)/(tcp|udp)/")]
    private static partial Regex PortPattern { get; }

    [GeneratedRegex(@"Ignored State: (\S+)")]
    private static partial Regex IgnoredPattern { get; }

    [Theory]
    [InlineData(CapturedKernel.PorticoIpv4)]
    [InlineData(CapturedKernel.PorticoIpv6)]
    public async Task A_port_scan_finds_exactly_the_ports_that_listen(string address)
    {
        using CancellationTokenSource stop = new();

        // Without offloads, as the kernel's ICMP errors would else quote datagrams whose checksum is not filled in yet.
        using CapturedKernel captured = new(offloads: false);
        using (captured.Kernel.Driver.Enter())
        {
            // A scan is told of a closed UDP port by an ICMP error, and there are to be many at once.
            IpOptions options = captured.Host.Stack.Ip.Options;
            options.icmp_ratelimit = Duration.Zero;
            options.icmp_msgs_per_sec = 1_000_000;
            options.icmp_msgs_burst = 1_000_000;
        }

        List<PorticoListener> listeners = [.. s_tcpPorts.Select(port => captured.Host.Listen(port))];
        List<PorticoUdpClient> sockets = [.. s_udpPorts.Select(port => captured.Host.BindUdp(port))];
        Task[] echoes = [.. sockets.Select(socket => Task.Run(() => EchoAsync(socket, stop.Token)))];

        // Each protocol by itself: "Ignored State" names the state of the ports that are not listed, of both together.
        bool ipv6 = address == CapturedKernel.PorticoIpv6;
        Assert.Equal(s_tcpPorts, await ScanAsync(captured, ipv6, address, "-sS", "1-1024,8080"));
        Assert.Equal(s_udpPorts, await ScanAsync(captured, ipv6, address, "-sU", "1-120"));
        await stop.CancelAsync();
        await Task.WhenAll(echoes);
        listeners.ForEach(listener => listener.Dispose());
        sockets.ForEach(socket => socket.Dispose());
        Tshark.AssertWellFormed(captured.End());
    }

    private static async Task<int[]> ScanAsync(CapturedKernel captured, bool ipv6, string address, string kind, string ports)
    {
        string[] arguments =
        [
            .. ipv6 ? ["-6"] : Array.Empty<string>(), "-n", "-Pn", "--privileged", kind, "-p", ports, "-T4", "--max-retries", "8",
            "--host-timeout", "150s", "-oG", "-", address,
        ];
        using System.Diagnostics.Process process = captured.Kernel.StartProgram("nmap", arguments);
        CommandResult result = await Task.Run(() => CommandResult.WaitFor(process, TimeSpan.FromSeconds(170)));
        string output = result.Succeeded();
        Assert.True(IgnoredPattern.Match(output).Groups[1].Value == "closed", output + result.Error);
        Match[] found = [.. PortPattern.Matches(output).Cast<Match>()];
        Assert.True(found.All(match => match.Groups[2].Value == "open"), output);
        return [.. found.Select(match => int.Parse(match.Groups[1].ValueSpan, System.Globalization.CultureInfo.InvariantCulture))];
    }

    private static async Task EchoAsync(PorticoUdpClient socket, CancellationToken stop)
    {
        byte[] buffer = new byte[65_536];
        try
        {
            while (true)
            {
                (int received, IPEndPoint source) = await socket.ReceiveAsync(buffer, stop);
                socket.Send(received == 0 ? "hello"u8 : buffer.AsSpan(0, received), source);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
