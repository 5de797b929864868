using System.Net.Sockets;
using System.Text;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli.Tests.Control;

/// <summary>A run's control socket and whoever speaks to it.</summary>
public sealed class ControlServerTests : IDisposable
{
    private readonly ControlFixture _fixture = new();

    public void Dispose() => _fixture.Dispose();

    [Fact]
    public void A_verb_gets_its_arguments_and_answers_with_lines_and_a_status()
    {
        using ControlServer server = _fixture.Start("web", ("echo", (arguments, response) =>
        {
            response.WriteLine(string.Join('|', arguments));
            response.WriteLine("two\nlines");
            return arguments.Count;
        }));
        (List<string> lines, int status) = _fixture.Ask("web", "echo", "a b", "\"ü\n", "");
        Assert.Equal(["a b|\"ü", "|", "two", "lines"], lines);
        Assert.Equal(3, status);
    }

    [Fact]
    public void The_protocol_is_lines_with_a_greeting_that_names_its_version()
    {
        using ControlServer server = _fixture.Start("web", ("no", (_, response) =>
        {
            response.WriteLine("out");
            response.WriteError("err");
            return 7;
        }));
        Assert.Equal("portico 1\n1 out\n2 err\n= 7\n", _fixture.Raw("web", "[\"no\"]\n"u8));
        Assert.Equal("portico 1\n2 the run does not know 'yes'\n= 125\n", _fixture.Raw("web", "[\"yes\"]\n"u8));
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\n")]
    [InlineData("{}\n")]
    [InlineData("[]\n")]
    [InlineData("[1]\n")]
    [InlineData("[\"ps\"\n")]
    [InlineData("[\"ps\"] x\n")]
    [InlineData("[[\"ps\"]]\n")]
    [InlineData("[\"\\ud800\"]\n")]
    [InlineData("\n")]
    public void A_request_that_is_none_ends_the_connection_and_nothing_else(string request)
    {
        using ControlServer server = _fixture.Start("web", ("ps", (_, _) => 0));
        Assert.Equal("portico 1\n", _fixture.Raw("web", Encoding.UTF8.GetBytes(request)));
        Assert.Equal(0, _fixture.Ask("web", "ps").Status);
    }

    [Fact]
    public void A_request_that_is_too_large_or_has_too_many_words_ends_the_connection()
    {
        using ControlServer server = _fixture.Start("web", ("ps", (_, _) => 0));
        Assert.StartsWith("portico 1", _fixture.Raw("web", new byte[200_000]) + "portico 1", StringComparison.Ordinal);
        string many = "[" + string.Join(',', Enumerable.Repeat("\"x\"", ControlProtocol.ArgumentsMax + 1)) + "]\n";
        Assert.Equal("portico 1\n", _fixture.Raw("web", Encoding.UTF8.GetBytes(many)));
        Assert.Equal(0, _fixture.Ask("web", "ps").Status);
    }

    [Fact]
    public void A_handlers_complaint_is_the_commands()
    {
        using ControlServer server = _fixture.Start("web", ("bad", (_, _) => throw new ArgumentException("no such port")));
        Assert.Equal("portico 1\n2 no such port\n= 125\n", _fixture.Raw("web", "[\"bad\"]\n"u8));
    }

    [Fact]
    public void One_client_too_many_is_told_so_and_room_comes_back()
    {
        using ControlServer server = _fixture.Start("web", ("ps", (_, _) => 0));
        List<Socket> waiting = [];
        for (int i = 0; i < 16; i++)
        {
            Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            socket.Connect(new UnixDomainSocketEndPoint(_fixture.SocketPath("web")));
            Assert.True(socket.Receive(new byte[1]) == 1);
            waiting.Add(socket);
        }

        const string Refusal = "portico 1\n2 the run has 16 clients already\n= 125\n";

        // A client that has sent nothing may find its connection reset before it has read the refusal.
        Assert.True(SpinWait.SpinUntil(() => _fixture.Raw("web", []) == Refusal, 20_000));
        waiting.ForEach(s => s.Dispose());
        SpinWait.SpinUntil(() => _fixture.Raw("web", "[\"ps\"]\n"u8) == "portico 1\n= 0\n", 20_000);
        Assert.Equal("portico 1\n= 0\n", _fixture.Raw("web", "[\"ps\"]\n"u8));
    }

    [Fact]
    public void A_client_that_reads_nothing_does_not_keep_a_run_from_ending()
    {
        ControlServer server = _fixture.Start("web", ("flood", (_, response) =>
        {
            while (true)
            {
                response.WriteLine(new byte[1000]);
            }
        }));
        using Socket socket = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(_fixture.SocketPath("web")));
        socket.Send("[\"flood\"]\n"u8);
        Assert.True(socket.Poll(20_000_000, SelectMode.SelectRead));
        server.Dispose();
        Assert.False(Directory.Exists($"{_fixture.Runtime}/portico"));
    }

