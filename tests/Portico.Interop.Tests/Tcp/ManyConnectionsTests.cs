using System.Text;
using Portico.Interop.Tests.Capture;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Tcp;

[Collection(TrafficCollection.Name)]
public sealed class ManyConnectionsTests
{
    private const int Connections = 1000;
    private const int BodyBytes = 20_000;

    // curl opens no more than 300 at a time.
    private const int Programs = 5;

    /// <summary>The server answers nobody before all have asked: the connections really exist at the same time.</summary>
    [Theory]
    [InlineData("10.77.0.2")]
    [InlineData("[fd77::2]")]
    public async Task A_thousand_parallel_connections_of_curl_all_get_what_they_asked_for(string server)
    {
        string directory = Directory.CreateTempSubdirectory("portico-curl-").FullName;
        try
        {
            using CapturedKernel captured = new();
            await using (HttpServer http = new(captured.Host, answerOnceRequested: Connections))
            {
                StringBuilder command = new();
                for (int program = 0; program < Programs; program++)
                {
                    StringBuilder urls = new();
                    for (int i = program * Connections / Programs; i < (program + 1) * Connections / Programs; i++)
                    {
                        urls.Append($"url = \"http://{server}/{BodyBytes}/{i}\"\noutput = \"{directory}/{i}\"\n");
                    }

                    File.WriteAllText($"{directory}/urls{program}", urls.ToString());
                    command.Append(
                        $"curl -sS -g -m 150 --parallel --parallel-immediate --parallel-max 300 " +
                        $"-K {directory}/urls{program} || touch {directory}/failed & ");
                }

                string output = (await captured.ShellAsync(command + "wait")).Succeeded();
                Assert.False(File.Exists($"{directory}/failed"), output);
                await http.FinishAsync();
            }

            for (int i = 0; i < Connections; i++)
            {
                Assert.True(File.ReadAllBytes($"{directory}/{i}").AsSpan().SequenceEqual(Content.Bytes((ulong)i, BodyBytes)), $"body {i}");
            }

            Tshark.AssertClean(captured.End());
        }
        finally
        {
            Directory.Delete(directory, true);
        }
    }
}
