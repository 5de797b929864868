using System.Text.Json;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>What <c>http://portico.internal/</c> answers to browsers, terminals and programs.</summary>
public sealed class StatusPageTests : IDisposable
{
    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void A_browser_gets_a_page_that_needs_nothing_else()
    {
        string page = _host.RunShell(
            "curl -sSi -m 20 -4 --local-port 40001 -H 'Accept: text/html,application/xhtml+xml,*/*;q=0.8' http://portico.internal/; : '<b>'")
            .Succeeded();
        Assert.Contains("Content-Type: text/html; charset=utf-8", page, StringComparison.Ordinal);
        Assert.Contains("Content-Security-Policy: default-src 'none'", page, StringComparison.Ordinal);
        Assert.Contains("10.0.2.100:40001", page, StringComparison.Ordinal);
        Assert.Contains("<td>ESTAB</td>", page, StringComparison.Ordinal);
        Assert.Contains("<td>curl</td>", page, StringComparison.Ordinal);
        Assert.Contains("<dt>TcpPassiveOpens</dt><dd>1</dd>", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<b>'", page, StringComparison.Ordinal);
        Assert.DoesNotContain("src=", page.Replace("-src", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void Sockets_and_counters_are_there_as_text_and_as_json()
    {
        string text = _host.RunShell("curl -sS -m 20 http://portico.internal/sockets http://portico.internal/counters").Succeeded();
        Assert.StartsWith("Netid State", text, StringComparison.Ordinal);
        Assert.Contains("users:((\"curl\"", text, StringComparison.Ordinal);
        Assert.Contains("TcpPassiveOpens  ", text, StringComparison.Ordinal);

        JsonElement sockets = JsonDocument.Parse(
            _host.RunShell("curl -sS -m 20 -6 --local-port 40002 http://portico.internal/sockets.json").Succeeded()).RootElement;
        JsonElement own = sockets.EnumerateArray().Single(s => s.GetProperty("peer").GetProperty("port").GetInt32() == 40002);
        Assert.Equal("ESTAB", own.GetProperty("state").GetString());
        Assert.Equal("fd70:6f72:7469:636f::100", own.GetProperty("peer").GetProperty("address").GetString());

        JsonElement counters = JsonDocument.Parse(
            _host.RunShell("curl -sS -m 20 -H 'Accept: application/json' http://portico.internal/counters", "--duplicate", "100%")
                .Succeeded()).RootElement;
        Assert.True(counters.GetProperty("ImpairOutDuplicated").GetInt64() > 0);
    }

    [Theory]
    [InlineData("/no-such-page", "404")]
    [InlineData("-X POST -d x /", "405")]
    [InlineData("-I /", "200")]
    [InlineData("--http1.0 /", "200")]
    [InlineData("/.json", "404")]
    public void Other_requests_get_the_status_that_is_due(string request, string status)
    {
        string[] words = request.Split(' ');
        string url = $"{string.Join(' ', words[..^1])} http://portico.internal{words[^1]}";
        Assert.Equal(status, _host.RunShell($"curl -sS -m 20 -o /dev/null -w '%{{http_code}}' {url}").Succeeded());
    }

    [Fact]
    public void The_web_server_is_loaded_for_the_first_connection_and_listens_to_no_environment()
    {
        // The tool is the command's parent.
        string output = CommandResult.WaitFor(_host.StartProgram(
            "env", "ASPNETCORE_URLS=http://192.0.2.1:8000", "URLS=http://192.0.2.1:8000", "dotnet", HostNamespace.ToolPath, "run", "--",
            "sh", "-c",
            "grep -c AspNetCore /proc/$PPID/maps; curl -sS -m 20 -o /dev/null http://portico.internal/; grep -c AspNetCore /proc/$PPID/maps; "
            + "curl -sS -m 5 http://192.0.2.1:8000/ 2>&1 | grep -c -i connect")).Succeeded();
        string[] counts = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("0", counts[0]);
        Assert.NotEqual("0", counts[1]);
        Assert.Equal("1", counts[2]);
    }
}
