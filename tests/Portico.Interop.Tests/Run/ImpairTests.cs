using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico impair</c> from another terminal: what is done to the traffic of a command changes while it runs.</summary>
public sealed class ImpairTests : IDisposable
{
    private readonly HostNamespace _host = new();

    /// <summary>Other tests run at the same time, and have runs too.</summary>
    private readonly string _name = $"impair-{Guid.NewGuid():N}"[..20];
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-impair").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    private sealed record Prober(Process Process) : IDisposable
    {
        public string Ask(string what)
        {
            Process.StandardInput.WriteLine(what);
            Process.StandardInput.Flush();
            return Process.StandardOutput.ReadLine() ?? "";
        }

        public void Dispose()
        {
            Process.StandardInput.Close();
            if (!Process.WaitForExit(30_000))
            {
                Process.Kill(true);
            }

            Process.Dispose();
        }
    }

    private Process Start(params string[] arguments) =>
        _host.StartProgram("env", [$"XDG_RUNTIME_DIR={_directory}", "dotnet", HostNamespace.ToolPath, .. arguments]);

    private string Impair(params string[] arguments) => CommandResult.WaitFor(Start(["impair", "--run", _name, .. arguments])).Succeeded();

    private Prober StartProber(string script, params string[] options) =>
        new(Start(["run", "--name", _name, .. options, "--", "python3", "-u", "-c", script]));

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", "2001:db8::1")]
    [InlineData("2001:db8::1", "[2001:db8::]/32", "192.0.2.1")]
    [InlineData("192.0.2.1", "target.example:PORT", "2001:db8::1")]
    public void A_partition_cuts_off_and_heals_while_the_command_runs(string address, string target, string other)
    {
        using Socket server = _host.BindUdp(Portico.Net.IpAddress.Parse(address), out int port);
        using Socket otherServer = _host.BindUdp(Portico.Net.IpAddress.Parse(other), port);
        foreach (Socket socket in (Socket[])[server, otherServer])
        {
            _ = Task.Run(() => Echo(socket));
        }

        const string Script =
            """
            import socket,sys
            for line in sys.stdin:
                a,p=line.split()
                s=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(1)
                try:
                    s.sendto(b'x',(a,int(p))); s.recv(10); print('answered')
                except OSError: print('silent')
            """;
        target = target.Replace("PORT", $"{port}", StringComparison.Ordinal);
        using Prober prober = StartProber(Script, "--add-host", $"target.example:{address}");
        Assert.Equal("answered", prober.Ask($"{address} {port}"));
        Impair("--partition", target);
        Assert.Equal("silent", prober.Ask($"{address} {port}"));
        Assert.Equal("answered", prober.Ask($"{other} {port}"));
        JsonElement root = JsonDocument.Parse(Impair("--json")).RootElement;
        Assert.Equal(1, root.GetProperty("partitions").GetArrayLength());
        Assert.Equal(1, Counter(root, "up", "PartitionDrops"));
        Impair("--heal", target);
        Assert.Equal("answered", prober.Ask($"{address} {port}"));
    }

    private static void Echo(Socket socket)
    {
        byte[] buffer = new byte[2000];
        EndPoint from = socket.AddressFamily == AddressFamily.InterNetwork ? new IPEndPoint(0, 0) : new IPEndPoint(IPAddress.IPv6Any, 0);
        try
        {
            while (true)
            {
                int count = socket.ReceiveFrom(buffer, ref from);
                socket.SendTo(buffer.AsSpan(0, count), SocketFlags.None, from);
            }
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private static long Counter(JsonElement root, string direction, string name) =>
        root.GetProperty("rules")[0].GetProperty(direction).GetProperty("counters").GetProperty(name).GetInt64();

    [Fact]
    public async Task A_connection_in_full_flight_is_hit_packet_by_packet_and_let_go_again()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        Task echo = Task.Run(async () =>
        {
            using Socket accepted = await listener.AcceptAsync();
            byte[] buffer = new byte[1 << 16];
            for (int count; (count = await accepted.ReceiveAsync(buffer)) > 0;)
            {
                for (int sent = 0; sent < count;)
                {
                    sent += await accepted.SendAsync(buffer.AsMemory(sent, count - sent));
                }
            }
        });
        string script =
            $"""
            import socket,sys,threading
            s=socket.create_connection(('192.0.2.1',{port}))
            block=bytes(range(251))*251
            stop=threading.Event(); got=0; sent=0
            def send():
                global sent
                while not stop.is_set():
                    s.sendall(block); sent+=len(block)
                s.shutdown(socket.SHUT_WR)
            def receive():
                global got
                while True:
                    b=s.recv(1<<16)
                    if not b: break
                    at=got%len(block)
                    if b!=(block*2+block)[at:at+len(b)]: print('content differs'); return
                    got+=len(b)
            t=[threading.Thread(target=f) for f in (send,receive)]
            for i in t: i.start()
            for line in sys.stdin:
                if line.strip()=='stop':
                    stop.set()
                    for i in t: i.join()
                    print('whole' if got==sent else 'lost')
                else: print(got)
            """;
        using Prober prober = StartProber(script);
        Assert.True(WaitForMore(prober, 0) > 0);
        Assert.True(Mean(JsonDocument.Parse(Impair("--json")).RootElement, default, "up") > 3000);

        Impair("--loss", "1%", "--delay", "1ms");
        long before = WaitForMore(prober, WaitForMore(prober, 0) + 200_000);
        JsonElement start = JsonDocument.Parse(Impair("--json")).RootElement;
        long during = WaitForMore(prober, before + 2_000_000);
        JsonElement end = JsonDocument.Parse(Impair("--json")).RootElement;
        foreach (string direction in (string[])["up", "down"])
        {
            Assert.True(Counter(end, direction, "LossDrops") > 0);
            Assert.InRange(Mean(end, start, direction), 52, 1500);
        }

        Impair("--clear");
        WaitForMore(prober, during + 20_000_000);
        JsonElement cleared = JsonDocument.Parse(Impair("--json")).RootElement;
        Assert.Empty(cleared.GetProperty("rules")[0].GetProperty("up").GetProperty("settings").EnumerateObject());
        Assert.Equal("whole", prober.Ask("stop"));
        await echo.WaitAsync(TimeSpan.FromSeconds(30));
    }

    /// <summary>Bytes per packet that came between two reports.</summary>
    private static double Mean(JsonElement end, JsonElement start, string direction)
    {
        long Between(string name) =>
            Counter(end, direction, name) - (start.ValueKind == JsonValueKind.Object ? Counter(start, direction, name) : 0);
        return Between("OutBytes") / (double)Between("OutPackets");
    }

    private static long WaitForMore(Prober prober, long bytes)
    {
        Stopwatch clock = Stopwatch.StartNew();
        while (true)
        {
            long got = long.Parse(prober.Ask("?"), CultureInfo.InvariantCulture);
            if (got > bytes)
            {
                return got;
            }

            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"stuck at {got} bytes");
            Thread.Sleep(20);
        }
    }

