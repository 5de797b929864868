using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>Names inside <c>portico run</c>, asked for by real resolver libraries and dig, answered by name servers outside.</summary>
public sealed class NameTests : IDisposable
{
    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-names").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    [InlineData("127.0.0.1")]
    [InlineData("::1")]
    public void Resolvers_are_asked_wherever_they_are_also_on_the_hosts_loopback(string resolver)
    {
        using TestNameServer dns = new(_host, IpAddress.Parse(resolver));
        dns.With("www.example.test", "198.51.100.7").With("www.example.test", "2001:db8::7");
        Assert.Equal(
            "2001:db8::7\n198.51.100.7\n",
            _host.RunShell("getent ahosts www.example.test | awk '/STREAM/ { print $1 }' | sort -r", "--dns", dns.Address).Succeeded());
    }

    [Fact]
    public void The_hosts_resolvers_and_its_search_list_are_taken_from_its_resolv_conf()
    {
        using TestNameServer dns = new(_host, IpAddress.Parse("127.0.0.53"), 53);
        dns.With("db.corp.test", "198.51.100.8");
        string file = Path.Combine(_directory, "resolv.conf");
        File.WriteAllText(file, "# the host's\nnameserver 127.0.0.53\nsearch corp.test other.test\noptions edns0 timeout:3 ndots:2\n");
        string output = RunWith(file, "/etc/resolv.conf", "cat /etc/resolv.conf; getent ahostsv4 db | awk '/STREAM/ { print $1 }'");
        Assert.Equal("nameserver 10.0.2.2\nsearch corp.test other.test\noptions edns0 timeout:3 ndots:2\n198.51.100.8\n", output);
    }

    [Theory]
    [InlineData("hosts: files mdns4_minimal [NOTFOUND=return] resolve [!UNAVAIL=return] dns myhostname", "hosts: files dns myhostname")]
    [InlineData("hosts:\tfiles\tresolve", "hosts: files dns")]
    [InlineData("hosts: files dns", "hosts: files dns")]
    public void Sources_of_names_that_ask_the_hosts_daemons_are_left_out(string before, string after)
    {
        string file = Path.Combine(_directory, "nsswitch.conf");
        File.WriteAllText(file, $"passwd: files systemd\n{before}\n");
        Assert.Equal($"passwd: files systemd\n{after}\n", RunWith(file, "/etc/nsswitch.conf", "cat /etc/nsswitch.conf"));
    }

    [Fact]
    public void Sockets_of_the_hosts_resolver_daemons_are_covered()
    {
        string file = Path.Combine(_directory, "socket");
        using Socket daemon = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        daemon.Bind(new UnixDomainSocketEndPoint(file));
        daemon.Listen();
        string output = CommandResult.WaitFor(_host.StartProgram(
            "unshare", "-m", "sh", "-c",
            "mount -t tmpfs none /run && mkdir -p /run/nscd && touch /run/nscd/socket && mount --bind \"$1\" /run/nscd/socket "
            + "&& shift && exec \"$@\"",
            "sh", file, "dotnet", HostNamespace.ToolPath, "run", "--", "sh", "-c",
            "nc -w 1 -U /run/nscd/socket </dev/null 2>&1 | grep -c refused; test -S /run/nscd/socket || echo no socket")).Succeeded();
        Assert.Equal("1\nno socket\n", output);
        Assert.False(daemon.Poll(0, SelectMode.SelectRead));
    }

    [Fact]
    public void An_answer_that_fits_no_datagram_is_fetched_by_tcp()
    {
        using TestNameServer dns = new(_host);
        for (int i = 0; i < 200; i++)
        {
            dns.With("many.test", $"198.51.100.{i}");
        }

        string[] lines = _host.RunShell("dig +short many.test", "--dns", dns.Address).Succeeded()
            .Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(200, lines.Length);
        Assert.Equal([("many.test", false), ("many.test", true)], dns.Queries);
        Assert.Equal(
            "200\n", _host.RunShell("getent ahostsv4 many.test | grep -c STREAM", "--dns", dns.Address).Succeeded());
    }

