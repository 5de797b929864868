using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico run</c> by somebody without rights, who may open /dev/net/tun, as on most machines, and nothing else.</summary>
public sealed class OrdinaryUserTests : IDisposable
{
    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void The_command_is_the_users_own_without_capabilities()
    {
        string[] lines = _host.PorticoAsUser(
            "run", "--", "sh", "-c", "id -u; id -g; grep CapEff /proc/self/status; curl -sS http://portico.internal/ | head -1")
            .Succeeded().Split('\n');
        Assert.Equal("12345", lines[0]);
        Assert.Equal("12345", lines[1]);
        Assert.EndsWith("\t0000000000000000", lines[2], StringComparison.Ordinal);
        Assert.StartsWith("This is Portico", lines[3], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0, "", "run", "--name", "run", "--", "true")]
    [InlineData(7, "", "run", "--", "sh", "-c", "exit 7")]
    [InlineData(143, "", "run", "--", "sh", "-c", "kill -TERM $$")]
    [InlineData(127, "portico: no-such-program: command not found\n", "run", "--", "no-such-program")]
    [InlineData(126, "portico: /etc/passwd: cannot be executed\n", "run", "--", "/etc/passwd")]
    [InlineData(125, "portico: --mtu: from 1280 (the least that IPv6 allows) to 65520\n", "run", "--mtu", "100", "--", "true")]
    public void The_exit_status_is_the_one_that_root_gets(int status, string error, params string[] arguments)
    {
        CommandResult result = _host.PorticoAsUser(arguments);
        Assert.Equal((status, error), (result.ExitCode, result.Error));
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public void Connections_datagrams_and_pings_go_out_and_failures_are_the_hosts(string address)
    {
        using Socket listener = _host.Listen(IpAddress.Parse(address), out int port);
        string script =
            $"""
            import socket,errno,subprocess
            a='{address}'; family=socket.AF_INET6 if ':' in a else socket.AF_INET
            s=socket.create_connection((a,{port})); print('connected')
            try: socket.create_connection((a,1))
            except OSError as e: print(errno.errorcode[e.errno])
            u=socket.socket(family,socket.SOCK_DGRAM); u.settimeout(20); u.connect((a,1)); u.send(b'x')
            try: u.recv(1)
            except OSError as e: print(errno.errorcode[e.errno])
            print(subprocess.run(['ping','-n','-c','1','-W','5',a],stdout=subprocess.DEVNULL).returncode)
            """;
        Assert.Equal("connected\nECONNREFUSED\nECONNREFUSED\n0\n", _host.PorticoAsUser("run", "--", "python3", "-c", script).Succeeded());
    }

    [Fact]
    public void A_published_server_is_reached_and_a_port_of_roots_is_refused_in_one_line()
    {
        using RunningTool run = new(_host.StartAsUser(
            "666", "dotnet", HostNamespace.ToolPath, "run", "-p", "8080:8000", "--", "python3", "-c",
            "import socket; l=socket.create_server(('',8000)); print('ready',flush=True); "
            + "s,p=l.accept(); s.sendall(p[0].encode()); s.close(); input()"));
        run.AwaitLine("ready");
        using (Socket client = _host.Connect(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 8080)))
        {
            Assert.Equal("192.0.2.1", PublishTests.ReadAll(client));
        }

        CommandResult result = _host.PorticoAsUser("run", "-p", "80:80", "--", "true");
        Assert.Equal(125, result.ExitCode);
        Assert.StartsWith("portico: --publish 80:80: ", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
    }

    [Fact]
    public void A_tool_that_is_killed_leaves_no_process()
    {
        using RunningTool run = new(_host.StartAsUser(
            "666", "dotnet", HostNamespace.ToolPath, "run", "--", "sh", "-c",
            "(trap '' HUP INT TERM; exec setsid sleep 1001 >/dev/null 2>&1 </dev/null) & echo $$ $!; exec sleep 1002"));
        int[] ids = [.. run.Process.StandardOutput.ReadLine()!.Split(' ').Select(w => int.Parse(w, CultureInfo.InvariantCulture))];
        run.Process.Kill();
        run.Process.WaitForExit();
        bool isGone = SpinWait.SpinUntil(
            () =>
            {
                Thread.Sleep(20);
                return !ids.Any(i => Directory.Exists($"/proc/{i}"));
            },
            TimeSpan.FromSeconds(20));
        Assert.True(isGone, $"still there: {string.Join(", ", ids)}");
    }
}