    private const string Wait = "import sys; print('ready', flush=True); sys.stdin.read()";

    [Fact]
    public void What_is_in_force_is_shown_as_it_can_be_asked_for()
    {
        using Prober prober = StartProber(
            Wait, "--reorder", "--duplicate", "--corrupt", "--delay", "50ms", "--jitter", "up=10ms", "--loss", "up=2%,down=0.005",
            "--rate", "10mbit", "--queue", "100", "--loss-burst", "4", "--corrupt", "0@[2001:db8::]/32",
            "--rate", "down=none@host.portico:80", "--partition", "198.51.100.7");
        prober.Process.StandardOutput.ReadLine();
        string[] lines = [.. Impair().TrimEnd('\n').Split('\n').Select(l => l.Split(';')[0])];
        Assert.Equal(
            [
                "all up: delay 50ms jitter 10ms loss 2% loss-burst 4 reorder 1% duplicate 1% corrupt 1% rate 10mbit queue 100",
                "all down: delay 50ms loss 0.5% loss-burst 4 reorder 1% duplicate 1% corrupt 1% rate 10mbit queue 100",
                "2001:db8::/32 up: corrupt 0%",
                "2001:db8::/32 down: corrupt 0%",
                "host.portico:80 up: nothing",
                "host.portico:80 down: rate none",
                "198.51.100.7 partitioned",
            ],
            lines);
        Impair("--clear", "--loss", "3%@192.0.2.1:80");
        Assert.Equal(
            ["all up: nothing", "all down: nothing", "192.0.2.1:80 up: loss 3%", "192.0.2.1:80 down: loss 3%"],
            Impair().TrimEnd('\n').Split('\n').Select(l => l.Split(';')[0]));
        Impair("--remove", "192.0.2.1:80");
        Assert.Equal(2, Impair().TrimEnd('\n').Split('\n').Length);
    }

    [Theory]
    [InlineData("--heal: 198.51.100.7 is not cut off; see portico impair --show", "--loss", "1%", "--heal", "198.51.100.7")]
    [InlineData("--remove: nothing is set for 198.51.100.7; see portico impair --show", "--remove", "198.51.100.7", "--delay", "1ms")]
    [InlineData("'no.such.name.invalid' has no address", "--clear", "--partition", "no.such.name.invalid")]
    [InlineData("--loss-burst: a loss of 90% has bursts of at least 9 packets", "--loss", "90%")]
    [InlineData("--corrupt: '101%' is not a share", "--corrupt", "101%")]
    public void A_change_that_cannot_be_made_leaves_all_as_it_was(string message, params string[] options)
    {
        using Prober prober = StartProber(Wait, "--loss", "10%", "--loss-burst", "2", "--partition", "192.0.2.1");
        prober.Process.StandardOutput.ReadLine();
        CommandResult result = CommandResult.WaitFor(Start(["impair", _name, .. options]));
        Assert.Equal(125, result.ExitCode);
        Assert.StartsWith($"portico: {message}", result.Error, StringComparison.Ordinal);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.Equal(
            ["all up: loss 10% loss-burst 2", "all down: loss 10% loss-burst 2", "192.0.2.1 partitioned"],
            Impair().TrimEnd('\n').Split('\n').Select(l => l.Split(';')[0]));
    }
}
