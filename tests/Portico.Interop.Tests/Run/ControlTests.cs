using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico ps</c> and <c>portico ss</c> from another terminal, and who may use them.</summary>
public sealed class ControlTests : IDisposable
{
    private const int OtherUser = 12345;

    private readonly HostNamespace _host = new();
    private readonly string _runtime = Directory.CreateTempSubdirectory("portico-runtime").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_runtime, recursive: true);
    }

    [Theory]
    [InlineData("192.0.2.1", "10.0.2.100")]
    [InlineData("2001:db8::1", "fd70:6f72:7469:636f::100")]
    public void A_connection_is_seen_from_outside_with_its_ends_its_state_and_its_program(string address, string own)
    {
        using Socket listener = _host.Listen(IpAddress.Parse(address), out int port);
        using Process run = StartRun(
            "web",
            $"""
            import socket,os,sys
            s=socket.socket(socket.AF_INET6 if ':' in '{address}' else socket.AF_INET)
            s.bind(('{own}',40000)); s.connect(('{address}',{port})); s.sendall(bytes(1000))
            print(os.getpid(),s.fileno(),flush=True)
            sys.stdin.read()
            """);
        string[] ready = run.StandardOutput.ReadLine()!.Split(' ');
        using Socket accepted = listener.Accept();
        int total = 0;
        for (byte[] buffer = new byte[1000]; total < 1000; total += accepted.Receive(buffer))
        {
        }

        JsonElement listed = Assert.Single(Json("ps", "--json").EnumerateArray());
        Assert.Equal("web", listed.GetProperty("id").GetString());
        Assert.Equal(run.Id, listed.GetProperty("pid").GetInt32());
        Assert.Equal("python3", listed.GetProperty("command")[0].GetString());
        Assert.Equal(1, listed.GetProperty("connections").GetInt32());
        Assert.True(listed.GetProperty("bytesOut").GetInt64() > 1000);

        JsonElement socket = Json("ss", "web", "--json", "-t", "state", "established").EnumerateArray()
            .Single(s => s.GetProperty("local").GetProperty("port").GetInt32() == port);
        Assert.Equal((address, port), Ends(socket, "local"));
        Assert.Equal((own, 40000), Ends(socket, "peer"));
        Assert.Equal("ESTAB", socket.GetProperty("state").GetString());
        JsonElement process = Assert.Single(socket.GetProperty("processes").EnumerateArray());
        Assert.Equal("python3", process.GetProperty("name").GetString());
        Assert.Equal(ready[0], process.GetProperty("pid").GetInt32().ToString(CultureInfo.InvariantCulture));
        Assert.Equal(ready[1], process.GetProperty("fd").GetInt32().ToString(CultureInfo.InvariantCulture));
        Assert.Equal(1000, socket.GetProperty("info").GetProperty("bytesReceived").GetInt32());
        Assert.Equal("cubic", socket.GetProperty("info").GetProperty("congestion").GetString());

        string shown = address.Contains(':', StringComparison.Ordinal) ? $"[{address}]" : address;
        string shownOwn = own.Contains(':', StringComparison.Ordinal) ? $"[{own}]" : own;
        string line = Tool("ss", "-tnp").Succeeded().Split('\n').Single(l => l.Contains(":40000", StringComparison.Ordinal));
        Assert.Equal(
            ["ESTAB", "0", "0", $"{shown}:{port}", $"{shownOwn}:40000", $"users:((\"python3\",pid={ready[0]},fd={ready[1]}))"],
            line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        End(run);
    }

    [Fact]
    public void The_columns_are_those_of_the_systems_own_ss()
    {
        using Process run = StartRun("web", "print('ready',flush=True); import sys; sys.stdin.read()");
        run.StandardOutput.ReadLine();
        string[] ours = Tool("ss").Succeeded().Split('\n');
        string[] theirs = CommandResult.WaitFor(_host.StartProgram("ss", "-tunapie")).Succeeded().Split('\n');
        Assert.Equal(Columns(theirs[0]), Columns(ours[0]));
        Assert.Contains(ours, l => l.StartsWith("tcp   LISTEN 0      128 ", StringComparison.Ordinal));
        End(run);

        static string Columns(string header) => string.Join(' ', header.Replace("PortProcess", "Port Process", StringComparison.Ordinal)
            .Split(' ', StringSplitOptions.RemoveEmptyEntries));
    }

    [Fact]
    public void Flows_of_datagrams_and_pings_are_seen_with_their_programs()
    {
        using Socket server = _host.BindUdp(HostNamespace.Ipv4, out int port);
        using Process run = StartRun(
            "flows",
            $"""
            import socket,sys,subprocess
            u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.bind(('0.0.0.0',40001)); u.sendto(b'x',('192.0.2.1',{port}))
            p=subprocess.Popen(['ping','-n','-i','0.2','192.0.2.1'],stdout=subprocess.PIPE)
            p.stdout.readline(); p.stdout.readline()
            print('ready',flush=True)
            sys.stdin.read()
            p.kill()
            """);
        run.StandardOutput.ReadLine();
        JsonElement flow = Json("ss", "-u", "--json").EnumerateArray().Single(s => s.GetProperty("state").GetString() == "ESTAB");
        Assert.Equal((("192.0.2.1", port), ("10.0.2.100", 40001)), (Ends(flow, "local"), Ends(flow, "peer")));
        Assert.Equal("python3", flow.GetProperty("processes")[0].GetProperty("name").GetString());
        JsonElement ping = Assert.Single(Json("ss", "-w", "--json").EnumerateArray());
        Assert.Equal("icmp", ping.GetProperty("netid").GetString());
        Assert.Equal("192.0.2.1", Ends(ping, "local").Address);
        Assert.Equal("ping", ping.GetProperty("processes")[0].GetProperty("name").GetString());
        End(run);
    }

    [Fact]
    public void Another_user_gets_no_answer()
    {
        using Process run = StartRun("web", "print('ready',flush=True); import sys; sys.stdin.read()");
        run.StandardOutput.ReadLine();
        const string Connect =
            "import socket,sys,errno\ns=socket.socket(socket.AF_UNIX)\ntry:\n s.connect(sys.argv[1]); print('connected',s.recv(100))\n"
            + "except OSError as e: print(errno.errorcode[e.errno])";
        string socket = $"{_runtime}/portico/web";
        Assert.Equal("EACCES", AsOther("python3", "-c", Connect, socket).Succeeded().Trim());
        Assert.Contains("nothing runs", AsOther("dotnet", HostNamespace.ToolPath, "ss").Error, StringComparison.Ordinal);

        // Even where somebody has opened all doors.
        File.SetUnixFileMode(_runtime, (UnixFileMode)0x1FF);
        File.SetUnixFileMode($"{_runtime}/portico", (UnixFileMode)0x1FF);
        File.SetUnixFileMode(socket, (UnixFileMode)0x1B6);
        string seen = AsOther("python3", "-c", Connect, socket).Succeeded().Trim();
        Assert.True(seen is "connected b''" or "ECONNRESET", seen);
        File.SetUnixFileMode(_runtime, (UnixFileMode)0x1C0);
        File.SetUnixFileMode($"{_runtime}/portico", (UnixFileMode)0x1C0);
        Assert.Equal("web", Assert.Single(Json("ps", "--json").EnumerateArray()).GetProperty("id").GetString());
        End(run);
    }

    [Fact]
    public void A_killed_run_is_not_listed_and_its_socket_goes()
    {
        using Process killed = StartRun("killed", "print('ready',flush=True); import sys; sys.stdin.read()");
        using Process living = StartRun("living", "print('ready',flush=True); import sys; sys.stdin.read()");
        killed.StandardOutput.ReadLine();
        living.StandardOutput.ReadLine();
        Assert.Equal(2, Json("ps", "--json").GetArrayLength());
        killed.Kill();
        killed.WaitForExit();
        Assert.True(File.Exists($"{_runtime}/portico/killed"));
        Assert.Equal("living", Assert.Single(Json("ps", "--json").EnumerateArray()).GetProperty("id").GetString());
        Assert.False(File.Exists($"{_runtime}/portico/killed"));
        End(living);
        Assert.False(Directory.Exists($"{_runtime}/portico"));
        Assert.Equal("ID  PID  UPTIME  CONNS  IN  OUT  COMMAND\n", Tool("ps").Succeeded());
    }

    [Fact]
    public void An_ordinary_users_run_is_seen_by_that_user()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        CommandResult.WaitFor(Process.Start(CommandResult.StartInfo("chown", [$"{OtherUser}", _runtime]))!).Succeeded();
        using Process run = _host.StartAsUser("666", "env", [$"XDG_RUNTIME_DIR={_runtime}",
            "dotnet", HostNamespace.ToolPath, "run", "--name", "mine", "--", "python3", "-c",
            $"import socket,sys; s=socket.create_connection(('192.0.2.1',{port})); print('ready',flush=True); sys.stdin.read()"]);
        Assert.Equal("ready", run.StandardOutput.ReadLine());
        string shown = AsOther("dotnet", HostNamespace.ToolPath, "ss", "-tnpe", "mine").Succeeded();
        Assert.Contains($"192.0.2.1:{port} ", shown, StringComparison.Ordinal);
        Assert.Contains("users:((\"python3\",pid=", shown, StringComparison.Ordinal);
        Assert.Contains($" uid:{OtherUser} ", shown, StringComparison.Ordinal);
        End(run);
    }

    [Fact]
    public void The_statistics_at_the_end_count_what_happened()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        string script =
            $"""
            import socket,sys
            s=socket.create_connection(('192.0.2.1',{port})); s.close()
            try: socket.create_connection(('192.0.2.1',1))
            except ConnectionRefusedError: pass
            socket.getaddrinfo('portico.internal',80)
            sys.exit(3)
            """;
        CommandResult result = CommandResult.WaitFor(Start("run", "--stats", "--", "python3", "-c", script));
        string[] lines = result.Error.Split('\n');
        Assert.Equal(3, result.ExitCode);
        Assert.Matches("^portico: [0-9.]+ s, exit status 3$", lines[0]);
        Assert.Matches(@"^portico: packets        \d+ packets \(.*\) from the command, \d+ packets \(.*\) to it$", lines[1]);
        Assert.Contains(lines, l => l.StartsWith("portico: connections    2 attempts: 1 accepted, 1 refused", StringComparison.Ordinal));
    }

    private Process StartRun(string name, string script) => Start("run", "--name", name, "--", "python3", "-c", script);

    private Process Start(params string[] arguments) =>
        _host.StartProgram("env", [$"XDG_RUNTIME_DIR={_runtime}", "dotnet", HostNamespace.ToolPath, .. arguments]);

    private CommandResult Tool(params string[] arguments) => CommandResult.WaitFor(Start(arguments));

    private string[] OtherUsers(params string[] command) =>
    [
        "--reuid", $"{OtherUser}", "--regid", $"{OtherUser}", "--clear-groups", "--",
        "env", $"XDG_RUNTIME_DIR={_runtime}", "HOME=/tmp", .. command,
    ];

    private CommandResult AsOther(params string[] command) => CommandResult.WaitFor(_host.StartProgram("setpriv", OtherUsers(command)));

    private JsonElement Json(params string[] arguments) => JsonDocument.Parse(Tool(arguments).Succeeded()).RootElement;

    private static (string Address, int Port) Ends(JsonElement socket, string name)
    {
        JsonElement end = socket.GetProperty(name);
        return (end.GetProperty("address").GetString()!, end.GetProperty("port").GetInt32());
    }

    /// <summary>Ends a command that waits for the end of its input.</summary>
    private static void End(Process run)
    {
        run.StandardInput.Close();
        CommandResult.WaitFor(run).Succeeded();
    }
}
