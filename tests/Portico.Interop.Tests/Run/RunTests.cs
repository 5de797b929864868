using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico run</c> with real programs inside, and the Linux kernel's sockets outside.</summary>
public sealed class RunTests : IDisposable
{
    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-run").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Fact]
    public void The_gateway_tells_a_caller_about_its_own_connection()
    {
        string text = _host.Portico("run", "--", "curl", "-sS", "-m", "20", "http://portico.internal/").Succeeded();
        Assert.Contains("state            ESTABLISHED", text, StringComparison.Ordinal);
        Assert.Contains("timestamps", text, StringComparison.Ordinal);

        string json = _host.RunShell(
            "curl -sS -m 20 -4 --local-port 40000 -H 'Accept: application/json' http://portico.internal/").Succeeded();
        JsonElement root = JsonDocument.Parse(json).RootElement;
        Assert.Equal("10.0.2.100", root.GetProperty("source").GetProperty("address").GetString());
        Assert.Equal(40000, root.GetProperty("source").GetProperty("port").GetInt32());
        Assert.Equal(80, root.GetProperty("destination").GetProperty("port").GetInt32());
        Assert.Equal("ESTABLISHED", root.GetProperty("state").GetString());
        Assert.True(root.GetProperty("options").GetProperty("sack").GetBoolean());
    }

    [Theory]
    [InlineData("exit 0", 0)]
    [InlineData("exit 7", 7)]
    [InlineData("kill -KILL $$", 137)]
    public void The_exit_status_is_the_commands(string command, int status) => Assert.Equal(status, _host.RunShell(command).ExitCode);

    [Theory]
    [InlineData(127, "portico: no-such-program: command not found", "run", "--", "no-such-program")]
    [InlineData(126, "portico: /etc/passwd: cannot be executed", "run", "--", "/etc/passwd")]
    [InlineData(125, "portico: unknown command 'rnu'; did you mean 'run'?", "rnu", "--", "true")]
    [InlineData(125, "portico: run: no command; usage: portico run [options] -- COMMAND [ARGS...]", "run")]
    [InlineData(125, "portico: run: unknown option '--los'; did you mean '--loss'?", "run", "--los", "2%", "--", "true")]
    [InlineData(125, "portico: --mtu: from 1280 (the least that IPv6 allows) to 65520", "run", "--mtu", "100", "--", "true")]
    [InlineData(125, "portico: --busy-poll: from 0 (never) to 1000 microseconds", "run", "--busy-poll", "1001", "--", "true")]
    public void Failures_of_the_tools_own_have_one_line_and_a_status(int status, string message, params string[] arguments)
    {
        CommandResult result = _host.Portico(arguments);
        Assert.Equal(status, result.ExitCode);
        Assert.Equal(message + "\n", result.Error);
    }

