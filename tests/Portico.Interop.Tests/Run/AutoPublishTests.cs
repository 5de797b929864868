using System.Net;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary><c>portico run -p auto</c> and <c>portico publish</c>: ports that come and go while the command runs.</summary>
public sealed class AutoPublishTests : IDisposable
{
    /// <summary>Opens and closes sockets as it is told, a line for each: +tcp ADDRESS PORT, -tcp ADDRESS PORT, udp likewise.</summary>
    private const string Obedient =
        """
        import socket,sys,threading
        held={}
        def serve(l):
            try:
                while True:
                    s,p=l.accept(); s.sendall(b'served'); s.close()
            except OSError: pass
        def echo(u):
            try:
                while True:
                    b,p=u.recvfrom(2000); u.sendto(b,p)
            except OSError: pass
        print('ready',flush=True)
        for line in sys.stdin:
            what,address,port=line.split()
            if what[0]=='+':
                family=socket.AF_INET6 if ':' in address else socket.AF_INET
                s=socket.socket(family,socket.SOCK_STREAM if what=='+tcp' else socket.SOCK_DGRAM)
                s.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEADDR,1)
                s.bind((address,int(port)))
                if what=='+tcp': s.listen(16)
                held[what[1:],port]=s
                threading.Thread(target=serve if what=='+tcp' else echo,args=(s,),daemon=True).start()
            else:
                s=held.pop((what[1:],port))
                s.shutdown(socket.SHUT_RDWR) if what=='-tcp' else None
                s.close()
            print('done',flush=True)
        """;

    private readonly HostNamespace _host = new();
    private readonly string _name = $"auto-{Guid.NewGuid():N}"[..30];
    private readonly string _runtime = Directory.CreateTempSubdirectory("portico-auto").FullName;

    public void Dispose()
    {
        _host.Dispose();
        Directory.Delete(_runtime, recursive: true);
    }

    [Theory]
    [InlineData("0.0.0.0")]
    [InlineData("::")]
    [InlineData("10.0.2.100")]
    public void A_port_is_there_while_the_command_listens_and_on_the_hosts_loopback_only(string address)
    {
        using RunningTool run = Start("-p", "auto");
        run.AwaitLine("ready");
        Tell(run, $"+tcp {address} 8000");
        Assert.Equal(
            "portico: port 8000/tcp is published on 127.0.0.1:8000 and [::1]:8000", run.Process.StandardError.ReadLine());
        foreach (IPAddress loopback in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            using Socket socket = _host.Connect(new IPEndPoint(loopback, 8000));
            Assert.Equal("served", PublishTests.ReadAll(socket));
        }

        AssertRefused(IPAddress.Parse("192.0.2.1"), 8000);
        Tell(run, $"-tcp {address} 8000");
        Assert.Equal("portico: port 8000/tcp is not published any more", run.Process.StandardError.ReadLine());
        AssertRefused(IPAddress.Loopback, 8000);
    }

    [Fact]
    public void An_address_may_be_named_and_datagrams_are_published_too()
    {
        using RunningTool run = Start("-p", "192.0.2.1:auto");
        run.AwaitLine("ready");
        Tell(run, "+udp 0.0.0.0 5000");
        Assert.Equal("portico: port 5000/udp is published on 192.0.2.1:5000", run.Process.StandardError.ReadLine());
        using Socket socket = _host.Connect(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 5000), null, SocketType.Dgram);
        socket.ReceiveTimeout = 20_000;
        socket.Send([1, 2, 3]);
        byte[] answer = new byte[10];
        Assert.Equal(3, socket.Receive(answer));
        Assert.Equal([1, 2, 3], answer[..3]);
    }

    [Fact]
    public void What_cannot_be_published_is_said_once_and_does_no_harm()
    {
        using Socket taken = _host.Listen(new IPEndPoint(IPAddress.Loopback, 8000));
        using RunningTool run = Start("-p", "auto");
        run.AwaitLine("ready");
        Tell(run, "+tcp 0.0.0.0 8000");
        Assert.StartsWith(
            "portico: port 8000/tcp is not published: port 8000/tcp of 127.0.0.1 is taken by ", run.Process.StandardError.ReadLine(),
            StringComparison.Ordinal);
        Tell(run, "+tcp 127.0.0.1 8001");
        Assert.Equal(
            "portico: port 8001/tcp is not published: the command listens on 127.0.0.1 only", run.Process.StandardError.ReadLine());
        Tell(run, "+tcp 0.0.0.0 8002");
        Assert.StartsWith("portico: port 8002/tcp is published", run.Process.StandardError.ReadLine(), StringComparison.Ordinal);
    }

    [Fact]
    public void Another_terminal_publishes_lists_and_removes()
    {
        using RunningTool run = Start("-p", "8080:80");
        run.AwaitLine("ready");
        Tell(run, "+tcp 0.0.0.0 80");
        Assert.Equal("", Publish("127.0.0.1:9000-9001:80-81").Succeeded());
        using (Socket socket = _host.Connect(new IPEndPoint(IPAddress.Loopback, 9000)))
        {
            Assert.Equal("served", PublishTests.ReadAll(socket));
        }

        string[] listed = Publish("--list").Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            [
                "PROTO  HOST            PORT  FLOWS  BY",
                "tcp    0.0.0.0:8080    80    0      option",
                "tcp    [::]:8080       80    0      option",
                "tcp    127.0.0.1:9000  80    0      option",
                "tcp    127.0.0.1:9001  81    0      option",
            ],
            listed);
        Publish("--remove", "9000-9001:80-81").Succeeded();
        AssertRefused(IPAddress.Loopback, 9000);
        CommandResult again = Publish("--remove", "9000:80");
        Assert.Equal(125, again.ExitCode);
        Assert.Equal("portico: --remove 9000:80: nothing like that is published; see portico publish --list\n", again.Error);
        Assert.Equal("portico: --publish x: 'x' is no port: 1 to 65535\n", Publish("x").Error);
    }

    private CommandResult Publish(params string[] arguments) =>
        _host.Run("env", [$"XDG_RUNTIME_DIR={_runtime}", "dotnet", HostNamespace.ToolPath, "publish", "--run", _name, .. arguments]);

    private RunningTool Start(params string[] options) => new(_host.StartProgram(
        "env",
        [
            $"XDG_RUNTIME_DIR={_runtime}", "dotnet", HostNamespace.ToolPath, "run", "--name", _name, .. options,
            "--", "python3", "-c", Obedient,
        ]));

    private static void Tell(RunningTool run, string line)
    {
        run.Process.StandardInput.WriteLine(line);
        run.AwaitLine("done");
    }

    private void AssertRefused(IPAddress address, int port)
    {
        SocketException refused = Assert.Throws<SocketException>(() => _host.Connect(new IPEndPoint(address, port)));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
    }
}
