using System.Net;
using System.Text;
using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Tcp;

/// <summary>200 MB between Portico and the Linux kernel's TCP.</summary>
[Collection(TrafficCollection.Name)]
public sealed class BulkTests
{
    private const int BodyBytes = 200_000_000;

    // Under 2 % loss one connection is slow by the laws of congestion control, whoever sends: so many share the work.
    private const int Parts = 125;

    private static readonly byte[] s_body = Content.Bytes(1, BodyBytes);
    private static readonly string s_hash = Content.Hash(s_body);

    private static Impairment BadPath() => new()
    {
        Loss = 0.02,
        Delay = Duration.FromMilliseconds(40),
        Jitter = Duration.FromMilliseconds(20),
        JitterReorders = true,
    };

    [Theory]
    [InlineData("10.77.0.2", true)]
    [InlineData("10.77.0.2", false)]
    [InlineData("[fd77::2]", true)]
    [InlineData("[fd77::2]", false)]
    public async Task Curl_fetches_200_MB_from_Portico(string server, bool offloads)
    {
        using CapturedKernel captured = new(offloads);
        await using (HttpServer http = new(captured.Host, s_body))
        {
            CommandResult result = await captured.ShellAsync(
                $"curl -sS -g -m 200 http://{server}/{BodyBytes}/0 | sha256sum");
            Assert.Equal(s_hash, result.Succeeded()[..64]);
            await http.FinishAsync();
        }

        Assert.Equal(offloads, captured.Kernel.Link.Counters[Linux.TunCounter.OutSuperSegments] > 0);
        Tshark.AssertClean(captured.End());
    }

    [Theory]
    [InlineData("10.77.0.1", true)]
    [InlineData("10.77.0.1", false)]
    [InlineData("fd77::1", true)]
    [InlineData("fd77::1", false)]
    public async Task Portico_fetches_200_MB_from_nginx(string server, bool offloads)
    {
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(200));
        using CapturedKernel captured = new(offloads);
        using (new Nginx(captured.Kernel, s_body))
        {
            byte[] received = new byte[BodyBytes];
            await Nginx.FetchAsync(captured.Host, IPAddress.Parse(server), received, 0, stop.Token);
            Assert.Equal(s_hash, Content.Hash(received));
        }

        Assert.Equal(offloads, captured.Kernel.Link.Counters[Linux.TunCounter.InSuperSegments] > 0);
        Tshark.AssertClean(captured.End());
    }

    [Theory]
    [InlineData("10.77.0.2")]
    [InlineData("[fd77::2]")]
    public async Task Curl_fetches_200_MB_from_Portico_over_a_bad_path(string server)
    {
        string directory = Directory.CreateTempSubdirectory("portico-curl-").FullName;
        try
        {
            using CapturedKernel captured = new(false, 1500, BadPath);
            await using (HttpServer http = new(captured.Host, s_body))
            {
                StringBuilder configuration = new();
                for (int i = 0; i < Parts; i++)
                {
                    configuration.Append($"url = \"http://{server}/{BodyBytes / Parts}/0/{BodyBytes / Parts * i}\"\n");
                    configuration.Append($"output = \"{directory}/{i:D3}\"\n");
                }

                File.WriteAllText(Path.Combine(directory, "urls"), configuration.ToString());
                CommandResult result = await captured.ShellAsync(
                    $"curl -sS -g -m 200 --parallel --parallel-immediate --parallel-max {Parts} -K {directory}/urls && " +
                    $"rm {directory}/urls && cat {directory}/* | sha256sum");
                Assert.Equal(s_hash, result.Succeeded()[..64]);
                await http.FinishAsync();
            }

            Assert.True(captured.Impaired!.Outbound.Counters[ImpairmentCounter.LossDrops] > 0);
            Retransmissions.AssertExplained(captured.End());
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }

    [Theory]
    [InlineData("10.77.0.1")]
    [InlineData("fd77::1")]
    public async Task Portico_fetches_200_MB_from_nginx_over_a_bad_path(string server)
    {
        using CancellationTokenSource stop = new(TimeSpan.FromSeconds(200));
        using CapturedKernel captured = new(false, 1500, BadPath);
        using (new Nginx(captured.Kernel, s_body))
        {
            byte[] received = new byte[BodyBytes];
            Task[] parts = new Task[Parts];
            for (int i = 0; i < Parts; i++)
            {
                int offset = BodyBytes / Parts * i;
                Memory<byte> part = received.AsMemory(offset, BodyBytes / Parts);
                parts[i] = Task.Run(() => Nginx.FetchAsync(captured.Host, IPAddress.Parse(server), part, offset, stop.Token));
            }

            await Task.WhenAll(parts);
            Assert.Equal(s_hash, Content.Hash(received));
        }

        Assert.True(captured.Impaired!.Inbound.Counters[ImpairmentCounter.LossDrops] > 0);
        Tshark.AssertWellFormed(captured.End());
    }
}
