using System.Globalization;
using HostProcess = System.Diagnostics.Process;
using ProcessStartInfo = System.Diagnostics.ProcessStartInfo;

namespace Portico.Kernel.Tests.Names;

public sealed class ServiceDatabaseTests
{
    [Theory]
    [InlineData("http", "tcp", 80)]
    [InlineData("www", "tcp", 80)]
    [InlineData("https", "udp", 443)]
    [InlineData("ssh", "tcp", 22)]
    [InlineData("domain", "udp", 53)]
    [InlineData("postgres", null, 5432)]
    [InlineData("submission", "tcp", 587)]
    [InlineData("ntp", null, 123)]
    [InlineData("amqp", "sctp", 5672)]
    public void A_name_or_an_alias_has_a_port(string name, string? protocol, int port) =>
        Assert.Equal(port, ServiceDatabase.FindByName(name, protocol)?.Port);

    [Theory]
    [InlineData(80, "tcp", "http")]
    [InlineData(443, null, "https")]
    [InlineData(53, "udp", "domain")]
    [InlineData(514, "tcp", "shell")]
    [InlineData(514, "udp", "syslog")]
    [InlineData(6379, "tcp", "redis")]
    public void A_port_has_its_official_name(int port, string? protocol, string name) =>
        Assert.Equal(name, ServiceDatabase.FindByPort(port, protocol)?.Name);

    [Fact]
    public void What_has_no_entry_is_not_found()
    {
        Assert.Null(ServiceDatabase.FindByName("HTTP", "tcp"));
        Assert.Null(ServiceDatabase.FindByName("http", "udp"));
        Assert.Null(ServiceDatabase.FindByName("", null));
        Assert.Null(ServiceDatabase.FindByPort(22, "udp"));
        Assert.Null(ServiceDatabase.FindByPort(0, null));
        Assert.Null(ServiceDatabase.FindByPort(-1, null));
    }

    [Theory]
    [InlineData("http", "tcp", 80)]
    [InlineData("8080", "tcp", 8080)]
    [InlineData("0", null, 0)]
    [InlineData("65535", null, 65535)]
    public void A_port_may_be_written_as_a_number_or_a_name(string text, string? protocol, int port)
    {
        Assert.True(ServiceDatabase.TryParsePort(text, protocol, out int parsed));
        Assert.Equal(port, parsed);
    }

    [Theory]
    [InlineData("65536")]
    [InlineData("-1")]
    [InlineData("+80")]
    [InlineData("")]
    [InlineData("http ")]
    [InlineData("99999999999999999999")]
    public void What_is_neither_is_no_port(string text) => Assert.False(ServiceDatabase.TryParsePort(text, null, out _));

    [Fact]
    public void Every_entry_is_found_by_its_name_and_its_port()
    {
        Assert.All(ServiceDatabase.Entries, entry =>
        {
            Assert.InRange(entry.Port, 1, 65535);
            Assert.Contains(entry.Protocol, (string[])["tcp", "udp", "sctp", "ddp"]);
            Assert.NotNull(ServiceDatabase.FindByName(entry.Name, entry.Protocol));
            Assert.NotNull(ServiceDatabase.FindByPort(entry.Port, entry.Protocol));
        });
        Assert.True(ServiceDatabase.Entries.Count > 350, $"{ServiceDatabase.Entries.Count} entries");
    }

    /// <summary>The machine's own list is the measure, looked up by the machine's own C library.</summary>
    [Fact]
    public void Everything_that_the_C_library_knows_is_known_and_the_same()
    {
        List<(string Name, int Port, string Protocol, string[] Aliases)> known = [.. SystemServices()];
        Assert.NotEmpty(known);
        Assert.All(known, service =>
        {
            Assert.Equal(service.Name, ServiceDatabase.FindByPort(service.Port, service.Protocol)?.Name);
            Assert.All([service.Name, .. service.Aliases], name =>
                Assert.Equal(First(name, service.Protocol), ServiceDatabase.FindByName(name, service.Protocol)?.Port));
        });

        // The first line that has the name, even as an alias, is the answer.
        int First(string name, string protocol) =>
            known.First(s => s.Protocol == protocol && (s.Name == name || s.Aliases.Contains(name))).Port;
    }

    /// <summary>getent(1) walks the list with getservent(3).</summary>
    private static IEnumerable<(string Name, int Port, string Protocol, string[] Aliases)> SystemServices()
    {
        using HostProcess getent = HostProcess.Start(new ProcessStartInfo("getent", "services") { RedirectStandardOutput = true })!;
        while (getent.StandardOutput.ReadLine() is { } line)
        {
            string[] fields = line.Split([' '], StringSplitOptions.RemoveEmptyEntries);
            string[] port = fields[1].Split('/');
            yield return (fields[0], int.Parse(port[0], CultureInfo.InvariantCulture), port[1], fields[2..]);
        }
    }
}