    [Theory]
    [InlineData("silent", "")]
    [InlineData("failing", "")]
    [InlineData("absent", "")]
    [InlineData("failing", "+tcp")]
    [InlineData("absent", "+tcp")]
    public void The_next_resolver_is_asked_where_one_has_no_answer(string fault, string how)
    {
        using TestNameServer first = new(_host) { IsSilent = fault == "silent", IsFailing = fault == "failing" };
        using TestNameServer second = new(_host);
        second.With("www.example.test", "198.51.100.7");
        string address = fault == "absent" ? "192.0.2.1:9" : first.Address;
        CommandResult result = _host.RunShell(
            $"dig +short +tries=1 +time=20 {how} www.example.test", "--stats", "--dns", address, "--dns", second.Address);
        Assert.Equal("198.51.100.7\n", result.Succeeded());
        Assert.Contains("1 passed to the next resolver", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_no_resolver_answers_the_program_hears_of_it()
    {
        using TestNameServer failing = new(_host) { IsFailing = true };
        string output = _host.RunShell(
            "dig www.example.test | grep -o 'status: [A-Z]*'", "--dns", failing.Address, "--dns", "192.0.2.1:9").Succeeded();
        Assert.Equal("status: SERVFAIL\n", output);
    }

    [Fact]
    public void Hosts_of_the_users_own_are_found_by_files_and_by_dns()
    {
        string output = _host.RunShell(
            "getent ahostsv4 db | awk '/STREAM/ { print $1 }'; dig +short db; dig +short -x 198.51.100.9; dig +short db6 AAAA; "
            + "getent ahostsv6 web | awk '/STREAM/ { print $1 }'; dig +short MX db | wc -l",
            "--dns", "none", "--add-host", "db:198.51.100.9", "--add-host", "db6:[2001:db8::9]", "--add-host", "web:host-gateway")
            .Succeeded();
        Assert.Equal(
            "198.51.100.9\n198.51.100.9\ndb.\n2001:db8::9\nfd70:6f72:7469:636f::3\n0\n", output);
    }

    [Fact]
    public void An_allowed_name_opens_its_addresses_at_its_port_and_nothing_else()
    {
        using NetworkNamespace peer = new();
        Ip("link", "add", "v0", "type", "veth", "peer", "name", "v1", "netns", peer.Path);
        Ip("addr", "add", "203.0.113.254/24", "dev", "v0");
        Ip("link", "set", "v0", "up");
        using Socket listener = peer.Invoke(() =>
        {
            using RtNetlink netlink = new();
            int index = RtNetlink.IndexOf("v1");
            netlink.SetUp(index);
            netlink.AddAddress(index, IpPrefix.Parse("203.0.113.1/24"));
            netlink.AddAddress(index, IpPrefix.Parse("203.0.113.2/24"));
            Socket made = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            made.Bind(new IPEndPoint(IPAddress.Any, 8080));
            made.Listen();
            return made;
        });
        using TestNameServer dns = new(_host);
        dns.With("other.test", "203.0.113.2").WithAlias("good.test", "cdn.test").With("cdn.test", "203.0.113.1", 0);
        const string Script =
            """
            import socket
            for where in (('203.0.113.1',8080),('good.test',8080),('203.0.113.1',8080),('good.test',8081),('203.0.113.2',8080),
                    ('other.test',8080)):
                try: socket.create_connection(where,20); print('connected')
                except OSError as e: print(e.strerror)
            """;
        string output = _host.Portico(
            "run", "--dns", dns.Address, "--deny", "all", "--allow", "good.test:8080", "--", "python3", "-c", Script).Succeeded();
        Assert.Equal(
            "No route to host\nconnected\nconnected\nNo route to host\nNo route to host\nName or service not known\n", output);
        Assert.DoesNotContain(dns.Queries, q => q.Name == "other.test");
    }

    [Theory]
    [InlineData("portico: --deny: '99999' is no port, no name of a port and no range of ports from 1 to 65535", "--deny", "foo:99999")]
    [InlineData(
        "portico: --allow 10.1.2.3: --deny 10.0.0.0/8 comes first and decides all of it; exceptions go before",
        "--deny", "10.0.0.0/8", "--allow", "10.1.2.3")]
    [InlineData("portico: --dns: 'dns.test' is not an address, ADDRESS:PORT or [ADDRESS]:PORT; or 'none'", "--dns", "dns.test")]
    [InlineData("portico: --dns: 'none' goes with no other name server", "--dns", "none", "--dns", "192.0.2.1")]
    [InlineData("portico: --add-host: 'db' is not NAME:ADDRESS (or NAME:host-gateway for the host)", "--add-host", "db")]
    public void What_cannot_be_meant_has_one_line(string message, params string[] options)
    {
        CommandResult result = _host.RunShell("true", options);
        Assert.Equal(125, result.ExitCode);
        Assert.Equal(message + "\n", result.Error);
    }

    private void Ip(params string[] arguments) => CommandResult.WaitFor(_host.StartProgram("ip", arguments)).Succeeded();

    /// <summary>Runs a command where a file of the host is another one.</summary>
    private string RunWith(string file, string over, string command) => CommandResult.WaitFor(_host.StartProgram(
        "unshare", "-m", "sh", "-c", "mount --bind \"$1\" \"$2\" && shift 2 && exec \"$@\"", "sh", file, over,
        "dotnet", HostNamespace.ToolPath, "run", "--", "sh", "-c", command)).Succeeded();
}