    [Fact]
    public void The_socket_is_the_owners_only_and_goes_with_its_run()
    {
        ControlServer first = _fixture.Start("one");
        ControlServer second = _fixture.Start("two");
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_fixture.SocketPath("one")));
        Assert.Equal(
            UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode($"{_fixture.Runtime}/portico"));
        first.Dispose();
        Assert.False(File.Exists(_fixture.SocketPath("one")));
        second.Dispose();
        Assert.False(Directory.Exists($"{_fixture.Runtime}/portico"));
    }

    [Fact]
    public void A_name_is_taken_as_long_as_its_run_goes_on()
    {
        ControlServer first = _fixture.Start("web");
        LinuxException taken = Assert.Throws<LinuxException>(() => new ControlServer(_fixture.Place, "web"));
        Assert.Equal(Errno.EADDRINUSE, taken.Error);
        first.Dispose();
        using ControlServer next = _fixture.Start("web", ("ps", (_, _) => 0));
        Assert.Equal(0, _fixture.Ask(null, "ps").Status);
    }

    [Theory]
    [InlineData("")]
    [InlineData("123")]
    [InlineData("../x")]
    [InlineData("-x")]
    [InlineData(".x")]
    [InlineData("a b")]
    [InlineData("a23456789a23456789a23456789a23456789a234567")]
    public void What_cannot_be_a_name_is_refused(string name) =>
        Assert.Throws<ArgumentException>(() => new ControlServer(_fixture.Place, name));

    [Fact]
    public void A_run_is_chosen_by_name_or_process_or_by_being_the_only_one()
    {
        Assert.Contains("nothing runs", Assert.Throws<IOException>(() => _fixture.Ask(null, "who")).Message, StringComparison.Ordinal);
        using ControlServer one = _fixture.Start("one", ("who", (_, response) => Say(response, "one")));
        Assert.Equal(["one"], _fixture.Ask(null, "who").Lines);
        Assert.Equal(["one"], _fixture.Ask(Environment.ProcessId.ToString(System.Globalization.CultureInfo.InvariantCulture), "who").Lines);
        using ControlServer two = _fixture.Start("two", ("who", (_, response) => Say(response, "two")));
        Assert.Equal(["two"], _fixture.Ask("two", "who").Lines);
        Assert.Equal(
            "several are running; say which: one, two", Assert.Throws<IOException>(() => _fixture.Ask(null, "who")).Message);
        Assert.Equal(
            "no run is called 'three'; there are: one, two", Assert.Throws<IOException>(() => _fixture.Ask("three", "who")).Message);

        static int Say(ControlResponse response, string text)
        {
            response.WriteLine(text);
            return 0;
        }
    }

    [Fact]
    public void A_socket_that_nobody_listens_on_any_more_is_cleared_away()
    {
        using ControlServer living = _fixture.Start("living");
        using (Socket dead = new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            dead.Bind(new UnixDomainSocketEndPoint(_fixture.SocketPath("elsewhere")));
            dead.Listen();
            File.Move(_fixture.SocketPath("elsewhere"), _fixture.SocketPath("dead"));
        }

        Assert.True(File.Exists(_fixture.SocketPath("dead")));
        List<(string Name, ControlSocket Socket)> found = ControlClient.OpenAll(_fixture.Place);
        found.ForEach(f => f.Socket.Dispose());
        Assert.Equal(["living"], found.Select(f => f.Name));
        Assert.False(File.Exists(_fixture.SocketPath("dead")));
    }
}
