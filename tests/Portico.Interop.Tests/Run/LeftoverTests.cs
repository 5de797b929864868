using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>What is left when a run ends, in each way that it can end: nothing.</summary>
public sealed class LeftoverTests : IDisposable
{
    /// <summary>A grandchild with a session of its own that minds no signal, and keeps nothing of its parent's but its network.</summary>
    private const string Daemon =
        """
        import os,signal,sys,socket,time
        r,w=os.pipe()
        if os.fork()==0:
            os.setsid()
            if os.fork(): os._exit(0)
            for s in (1,2,3,15): signal.signal(s,signal.SIG_IGN)
            l=socket.create_server(('',80))
            null=os.open('/dev/null',os.O_RDWR)
            for fd in (0,1,2): os.dup2(null,fd)
            os.write(w,str(os.getpid()).encode())
            time.sleep(1000)
        print(os.getpid(), os.read(r,20).decode(), os.readlink('/proc/self/ns/net'),flush=True)
        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void What_a_command_leaves_in_the_background_ends_with_the_run()
    {
        CommandResult result = _host.Portico("run", "-p", "8080:80", "--", "python3", "-c", Daemon);
        string[] words = result.Succeeded().Trim().Split(' ');
        AssertGone(words);
    }

    [Fact]
    public void A_run_whose_command_is_killed_leaves_nothing()
    {
        using RunningTool run = new(_host.StartPortico("run", "-p", "8080:80", "--", "python3", "-c", Daemon + "\ntime.sleep(1000)"));
        string[] words = run.Process.StandardOutput.ReadLine()!.Split(' ');
        Process.GetProcessById(int.Parse(words[0], CultureInfo.InvariantCulture)).Kill();
        Assert.True(run.Process.WaitForExit(20_000));
        Assert.Equal(137, run.Process.ExitCode);
        AssertGone(words);
    }

    [Fact]
    public void A_tool_that_is_killed_leaves_nothing()
    {
        using RunningTool run = new(_host.StartPortico("run", "-p", "8080:80", "--", "python3", "-c", Daemon + "\ntime.sleep(1000)"));
        string[] words = run.Process.StandardOutput.ReadLine()!.Split(' ');
        run.Process.Kill();
        run.Process.WaitForExit();
        AssertGone(words);
    }

    [Fact]
    public void A_tool_that_is_killed_amid_traffic_leaves_no_socket()
    {
        using RunningTool run = new(_host.StartPortico("run", "-p", "8080:80", "--", "python3", "-c", Busy));
        using (Socket server = _host.Listen(HostNamespace.Ipv4, 7000))
        using (Socket datagrams = _host.BindUdp(HostNamespace.Ipv4, 7001))
        {
            run.AwaitLine("ready");
            using Socket accepted = server.Accept();
            using Socket client = _host.Connect(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 8080));
            run.AwaitLine("busy");
            byte[] buffer = new byte[1 << 16];
            Assert.True(accepted.Receive(buffer) > 0);
            Assert.True(datagrams.Receive(buffer) > 0);
            Assert.True(client.Receive(buffer) > 0);
            run.Process.Kill();
            run.Process.WaitForExit();
            AwaitEnd(accepted);
            AwaitEnd(client);
        }

        string left = "";
        bool isGone = SpinWait.SpinUntil(
            () => (left = _host.Run("sh", "-c", "ss -Htuan | grep -v TIME-WAIT; true").Succeeded()).Length == 0, TimeSpan.FromSeconds(20));
        Assert.True(isGone, left);
    }

    [Fact]
    public void Connections_that_have_ended_leave_no_descriptor()
    {
        const string Script =
            """
            import socket,struct,sys
            def served(): socket.create_connection(('192.0.2.1',7000)).recv(1)
            def reset():
                s=socket.create_connection(('192.0.2.1',7000))
                s.setsockopt(socket.SOL_SOCKET,socket.SO_LINGER,struct.pack('ii',1,0)); s.close()
            def refused():
                try: socket.create_connection(('2001:db8::1',1))
                except ConnectionRefusedError: pass
            def unreachable():
                try: socket.create_connection(('198.51.100.1',1))
                except OSError: pass
            def shown(): socket.create_connection(('portico.internal',80)).sendall(b'GET / HTTP/1.0\r\n\r\n')
            for line in sys.stdin:
                for what in (served,reset,refused,unreachable,shown):
                    for i in range(int(line)): what()
                print('done',flush=True)
            """;
        using Socket server = _host.Listen(HostNamespace.Ipv4, 7000);
        _ = Task.Run(async () =>
        {
            while (true)
            {
                (await server.AcceptAsync()).Dispose();
            }
        });
        using RunningTool run = new(_host.StartPortico("run", "--", "python3", "-c", Script));
        int? before = null;
        foreach (int rounds in (int[])[1, 100])
        {
            run.Process.StandardInput.WriteLine(rounds);
            run.AwaitLine("done");
            before ??= SettledSocketCount(run.Process.Id);
        }

        bool isBack = SpinWait.SpinUntil(
            () =>
            {
                Thread.Sleep(50);
                return SocketCount(run.Process.Id) <= before;
            },
            TimeSpan.FromSeconds(20));
        Assert.True(isBack, $"{before} sockets before, {SocketCount(run.Process.Id)} after");
    }

    private const string Busy =
        """
        import socket,threading,time
        l=socket.create_server(('',80)); print('ready',flush=True)
        def pour(s):
            while True: s.sendall(bytes(10000))
        threading.Thread(target=pour,args=(socket.create_connection(('192.0.2.1',7000)),)).start()
        threading.Thread(target=pour,args=(l.accept()[0],)).start()
        u=socket.socket(socket.AF_INET,socket.SOCK_DGRAM); u.sendto(b'x',('192.0.2.1',7001)); print('busy',flush=True)
        """;

    private static void AwaitEnd(Socket socket)
    {
        socket.ReceiveTimeout = 20_000;
        byte[] buffer = new byte[1 << 20];
        try
        {
            while (socket.Receive(buffer) > 0)
            {
            }
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.ConnectionReset)
        {
        }
    }

    /// <summary>The least number of sockets that a process comes back to.</summary>
    private static int SettledSocketCount(int process)
    {
        int least = int.MaxValue;
        for (int i = 0; i < 20; i++)
        {
            least = Math.Min(least, SocketCount(process));
            Thread.Sleep(20);
        }

        return least;
    }

    private static int SocketCount(int process) => Directory.GetFiles($"/proc/{process}/fd")
        .Count(f => LinkOf(f)?.StartsWith("socket:", StringComparison.Ordinal) == true);

    /// <summary>No process of the command's, nobody in its network namespace, and its port of the host is free.</summary>
    private void AssertGone(string[] words)
    {
        bool isGone = SpinWait.SpinUntil(
            () =>
            {
                Thread.Sleep(20);
                return !Directory.Exists($"/proc/{words[0]}") && !Directory.Exists($"/proc/{words[1]}") && !InNamespace(words[2]).Any();
            },
            TimeSpan.FromSeconds(20));
        Assert.True(isGone, $"still there: {string.Join(", ", InNamespace(words[2]))}");
        using Socket free = _host.Listen(new IPEndPoint(IPAddress.Any, 8080));
    }

    private static IEnumerable<string> InNamespace(string network)
    {
        foreach (string directory in Directory.EnumerateDirectories("/proc").Where(d => char.IsAsciiDigit(Path.GetFileName(d)[0])))
        {
            foreach (string thread in Threads(directory))
            {
                if (LinkOf($"{thread}/ns/net") == network)
                {
                    yield return thread;
                }
            }
        }
    }

    private static string[] Threads(string process)
    {
        try
        {
            return Directory.GetDirectories($"{process}/task");
        }
        catch (IOException)
        {
            return [];
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return Path.GetFileName(File.ResolveLinkTarget(path, false)?.FullName);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
