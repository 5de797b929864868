using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>What passes through <c>portico run</c> besides bytes: the urgent mark, ends in each order, pressure, limits.</summary>
public sealed class FidelityTests : IDisposable
{
    /// <summary>Says what it reads as [bytes], and | where the urgent mark is.</summary>
    private const string Mark =
        """
        import socket,fcntl,struct,select,termios
        def at_mark(s):
            return struct.unpack('i',fcntl.ioctl(s,0x8905,struct.pack('i',0)))[0]
        def send(s):
            s.sendall(b'before'); s.send(b'!',socket.MSG_OOB); s.sendall(b'after')
        def receive(s):
            s.setsockopt(socket.SOL_SOCKET,socket.SO_OOBINLINE,1)
            p=select.poll(); p.register(s,select.POLLPRI)
            assert p.poll(20000), 'no urgent data'
            text=''; count=0; s.settimeout(20)
            while count<12:
                if at_mark(s): text+='|'
                b=s.recv(100); count+=len(b); text+=b.decode()
                if not b: break
            return text
        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public void The_urgent_mark_stays_where_it_was_put_both_ways(string address)
    {
        using RunningTool server = new(_host.StartProgram(
            "python3", "-c", Mark + $"\nl=socket.create_server(('{address}',7000),"
            + $"family=socket.AF_INET6 if ':' in '{address}' else socket.AF_INET)\nprint('ready',flush=True)\ns,p=l.accept()\nprint(receive(s),flush=True)\nsend(s)\ns.recv(1)"));
        server.AwaitLine("ready");
        string seen = _host.Portico(
            "run", "--", "python3", "-c", Mark + $"\ns=socket.create_connection(('{address}',7000))\nsend(s)\nprint(receive(s))")
            .Succeeded();
        server.AwaitLine("before|!after");
        Assert.Equal("before|!after\n", seen);
    }

    [Fact]
    public void The_urgent_mark_comes_in_by_a_published_port_and_goes_out_again()
    {
        using RunningTool run = new(_host.StartPortico(
            "run", "-p", "7000:7000", "--", "python3", "-c", Mark
            + "\nl=socket.create_server(('',7000)); print('ready',flush=True)\ns,p=l.accept()\n"
            + "print(receive(s),flush=True)\nsend(s)\ns.recv(1)"));
        run.AwaitLine("ready");
        string seen = _host.Run(
            "python3", "-c", Mark + "\ns=socket.create_connection(('192.0.2.1',7000))\nsend(s)\nprint(receive(s))").Succeeded();
        run.AwaitLine("before|!after");
        Assert.Equal("before|!after\n", seen);
    }

    [Fact]
    public async Task The_end_may_come_from_outside_first_and_the_other_direction_goes_on()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        using Process process = _host.StartPortico(
            "run", "--", "python3", "-c",
            $"import socket\ns=socket.create_connection(('192.0.2.1',{port}))\nassert s.recv(10)==b'' \n"
            + "for i in range(100): s.sendall(bytes(100000))\ns.shutdown(socket.SHUT_WR)\nprint(s.recv(1))");
        using Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60));
        accepted.Shutdown(SocketShutdown.Send);
        accepted.ReceiveTimeout = 20_000;
        int total = 0;
        byte[] buffer = new byte[1 << 20];
        for (int count; (count = accepted.Receive(buffer)) > 0; total += count)
        {
        }

        Assert.Equal(10_000_000, total);
        Assert.Equal("b''\n", CommandResult.WaitFor(process).Succeeded());
    }

    [Fact]
    public async Task A_reader_outside_that_stalls_stops_the_program_after_a_bounded_number_of_bytes()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port);
        using RunningTool run = new(_host.StartPortico(
            "run", "--", "python3", "-c",
            $"import socket,select\ns=socket.create_connection(('192.0.2.1',{port})); s.setblocking(False); n=0\n"
            + "while select.select([],[s],[],1)[1]: n+=s.send(bytes(1<<18))\nprint(n,flush=True)"));
        using Socket accepted = await listener.AcceptAsync().WaitAsync(TimeSpan.FromSeconds(60));
        string line = (await run.Process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)))!;
        long sent = long.Parse(line, System.Globalization.CultureInfo.InvariantCulture);

        // Buffers of the kernels, of the stack and one buffer of the relay's; see PublishTests for the other direction.
        Assert.InRange(sent, 100_000, 64_000_000);
        long total = 0;
        accepted.ReceiveTimeout = 20_000;
        byte[] buffer = new byte[1 << 20];
        for (int count; (count = accepted.Receive(buffer)) > 0; total += count)
        {
        }

        Assert.Equal(sent, total);
    }

    [Theory]
    [InlineData("192.0.2.1", 65_507)]
    [InlineData("2001:db8::1", 65_487)]
    public void The_largest_datagrams_pass_and_each_socket_has_a_port_of_its_own(string address, int size)
    {
        using Socket server = _host.BindUdp(IpAddress.Parse(address), out int port);
        Task<HashSet<int>> ports = Task.Run(() =>
        {
            HashSet<int> seen = [];
            byte[] buffer = new byte[70_000];
            for (int i = 0; i < 4; i++)
            {
                EndPoint from = new IPEndPoint(server.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
                int count = server.ReceiveFrom(buffer, ref from);
                seen.Add(((IPEndPoint)from).Port);
                server.SendTo(buffer.AsSpan(0, count), SocketFlags.None, from);
            }

            return seen;
        });
        _host.Portico(
            "run", "--", "python3", "-c",
            $"""
            import socket,os
            for i in range(4):
                s=socket.socket(socket.AF_INET6 if ':' in '{address}' else socket.AF_INET,socket.SOCK_DGRAM); s.settimeout(20)
                b=os.urandom({size}); s.sendto(b,('{address}',{port})); assert s.recv(70000)==b
            """).Succeeded();
        Assert.Equal(4, ports.Result.Count);
    }

    [Fact]
    public async Task Where_no_descriptor_is_left_a_connection_is_refused_and_later_ones_succeed()
    {
        using Socket listener = _host.Listen(HostNamespace.Ipv4, out int port, 4096);
        using CancellationTokenSource stopping = new();
        Task accepting = EchoAll(listener, stopping.Token);
        string script =
            $"""
            import socket,errno,time,resource
            held=[]; refused=0
            for i in range(400):
                try: held.append(socket.create_connection(('192.0.2.1',{port}),20))
                except ConnectionRefusedError: refused+=1
            print(len(held)>50, refused>50, len(held)+refused)
            for s in held: s.close()
            for i in range(100):
                try: socket.create_connection(('192.0.2.1',{port}),20); print('again'); break
                except ConnectionRefusedError: time.sleep(0.1)
            """;
        CommandResult result = _host.Run(
            "sh", "-c", "ulimit -Sn 300; ulimit -Hn 300; exec dotnet \"$0\" run --stats -- python3 -c \"$1\"", HostNamespace.ToolPath,
            script);
        Assert.Equal("True True 400\nagain\n", result.Succeeded());
        Assert.Contains(" refused at a limit", result.Error, StringComparison.Ordinal);
        await stopping.CancelAsync();
        await accepting;
    }

    [Fact]
    public void Where_no_descriptor_is_left_a_client_is_reset_and_later_ones_are_served()
    {
        using RunningTool run = new(_host.StartProgram(
            "sh", "-c", "ulimit -Sn 300; ulimit -Hn 300; exec dotnet \"$0\" run -p 7000:7000 -- python3 -c \"$1\"", HostNamespace.ToolPath,
            """
            import socket,threading
            l=socket.create_server(('',7000),backlog=4096); print('ready',flush=True)
            def serve(s):
                s.sendall(b'served'); s.recv(1); s.close()
            while True:
                s,p=l.accept(); threading.Thread(target=serve,args=(s,),daemon=True).start()
            """));
        run.AwaitLine("ready");
        string output = _host.Run(
            "python3", "-c",
            """
            import socket,time
            def attempt():
                try:
                    s=socket.create_connection(('192.0.2.1',7000),20)
                    return s if s.recv(6)==b'served' else None
                except ConnectionResetError: return None
            tried=[attempt() for i in range(400)]; held=[s for s in tried if s]
            print(len(held)>50, len(tried)-len(held)>50)
            for s in held: s.close()
            for i in range(100):
                if attempt(): print('again'); break
                time.sleep(0.1)
            """).Succeeded();
        Assert.Equal("True True\nagain\n", output);
    }

    [Fact]
    public void Five_thousand_connections_at_once_come_in()
    {
        using RunningTool run = new(_host.StartProgram(
            "sh", "-c", "ulimit -Sn 12000; exec dotnet \"$0\" run -p 7000:7000 -- python3 -c \"$1\"", HostNamespace.ToolPath,
            """
            import socket,selectors
            sel=selectors.DefaultSelector(); l=socket.create_server(('',7000),backlog=4096); l.setblocking(False); sel.register(l,1)
            print('ready',flush=True)
            while True:
                for key,_ in sel.select():
                    s=key.fileobj
                    if s is l:
                        try:
                            while True: c,p=l.accept(); sel.register(c,1)
                        except BlockingIOError: pass
                    else:
                        b=s.recv(4)
                        if b: s.send(b)
                        else: sel.unregister(s); s.close()
            """));
        run.AwaitLine("ready");
        string output = _host.Run(
            "sh", "-c", "ulimit -Sn 12000; exec python3 -c \"$0\"",
            """
            import socket,struct
            held=[socket.create_connection(('192.0.2.1',7000),30) for i in range(5000)]
            for i,s in enumerate(held): s.sendall(struct.pack('>I',i))
            print(sum(s.recv(4)==struct.pack('>I',i) for i,s in enumerate(held)))
            """).Succeeded();
        Assert.Equal("5000\n", output);
    }

    private static async Task EchoAll(Socket listener, CancellationToken stopping)
    {
        try
        {
            while (true)
            {
                Socket accepted = await listener.AcceptAsync(stopping);
                _ = Task.Run(
                    async () =>
                    {
                        using (accepted)
                        {
                            byte[] buffer = new byte[4];
                            await accepted.ReceiveAsync(buffer);
                            await accepted.SendAsync(buffer);
                            await accepted.ReceiveAsync(buffer);
                        }
                    },
                    CancellationToken.None);
            }
        }
        catch (OperationCanceledException)
        {
        }
    }
}
