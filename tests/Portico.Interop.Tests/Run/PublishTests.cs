using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico run -p</c>: servers inside, reached from outside.</summary>
public sealed class PublishTests : IDisposable
{
    private const string EchoPeer =
        """
        import socket,sys,threading
        def serve(family,address):
            l=socket.socket(family); l.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
            if family==socket.AF_INET6: l.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,1)
            l.bind((address,80)); l.listen(128)
            while True:
                s,peer=l.accept()
                s.sendall((peer[0]+' '+str(peer[1])+'\n').encode()); s.close()
        threading.Thread(target=serve,args=(socket.AF_INET,'0.0.0.0'),daemon=True).start()
        threading.Thread(target=serve,args=(socket.AF_INET6,'::'),daemon=True).start()
        import time; time.sleep(0.1); print('ready',flush=True); sys.stdin.read()
        """;

    private readonly HostNamespace _host = new();
    private readonly string _directory = Directory.CreateTempSubdirectory("portico-publish").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_directory, recursive: true);
    }

    [Theory]
    [InlineData("http://127.0.0.1:8080/file")]
    [InlineData("http://[::1]:8080/file")]
    [InlineData("http://192.0.2.1:8080/file")]
    [InlineData("http://[2001:db8::1]:8080/file")]
    public void A_web_server_inside_is_reached_from_outside_over_either_family(string url)
    {
        byte[] content = new byte[3_000_000];
        new Random(1).NextBytes(content);
        File.WriteAllBytes(Path.Combine(_directory, "file"), content);
        using RunningTool run = Start(["-p", "8080:8000"], "python3", "-m", "http.server", "--directory", _directory, "8000");
        string got = Path.Combine(_directory, "got");
        _host.Run("curl", "-sS", "--retry", "40", "--retry-delay", "1", "--retry-all-errors", "-m", "60", "-o", got, url).Succeeded();
        Assert.True(File.ReadAllBytes(got).AsSpan().SequenceEqual(content));
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.1", true)]
    [InlineData("192.0.2.1", "192.0.2.77", true)]
    [InlineData("2001:db8::1", "2001:db8::77", true)]
    [InlineData("127.0.0.1", "127.0.0.1", false)]
    [InlineData("::1", "::1", false)]
    public void The_server_sees_the_clients_own_address_and_port(string server, string client, bool isKept)
    {
        _host.AddAddress(IpAddress.Parse("192.0.2.77"));
        _host.AddAddress(IpAddress.Parse("2001:db8::77"));
        using RunningTool run = Start(["-p", "8080:80"], "python3", "-c", EchoPeer);
        run.AwaitLine("ready");
        using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Parse(server), 8080), IPAddress.Parse(client));
        string[] seen = ReadAll(socket).Trim().Split(' ');
        Assert.Equal(isKept ? client : client == "::1" ? "fd70:6f72:7469:636f::3" : "10.0.2.3", seen[0]);
        Assert.Equal(((IPEndPoint)socket.LocalEndPoint!).Port.ToString(System.Globalization.CultureInfo.InvariantCulture), seen[1]);
    }

    [Fact]
    public void A_server_of_one_family_is_reached_over_both()
    {
        using RunningTool run = Start(
            ["-p", "8080:80"], "python3", "-c",
            "import socket\nl=socket.create_server(('0.0.0.0',80)); print('ready',flush=True)\n"
            + "while True:\n s,p=l.accept(); s.sendall(p[0].encode()); s.close()");
        run.AwaitLine("ready");
        using Socket ipv6 = _host.Connect(new IPEndPoint(IPAddress.IPv6Loopback, 8080));
        Assert.Equal("10.0.2.3", ReadAll(ipv6));
        using Socket far = _host.Connect(new IPEndPoint(IPAddress.Parse("2001:db8::1"), 8080));
        Assert.Equal("10.0.2.3", ReadAll(far));
    }

    [Fact]
    public void A_client_is_reset_where_nobody_listens_yet_and_served_once_somebody_does()
    {
        using RunningTool run = Start(
            ["-p", "8080:80"], "python3", "-c",
            "import socket,sys\nprint('ready',flush=True)\nsys.stdin.readline()\n"
            + "l=socket.create_server(('',80)); print('listening',flush=True)\ns,p=l.accept(); s.sendall(b'hello'); s.close()\nsys.stdin.read()");
        run.AwaitLine("ready");
        using Socket early = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080));
        SocketException reset = Assert.Throws<SocketException>(() => early.Receive(new byte[1]));
        Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        run.Process.StandardInput.WriteLine();
        run.AwaitLine("listening");
        using Socket late = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080));
        Assert.Equal("hello", ReadAll(late));
    }

    [Fact]
    public void Each_port_of_a_range_leads_to_its_own()
    {
        using RunningTool run = Start(
            ["-p", "127.0.0.1:9000-9004:8000-8004"], "python3", "-c",
            "import socket,select\nls=[socket.create_server(('',8000+i)) for i in range(5)]; print('ready',flush=True)\n"
            + "while True:\n for l in select.select(ls,[],[])[0]:\n  s,p=l.accept(); s.sendall(str(l.getsockname()[1]).encode()); "
            + "s.close()");
        run.AwaitLine("ready");
        for (int i = 0; i < 5; i++)
        {
            using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Loopback, 9000 + i));
            Assert.Equal($"{8000 + i}", ReadAll(socket));
        }

        Assert.Equal(
            SocketError.ConnectionRefused,
            Assert.Throws<SocketException>(() => _host.Connect(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 9000))).SocketErrorCode);
    }

    [Theory]
    [InlineData("192.0.2.1", "192.0.2.77", "192.0.2.77")]
    [InlineData("2001:db8::1", "2001:db8::77", "2001:db8::77")]
    [InlineData("127.0.0.1", "127.0.0.1", "10.0.2.3")]
    public void Datagrams_come_in_with_their_senders_address_and_answers_go_back_from_where_they_were_sent(
        string server, string client, string seen)
    {
        _host.AddAddress(IpAddress.Parse("192.0.2.77"));
        _host.AddAddress(IpAddress.Parse("2001:db8::77"));
        using RunningTool run = Start(
            ["-p", "5353:53/udp"], "python3", "-c",
            """
            import socket
            s=socket.socket(socket.AF_INET6,socket.SOCK_DGRAM); s.setsockopt(socket.IPPROTO_IPV6,socket.IPV6_V6ONLY,0); s.bind(('::',53))
            print('ready',flush=True)
            while True:
                b,p=s.recvfrom(70000); s.sendto(p[0].replace('::ffff:','').encode()+b' '+str(p[1]).encode()+b' '+b,p)
            """);
        run.AwaitLine("ready");
        using Socket socket = _host.Connect(
            new IPEndPoint(IPAddress.Parse(server), 5353), IPAddress.Parse(client), SocketType.Dgram);
        socket.ReceiveTimeout = 20_000;
        foreach (int size in (int[])[0, 1, 1472, 9000, 60_000])
        {
            byte[] payload = new byte[size];
            new Random(size).NextBytes(payload);
            socket.Send(payload);
            byte[] answer = new byte[70_000];
            int length = socket.Receive(answer);
            byte[] head = System.Text.Encoding.ASCII.GetBytes($"{seen} {((IPEndPoint)socket.LocalEndPoint!).Port} ");
            Assert.Equal(head.Length + size, length);
            Assert.True(answer.AsSpan(0, head.Length).SequenceEqual(head));
            Assert.True(answer.AsSpan(head.Length, size).SequenceEqual(payload));
        }
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("2001:db8::1")]
    public void A_datagram_to_a_port_without_a_socket_inside_is_reported_to_its_sender(string server)
    {
        using RunningTool run = Start(["-p", "5353:53/udp"], "sh", "-c", "echo ready; cat");
        run.AwaitLine("ready");
        using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Parse(server), 5353), null, SocketType.Dgram);
        socket.ReceiveTimeout = 20_000;
        socket.Send([1, 2, 3]);
        SocketException refused = Assert.Throws<SocketException>(() => socket.Receive(new byte[1]));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }

    [Fact]
    public async Task Each_direction_ends_by_itself_and_a_reset_of_either_side_is_one_of_the_other()
    {
        using RunningTool run = Start(
            ["-p", "8080:80"], "python3", "-c",
            """
            import socket,struct,hashlib
            l=socket.create_server(('',80)); print('ready',flush=True)
            s,p=l.accept()
            h=hashlib.sha256()
            while True:
                b=s.recv(1<<20)
                if not b: break
                h.update(b)
            s.sendall(h.hexdigest().encode()); s.close()
            s,p=l.accept()
            s.sendall(b'x'); s.recv(1)
            s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0)); s.close()
            s,p=l.accept()
            s.sendall(b'x')
            try: s.recv(1); print('end',flush=True)
            except ConnectionResetError: print('reset',flush=True)
            """);
        run.AwaitLine("ready");
        byte[] up = new byte[20_000_000];
        new Random(2).NextBytes(up);
        using (Socket first = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080)))
        {
            await first.SendAsync(up).WaitAsync(TimeSpan.FromSeconds(60));
            first.Shutdown(SocketShutdown.Send);
            string digest = await Task.Run(() => ReadAll(first)).WaitAsync(TimeSpan.FromSeconds(60));
            Assert.Equal(Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(up)), digest);
        }

        using (Socket second = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080)))
        {
            second.Receive(new byte[1]);
            second.Send([1]);
            SocketException reset = Assert.Throws<SocketException>(() => second.Receive(new byte[1]));
            Assert.Equal(SocketError.ConnectionReset, reset.SocketErrorCode);
        }

        using (Socket third = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080)))
        {
            third.Receive(new byte[1]);
            third.LingerState = new LingerOption(true, 0);
        }

        run.AwaitLine("reset");
    }

    [Fact]
    public async Task A_reader_that_stalls_stops_the_writer_after_a_bounded_number_of_bytes()
    {
        using RunningTool run = Start(
            ["-p", "8080:80"], "python3", "-c",
            "import socket,sys\nl=socket.create_server(('',80)); print('ready',flush=True)\ns,p=l.accept(); sys.stdin.readline()\n"
            + "n=0\nwhile True:\n b=s.recv(1<<20)\n if not b: break\n n+=len(b)\nprint(n,flush=True)");
        run.AwaitLine("ready");
        using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Loopback, 8080));
        socket.Blocking = false;
        byte[] chunk = new byte[256 * 1024];
        long sent = 0;
        for (int quiet = 0; quiet < 40;)
        {
            int count = socket.Send(chunk, SocketFlags.None, out SocketError error);
            sent += Math.Max(count, 0);
            quiet = error == SocketError.WouldBlock ? quiet + 1 : 0;
            if (error == SocketError.WouldBlock)
            {
                await Task.Delay(25);
            }

            // Buffers of the kernels (tcp_wmem, tcp_rmem: 4 and 6 MB here), of the stack (the same) and one buffer of the relay's.
            Assert.True(sent < 64_000_000, "the writer is not stopped");
        }

        run.Process.StandardInput.WriteLine();
        socket.Blocking = true;
        socket.Shutdown(SocketShutdown.Send);
        run.AwaitLine($"{sent}");
    }

    [Fact]
    public void Redis_inside_serves_a_benchmark_outside()
    {
        using RunningTool run = Start(
            ["-p", "6379:6379"], "redis-server", "--protected-mode", "no", "--save", "", "--dir", _directory, "--port", "6379");
        run.AwaitLineWith("Ready to accept connections");
        string output = _host.Run("redis-benchmark", "-q", "-n", "5000", "-c", "50", "-t", "set,get", "-d", "1000").Succeeded();
        Assert.Contains("GET", output, StringComparison.Ordinal);
        Assert.Equal("PONG\n", _host.Run("redis-cli", "-h", "192.0.2.1", "ping").Succeeded());
    }

    [Theory]
    [InlineData("--publish 80:x: 'x' is no port: 1 to 65535", "80:x")]
    [InlineData("--publish 70000:80: '70000' is no port: 0 to 65535", "70000:80")]
    [InlineData("--publish 1-3:1-2: 3 ports of the host for 2 of the command", "1-3:1-2")]
    [InlineData("--publish 5-3:5-3: '5-3' is no range of ports: FIRST-LAST", "5-3:5-3")]
    [InlineData("--publish ::1:80:80: [ADDR:][HOSTPORT:]PORT[/udp], an IPv6 address in brackets", "::1:80:80")]
    [InlineData("--publish 80/sctp: 'sctp' is no protocol: tcp or udp", "80/sctp")]
    [InlineData("--publish 192.0.2.300:80:80: '192.0.2.300' is no IPv4 address", "192.0.2.300:80:80")]
    [InlineData("--publish 203.0.113.1:8080:80: 203.0.113.1 is not an address of this host", "203.0.113.1:8080:80")]
    public void What_cannot_be_published_is_one_line(string message, string spec)
    {
        CommandResult result = _host.Portico("run", "-p", spec, "--", "true");
        Assert.Equal(125, result.ExitCode);
        Assert.Equal($"portico: {message}\n", result.Error);
    }

    [Fact]
    public void A_port_that_is_taken_is_named_with_its_owner()
    {
        using Socket taken = _host.Listen(HostNamespace.Ipv4, out int port);
        CommandResult result = _host.Portico("run", "-p", $"{port}:80", "--", "true");
        Assert.Equal(125, result.ExitCode);
        string owner = $"{File.ReadAllText("/proc/self/comm").Trim()} (process {Environment.ProcessId})";
        Assert.Equal($"portico: --publish {port}:80: port {port}/tcp of 0.0.0.0 is taken by {owner}\n", result.Error);
    }

    [Fact]
    public void A_port_left_to_the_host_is_printed()
    {
        using RunningTool run = Start(["-p", "80"], "python3", "-c", EchoPeer);
        run.AwaitLine("ready");
        string line = run.Process.StandardError.ReadLine()!;
        Assert.StartsWith("portico: 0.0.0.0:", line, StringComparison.Ordinal);
        Assert.EndsWith(" leads to port 80/tcp", line, StringComparison.Ordinal);
        int port = int.Parse(line.Split(' ')[1].Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
        Assert.Contains($" and [::]:{port} ", line, StringComparison.Ordinal);
        using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Parse("2001:db8::1"), port));
        Assert.StartsWith("2001:db8::1 ", ReadAll(socket), StringComparison.Ordinal);
    }

    private RunningTool Start(string[] options, params string[] command) =>
        new(_host.StartPortico(["run", .. options, "--", .. command]));

    internal static string ReadAll(Socket socket)
    {
        socket.ReceiveTimeout = 20_000;
        using MemoryStream all = new();
        byte[] buffer = new byte[4096];
        for (int count; (count = socket.Receive(buffer)) > 0;)
        {
            all.Write(buffer, 0, count);
        }

        return System.Text.Encoding.ASCII.GetString(all.ToArray());
    }
}