    [Theory]
    [InlineData("192.0.2.1", "")]
    [InlineData("2001:db8::1", "")]
    [InlineData("192.0.2.1", "--mtu 1500")]
    public async Task Bytes_pass_unchanged_both_ways_and_each_way_ends_by_itself(string address, string options)
    {
        byte[] down = RandomNumberGenerator.GetBytes(20_000_000);
        byte[] up = RandomNumberGenerator.GetBytes(20_000_000);
        string upFile = Path.Combine(_directory, "up");
        File.WriteAllBytes(upFile, up);
        using Socket listener = _host.Listen(IpAddress.Parse(address), out int port);
        string script =
            $"""
            import socket,sys,threading,hashlib
            s=socket.create_connection(('{address}',{port}))
            def send():
                s.sendall(open('{upFile}','rb').read())
                s.shutdown(socket.SHUT_WR)
            t=threading.Thread(target=send); t.start()
            h=hashlib.sha256()
            while True:
                b=s.recv(1<<20)
                if not b: break
                h.update(b)
            t.join()
            print(h.hexdigest())
            """;
        using Process process = _host.StartPortico([.. Run(options), "python3", "-c", script]);
        using Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60));
        using NetworkStream stream = new(accepted);

        // The program's end of data is seen here, and only then does this side begin to end.
        Task<byte[]> received = Task.Run(() =>
        {
            using MemoryStream all = new();
            stream.CopyTo(all);
            return all.ToArray();
        });
        await stream.WriteAsync(down);
        byte[] got = await received.WaitAsync(TimeSpan.FromSeconds(60));
        accepted.Shutdown(SocketShutdown.Send);
        CommandResult result = CommandResult.WaitFor(process);
        Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(down)), result.Succeeded().Trim());
        Assert.True(got.AsSpan().SequenceEqual(up));
    }

    [Fact]
    public void What_a_connection_meets_outside_is_what_the_program_sees()
    {
        const string Script =
            """
            import socket,errno
            def attempt(address, port):
                s=socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET)
                s.settimeout(20)
                try:
                    s.connect((address,port)); print('connected')
                except OSError as e: print(errno.errorcode.get(e.errno, str(e)))
            attempt('192.0.2.1',1)
            attempt('2001:db8::1',1)
            attempt('198.51.100.1',80)
            attempt('10.0.2.2',81)
            """;
        string[] seen = _host.Portico("run", "--", "python3", "-c", Script).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["ECONNREFUSED", "ECONNREFUSED", "ENETUNREACH", "ECONNREFUSED"], seen);
    }

    [Fact]
    public void A_reset_from_outside_is_a_reset_inside_and_the_other_way_round()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        string script =
            $"""
            import socket,struct,errno
            s=socket.create_connection(('192.0.2.1',{port}))
            s.sendall(b'x')
            try: s.recv(1)
            except OSError as e: print(errno.errorcode[e.errno])
            s=socket.create_connection(('192.0.2.1',{port}))
            s.sendall(b'y')
            s.recv(1)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii',1,0))
            s.close()
            """;
        using Process process = _host.StartPortico("run", "--", "python3", "-c", script);
        using (Socket first = listener.Accept())
        {
            Assert.Equal(1, first.Receive(new byte[1]));
            first.LingerState = new LingerOption(true, 0);
        }

        using Socket second = listener.Accept();
        Assert.Equal(1, second.Receive(new byte[1]));
        second.Send([1]);
        second.ReceiveTimeout = 20_000;
        SocketException reset = Assert.Throws<SocketException>(() => second.Receive(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        Assert.Equal("ECONNRESET", CommandResult.WaitFor(process).Succeeded().Trim());
    }

    [Theory]
    [InlineData("")]
    [InlineData("--delay 50ms")]
    public async Task What_a_program_leaves_behind_when_it_ends_still_arrives(string options)
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        using Socket datagrams = _host.BindUdp(HostNamespace.Ipv4, out int datagramPort);
        string script =
            $"""
            import socket
            u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.sendto(b'last words',('192.0.2.1',{datagramPort}))
            s=socket.create_connection(('192.0.2.1',{port}))
            s.setsockopt(socket.SOL_SOCKET,socket.SO_SNDBUF,4000000)
            s.sendall(bytes(1000000))
            """;
        using Process process = _host.StartPortico([.. Run(options), "python3", "-c", script]);
        using Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60));
        using NetworkStream stream = new(accepted);
        int total = await Task.Run(() =>
        {
            byte[] buffer = new byte[65536];
            int sum = 0;
            for (int count; (count = stream.Read(buffer)) > 0; sum += count)
            {
            }

            return sum;
        }).WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(1_000_000, total);
        datagrams.ReceiveTimeout = 20_000;
        Assert.Equal(10, datagrams.Receive(new byte[100]));
        CommandResult.WaitFor(process).Succeeded();
    }

    [Fact]
    public void The_hosts_loopback_and_link_local_addresses_are_out_of_reach()
    {
        using Socket loopback4 = _host.Listen(IpAddress.LoopbackIpv4, out int port4);
        using Socket loopback6 = _host.Listen(IpAddress.LoopbackIpv6, out int port6);
        string script =
            $"""
            import socket
            for address,port in [('127.0.0.1',{port4}),('::1',{port6}),('10.0.2.2',{port4}),('10.0.2.3',{port4}),
                    ('::ffff:127.0.0.1',{port4}),('0.0.0.0',{port4}),('169.254.169.254',80),
                    ('64:ff9b::127.0.0.1',{port4}),('::127.0.0.1',{port4})]:
                s=socket.socket(socket.AF_INET6 if ':' in address else socket.AF_INET); s.settimeout(10)
                try: s.connect((address,port)); print('reached', address)
                except OSError as e: pass
            """;
        Assert.Equal("", _host.Portico("run", "--", "python3", "-c", script).Succeeded());
        Assert.False(loopback4.Poll(0, SelectMode.SelectRead));
        Assert.False(loopback6.Poll(0, SelectMode.SelectRead));
    }

    [Fact]
    public void The_hosts_loopback_is_reached_when_it_is_asked_for()
    {
        using Socket loopback = _host.Listen(IpAddress.LoopbackIpv4, out int port);
        _host.Portico(
            "run", "--host-loopback", "--", "python3", "-c",
            $"import socket; socket.create_connection(('host.portico',{port}))").Succeeded();
        Assert.True(loopback.Poll(10_000_000, SelectMode.SelectRead));
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public async Task Datagrams_go_there_and_back(string address)
    {
        using Socket server = _host.BindUdp(IpAddress.Parse(address), out int port);
        Task echo = Task.Run(() =>
        {
            byte[] buffer = new byte[65536];
            for (int i = 0; i < 5; i++)
            {
                System.Net.EndPoint from = new System.Net.IPEndPoint(System.Net.IPAddress.IPv6Any, 0);
                from = server.AddressFamily == AddressFamily.InterNetwork ? new System.Net.IPEndPoint(0, 0) : from;
                int count = server.ReceiveFrom(buffer, ref from);
                server.SendTo(buffer.AsSpan(0, count), SocketFlags.None, from);
            }
        });
        string script =
            $"""
            import socket,os
            s=socket.socket(socket.AF_INET6 if ':' in '{address}' else socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20)
            for n in (0,1,1400,1500,60000):
                b=os.urandom(n); s.sendto(b,('{address}',{port})); r,f=s.recvfrom(65536)
                assert r==b and f[0]=='{address}' and f[1]=={port}, (n,len(r),f)
            s.connect(('{address}',1)); s.send(b'x')
            try: s.recv(1); print('?')
            except ConnectionRefusedError: print('refused')
            """;
        Assert.Equal("refused", CommandResult.WaitFor(_host.StartPortico("run", "--", "python3", "-c", script)).Succeeded().Trim());
        await echo.WaitAsync(TimeSpan.FromSeconds(20));
    }

    [Fact]
    public void The_gateways_names_are_answered_by_its_name_server()
    {
        const string Script =
            """
            import socket,struct
            def ask(name,kind):
                s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(10)
                n=b''.join(bytes([len(l)])+l.encode() for l in name.split('.'))
                q=struct.pack('>HHHHHH',0x1234,0x0100,1,0,0,0)+n+b'\0'+struct.pack('>HH',kind,1)
                s.sendto(q,('10.0.2.2',53)); r=s.recv(512)
                flags,count=struct.unpack('>HH',r[2:4]+r[6:8])
                size=4 if kind==1 else 16
                print(hex(flags),count, socket.inet_ntop(socket.AF_INET if kind==1 else socket.AF_INET6, r[-size:]) if count else '-')
            ask('portico.internal',1); ask('Host.PORTICO',28); ask('portico.internal',16)
            """;
        string[] seen = _host.Portico("run", "--", "python3", "-c", Script).Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["0x8580 1 10.0.2.2", "0x8580 1 fd70:6f72:7469:636f::3", "0x8580 0 -"], seen);
    }

    [Theory]
    [InlineData("192.0.2.1", true)]
    [InlineData("2001:db8::1", true)]
    [InlineData("10.0.2.2", true)]
    [InlineData("198.51.100.1", false)]
    [InlineData("169.254.1.1", false)]
    public void A_ping_is_answered_by_who_is_asked_or_not_at_all(string address, bool answered)
    {
        CommandResult result = _host.Portico("run", "--", "ping", "-n", "-c", "3", "-i", "0.01", "-W", "2", address);
        Assert.Contains(answered ? " 0% packet loss" : " 100% packet loss", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Signals_are_passed_on()
    {
        foreach (int signal in (int[])[1, 2, 3, 10, 15])
        {
            using Process process = _host.StartPortico(
                "run", "--", "python3", "-c",
                $"import signal,sys\nsignal.signal({signal},lambda *a: sys.exit(40+{signal}))\nprint('ready',flush=True)\nsignal.pause()");
            Assert.Equal("ready", process.StandardOutput.ReadLine());
            Kill(process.Id, signal);
            Assert.True(process.WaitForExit(20_000));
            Assert.Equal(40 + signal, process.ExitCode);
        }
    }

    [Fact]
    public void A_tool_that_is_killed_leaves_no_command_behind()
    {
        using Process process = _host.StartPortico("run", "--", "sh", "-c", "echo $$; exec sleep 1000");
        int command = int.Parse(process.StandardOutput.ReadLine()!, System.Globalization.CultureInfo.InvariantCulture);
        using Process inside = Process.GetProcessById(command);
        process.Kill();
        Assert.True(inside.WaitForExit(20_000));
    }

    [Fact]
    public void The_capture_shows_the_connection_without_a_fault()
    {
        string file = Path.Combine(_directory, "run.pcapng");
        _host.Portico("run", "--pcap", file, "--", "curl", "-sS4", "-o", "/dev/null", "http://portico.internal/").Succeeded();
        string faults = CommandResult.WaitFor(Process.Start(CommandResult.StartInfo(
            "tshark",
            [
                "-r", file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE", "-Y",
                "_ws.malformed || tcp.checksum.status == 0 || ip.checksum.status == 0 || tcp.analysis.retransmission",
            ]))!).Succeeded();
        Assert.Equal("", faults);
        string syns = CommandResult.WaitFor(
            Process.Start(CommandResult.StartInfo("tshark", ["-r", file, "-Y", "tcp.flags.syn == 1 && tcp.port == 80"]))!).Succeeded();
        Assert.Equal(2, syns.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
    }

    [Fact]
    public void Delay_and_loss_are_felt_and_survived()
    {
        string output = _host.RunShell("ping -n -c 5 -i 0.01 -W 5 10.0.2.2", "--delay", "30ms").Succeeded();
        double least = double.Parse(
            output.Split("min/avg/max/mdev = ")[1].Split('/')[0], System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(least >= 60, output);
        Assert.Contains(
            "ESTABLISHED",
            _host.RunShell("curl -sS -m 50 http://portico.internal/", "--loss", "10%", "--seed", "7").Succeeded(),
            StringComparison.Ordinal);
    }

    private static string[] Run(string options) => [.. $"run {options}".Split(' ', StringSplitOptions.RemoveEmptyEntries), "--"];

    [DllImport("libc", EntryPoint = "kill")]
    private static extern int Kill(int process, int signal);
}
