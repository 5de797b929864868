using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.RegularExpressions;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>Real programs on both sides: clients under <c>portico run</c>, servers in the namespace that plays the host.</summary>
public sealed class ProgramTests : IDisposable
{
    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-programs").FullName;
    private readonly List<Process> _servers = [];

    public void Dispose()
    {
        foreach (Process server in _servers)
        {
            server.Kill(entireProcessTree: true);
            server.WaitForExit();
            server.Dispose();
        }

        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("192.0.2.1", "")]
    [InlineData("[2001:db8::1]", "")]
    [InlineData("[2001:db8::1]", "--mtu 1280")]
    public void Curl_gets_from_nginx_what_nginx_has(string address, string options)
    {
        string[] hashes = [.. Enumerable.Range(0, 4).Select(i => WriteRandomFile($"{i}", (i * 3_000_000) + 1))];
        StartNginx();
        string output = _host.RunShell(
            $"for i in 0 1 2 3; do (curl -sSg -m 50 http://{address}:8080/$i | sha256sum > {_directory}/got$i) & done; wait; "
            + $"cd {_directory}; cat got0 got1 got2 got3",
            [.. options.Split(' ', StringSplitOptions.RemoveEmptyEntries)]).Succeeded();
        Assert.Equal(hashes, output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ')[0]));
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("[2001:db8::1]")]
    public void Wrk_meets_no_error_at_nginx(string address)
    {
        WriteRandomFile("small", 1000);
        StartNginx();
        string output = _host.Portico(
            "run", "--", "wrk", "-t", "1", "-c", "64", "-d", "1s", "--timeout", "30s", $"http://{address}:8080/small").Succeeded();
        Assert.DoesNotContain("Socket errors", output, StringComparison.Ordinal);
        Assert.DoesNotContain("Non-2xx", output, StringComparison.Ordinal);
        Assert.True(NumberBefore(output, " requests in") > 64, output);
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public void Redis_benchmark_is_answered_each_request(string address)
    {
        StartServer(
            "redis-server", "--bind", "192.0.2.1", "2001:db8::1", "--port", "6379", "--protected-mode", "no", "--save", "",
            "--dir", _directory);
        WaitForPort(6379);
        string output = _host.RunShell(
            $"redis-benchmark -h {address} -n 5000 -c 50 -d 2000 -t set,get --csv "
            + $"&& redis-benchmark -h {address} -n 20000 -P 16 -t incr --csv && redis-cli -h {address} get counter:__rand_int__").Succeeded();
        Assert.Contains("\"SET\"", output, StringComparison.Ordinal);
        Assert.Contains("\"GET\"", output, StringComparison.Ordinal);

        // Each of the requests arrived once.
        Assert.Equal("20000", output.TrimEnd().Split('\n')[^1]);
    }

    [Theory]
    [InlineData("192.0.2.1", "")]
    [InlineData("192.0.2.1", "-R")]
    [InlineData("2001:db8::1", "-P 8")]
    [InlineData("2001:db8::1", "-P 8 -R")]
    [InlineData("192.0.2.1", "--bidir")]
    public void Iperf3_receives_all_that_it_sends(string address, string options)
    {
        StartServer("iperf3", "-s", "-B", address);
        WaitForPort(5201, address);
        string json = _host.RunShell($"iperf3 -c {address} -n 64M -J {options}").Succeeded();
        JsonElement end = JsonDocument.Parse(json).RootElement.GetProperty("end");
        foreach (string direction in options == "--bidir" ? (string[])["", "_bidir_reverse"] : [""])
        {
            long sent = end.GetProperty($"sum_sent{direction}").GetProperty("bytes").GetInt64();
            long received = end.GetProperty($"sum_received{direction}").GetProperty("bytes").GetInt64();
            Assert.True(sent > 0, json);

            // What was under way when the sender had sent enough is not counted by the receiver of a connection that is closed then.
            Assert.InRange(received, sent - (32 << 20), sent);
        }
    }

    [Fact]
    public void Iperf3_counts_every_datagram_of_a_moderate_rate()
    {
        StartServer("iperf3", "-s", "-B", "192.0.2.1");
        WaitForPort(5201, "192.0.2.1");
        string json = _host.RunShell("iperf3 -c 192.0.2.1 -u -b 10M -l 1200 -t 1 -J").Succeeded();
        JsonElement sum = JsonDocument.Parse(json).RootElement.GetProperty("end").GetProperty("sum");
        Assert.True(sum.GetProperty("packets").GetInt64() > 100, json);
        Assert.Equal(0, sum.GetProperty("lost_packets").GetInt64());
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public void Netcat_sends_a_file_and_gets_another_back(string address)
    {
        string up = WriteRandomFile("up", 3_000_000);
        string down = WriteRandomFile("down", 2_000_000);
        Process server = _host.StartProgram("sh", "-c", $"nc -l -N {address} 7000 < {_directory}/down | sha256sum");
        WaitForPort(7000, address, byConnecting: false);
        string inside = _host.RunShell($"nc -N {address} 7000 < {_directory}/up | sha256sum").Succeeded();
        Assert.Equal(down, inside.Split(' ')[0]);
        Assert.Equal(up, CommandResult.WaitFor(server).Succeeded().Split(' ')[0]);
    }

    [Fact]
    public void Ssh_runs_a_command_on_the_host_and_brings_its_output()
    {
        string hash = WriteRandomFile("file", 2_000_000);
        Directory.CreateDirectory("/run/sshd");
        foreach (string key in (string[])["host_key", "user_key"])
        {
            Run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", $"{_directory}/{key}").Succeeded();
        }

        File.Copy($"{_directory}/user_key.pub", $"{_directory}/authorized_keys");
        StartServer(
            "/usr/sbin/sshd", "-D", "-e", "-f", "/dev/null", "-p", "2222", "-h", $"{_directory}/host_key", "-o", "UsePAM=no",
            "-o", $"AuthorizedKeysFile={_directory}/authorized_keys", "-o", "StrictModes=no", "-o", "PidFile=none");
        WaitForPort(2222);
        string output = _host.Portico(
            "run", "--", "ssh", "-p", "2222", "-i", $"{_directory}/user_key", "-o", "StrictHostKeyChecking=no", "-o", "BatchMode=yes",
            "-o", $"UserKnownHostsFile={_directory}/known_hosts", "192.0.2.1", $"cat {_directory}/file | tee /dev/stderr | sha256sum")
            .Succeeded();
        Assert.Equal(hash, output.Split(' ')[0]);
    }

    [Fact]
    public void Dig_is_answered_over_udp_and_tcp_and_ping_by_name()
    {
        string output = _host.RunShell(
            "dig +short portico.internal A; dig +short host.portico AAAA; dig +tcp +short portico.internal AAAA; "
            + "dig @fd70:6f72:7469:636f::2 +short host.portico A; "
            + "ping -n -c 1 -W 5 portico.internal | grep -c ' 0% '").Succeeded();
        string[] lines = output.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["10.0.2.2", "fd70:6f72:7469:636f::3", "fd70:6f72:7469:636f::2", "10.0.2.3", "1"], lines);
    }

    private string WriteRandomFile(string name, int bytes)
    {
        byte[] content = RandomNumberGenerator.GetBytes(bytes);
        File.WriteAllBytes(Path.Combine(_directory, name), content);
        return Convert.ToHexStringLower(SHA256.HashData(content));
    }

    private void StartNginx()
    {
        string configuration = Path.Combine(_directory, "nginx.conf");
        File.WriteAllText(
            configuration,
            $$"""
            daemon off; master_process off; pid {{_directory}}/nginx.pid; error_log stderr;
            events { worker_connections 1024; }
            http {
                access_log off; sendfile on; keepalive_requests 1000000;
                client_body_temp_path {{_directory}}/body; proxy_temp_path {{_directory}}/proxy; fastcgi_temp_path {{_directory}}/fastcgi;
                uwsgi_temp_path {{_directory}}/uwsgi; scgi_temp_path {{_directory}}/scgi;
                server { listen 192.0.2.1:8080; listen [2001:db8::1]:8080; root {{_directory}}; }
            }
            """);
        StartServer("nginx", "-c", configuration);
        WaitForPort(8080);
    }

    private void StartServer(string file, params string[] arguments)
    {
        Process server = _host.StartProgram(file, arguments);
        server.OutputDataReceived += static (_, _) => { };
        server.ErrorDataReceived += static (_, _) => { };
        server.BeginOutputReadLine();
        server.BeginErrorReadLine();
        _servers.Add(server);
    }

    /// <summary>Waits until somebody listens in the host's namespace.</summary>
    private void WaitForPort(int port, string address = "192.0.2.1", bool byConnecting = true)
    {
        string test = byConnecting
            ? $"python3 -c 'import socket; socket.create_connection((\"{address}\",{port}),1)'"
            : $"ss -Hltn 'sport = {port}' | grep -q .";
        CommandResult.WaitFor(_host.StartProgram(
            "sh", "-c", $"for i in $(seq 200); do {test} 2>/dev/null && exit; sleep 0.05; done; exit 1")).Succeeded();
    }

    private static CommandResult Run(string file, params string[] arguments) =>
        CommandResult.WaitFor(Process.Start(CommandResult.StartInfo(file, arguments))!);

    private static long NumberBefore(string text, string suffix) =>
        long.Parse(Regex.Match(text, $@"(\d+){Regex.Escape(suffix)}").Groups[1].Value, CultureInfo.InvariantCulture);
}
