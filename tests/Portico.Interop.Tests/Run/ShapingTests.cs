using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// What shaping does to real programs. A real clock can only be late: where one is used, the bound that a busy machine could break has
/// several attempts.
/// </summary>
public sealed class ShapingTests : IDisposable
{
    private const int Attempts = 4;
    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-shaping").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("--delay 100ms", 200)]
    [InlineData("--delay up=150ms", 150)]
    [InlineData("--delay down=150ms@10.0.2.0/24", 150)]
    [InlineData("--delay 1s --delay 60ms@portico.internal", 120)]
    [InlineData("--delay 500ms@192.0.2.1 --delay 50ms", 100)]
    public void A_ping_takes_the_delay_there_and_back(string options, int milliseconds)
    {
        double least = 0;
        for (int attempt = 0; attempt < Attempts; attempt++)
        {
            string output = _host.RunShell("ping -n -c 20 -i 0.02 -W 10 10.0.2.2", options.Split(' ')).Succeeded();
            Assert.Contains(" 0% packet loss", output, StringComparison.Ordinal);
            least = double.Parse(output.Split("min/avg/max/mdev = ")[1].Split('/')[0], CultureInfo.InvariantCulture);
            Assert.True(least >= milliseconds, output);
            if (least <= milliseconds * 1.05)
            {
                return;
            }
        }

        Assert.Fail($"the fastest ping took {least} ms");
    }

    [Theory]
    [InlineData("--rate 10mbit --queue 100", "")]
    [InlineData("--rate up=1gbit,down=10mbit@192.0.2.1 --queue 100", "-R")]
    public void Iperf3_measures_the_rate(string options, string direction)
    {
        using Process server = _host.StartProgram("iperf3", "-s", "-p", "5201", "--forceflush");
        try
        {
            server.StandardOutput.ReadLine();
            server.StandardOutput.ReadLine();

            // Of 1,500 bytes 1,448 are payload.
            const double Goodput = 10e6 * 1448 / 1500;
            double measured = 0;
            for (int attempt = 0; attempt < Attempts; attempt++)
            {
                string json = _host.RunShell($"iperf3 -c 192.0.2.1 -p 5201 -t 4 -O 1 -J {direction}", options.Split(' ')).Succeeded();
                measured = JsonDocument.Parse(json).RootElement.GetProperty("end").GetProperty("sum_received")
                    .GetProperty("bits_per_second").GetDouble();
                Assert.True(measured <= Goodput * 1.05, json);
                if (measured >= Goodput * 0.95)
                {
                    return;
                }
            }

            Assert.Fail($"{measured} bit/s");
        }
        finally
        {
            server.Kill();
        }
    }

    private const int Datagrams = 10_000;

    /// <summary>Sends numbered datagrams from inside, and returns the numbers that arrived.</summary>
    private HashSet<int> Arrived(string options)
    {
        // Traffic is the same where it goes to the same port.
        const int Port = 7000;
        using Socket server = _host.BindUdp(HostNamespace.Ipv4, Port);
        server.ReceiveBufferSize = 8 << 20;
        string script =
            $"""
            import socket,struct,time
            s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)
            for i in range({Datagrams}):
                s.sendto(struct.pack('<i',i)+bytes(96),('192.0.2.1',{Port}))
                if i%50==49: time.sleep(0.002)
            """;
        using Process process = _host.StartPortico([.. $"run {options} --".Split(' '), "python3", "-c", script]);
        HashSet<int> arrived = [];
        byte[] buffer = new byte[1000];
        while (!process.HasExited || server.Available > 0)
        {
            if (server.Poll(50_000, SelectMode.SelectRead))
            {
                server.Receive(buffer);
                arrived.Add(BitConverter.ToInt32(buffer));
            }
        }

        CommandResult.WaitFor(process).Succeeded();
        return arrived;
    }

    [Fact]
    public void A_seed_loses_the_share_that_was_asked_for_and_the_same_datagrams_again()
    {
        HashSet<int> first = Arrived("--loss up=10% --seed 42");
        HashSet<int> second = Arrived("--loss up=10% --seed 42 --delay 5ms --duplicate 5%");
        Assert.InRange(Datagrams - first.Count, Datagrams / 10 * 0.95, Datagrams / 10 * 1.05);
        Assert.True(first.SetEquals(second), "the same seed lost other datagrams");
        Assert.False(first.SetEquals(Arrived("--loss up=10% --seed 43")), "another seed lost the same datagrams");
        Assert.Equal(Datagrams, Arrived("--loss down=100% --loss 100%@198.51.100.1 --seed 42").Count);
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

    private string Impair(params string[] arguments) => CommandResult.WaitFor(Start(["impair", .. arguments])).Succeeded();

    private Prober StartProber(string script, params string[] options) =>
        new(Start(["run", .. options, "--", "python3", "-u", "-c", script]));

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

    [Theory]
    [InlineData("--loss: '200%' is not a share from 0 to 100%, such as 2% or 0.02 (also up=...,down=... and ...@DESTINATION)", "--loss", "200%")]
    [InlineData("--loss: 'to=1%' is not a share from 0 to 100%, such as 2% or 0.02 (also up=...,down=... and ...@DESTINATION)", "--loss", "to=1%")]
    [InlineData("--delay: '50m' is not a time such as 50ms, 1.5s or 200us, at most an hour (also up=...,down=... and ...@DESTINATION)", "--delay", "50m")]
    [InlineData("--rate: '9' is not a rate", "--rate", "9furlongs")]
    [InlineData("--queue: '0' is not a number of packets from 1 to 1000000", "--queue", "0")]
    [InlineData("--loss-burst: a loss of 90% has bursts of at least 9 packets", "--loss-burst", "2", "--loss", "90%")]
    [InlineData("--delay: 10.0.0.1/8 has bits behind its prefix: 10.0.0.0/8 or 10.0.0.1?", "--delay", "1ms@10.0.0.1/8")]
    [InlineData("--delay: '1.2.3' is no address and no CIDR", "--delay", "1ms@1.2.3")]
    [InlineData("--partition: '70000' is no port from 1 to 65535", "--partition", "192.0.2.1:70000")]
    [InlineData("'no.such.name.invalid' has no address", "--partition", "no.such.name.invalid")]
    public void What_is_not_valid_has_one_line_and_a_status(string message, params string[] options)
    {
        CommandResult result = _host.Portico(["run", .. options, "--", "true"]);
        Assert.Equal(125, result.ExitCode);
        Assert.Single(result.Error.TrimEnd('\n').Split('\n'));
        Assert.StartsWith($"portico: {message.Replace("'9'", "'9furlongs'", StringComparison.Ordinal)}", result.Error, StringComparison.Ordinal);
    }
}
