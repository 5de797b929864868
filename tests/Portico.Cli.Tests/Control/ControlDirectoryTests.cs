using Portico.Linux;

namespace Portico.Cli.Tests.Control;

/// <summary>Which directories hold control sockets, and which are not trusted.</summary>
public sealed class ControlDirectoryTests : IDisposable
{
    private const UnixFileMode Closed = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    private readonly string _root = Directory.CreateTempSubdirectory("portico-directory").FullName;
    private readonly string _user = Environment.UserName == "root" ? "0" : ReadUserId();

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void The_runtime_directory_comes_first_then_the_users_then_the_temporary_one()
    {
        string runtime = Make("xdg");
        string users = Make("users");
        string temporary = Make("tmp");
        Assert.Equal($"{runtime}/portico", new ControlDirectory(runtime, users, temporary).Create());
        Make($"users/{_user}");
        Assert.Equal($"{users}/{_user}/portico", new ControlDirectory(null, users, temporary).Create());
        Assert.Equal($"{temporary}/portico-{_user}", new ControlDirectory(null, $"{_root}/none", temporary).Create());
        Assert.Equal($"{temporary}/portico-{_user}", new ControlDirectory("relative", $"{_root}/none", temporary).Create());
        Assert.Equal(Closed, File.GetUnixFileMode($"{temporary}/portico-{_user}"));
    }

    [Fact]
    public void A_runtime_directory_that_others_can_write_to_is_not_used()
    {
        string runtime = Make("xdg");
        File.SetUnixFileMode(runtime, Closed | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute);
        Assert.Equal($"{_root}/portico-{_user}", new ControlDirectory(runtime, $"{_root}/none", _root).Create());
    }

    [Fact]
    public void A_symbolic_link_in_its_place_is_not_followed()
    {
        string elsewhere = Make("elsewhere");
        Directory.CreateSymbolicLink($"{_root}/portico-{_user}", elsewhere);
        ControlDirectory place = new(null, $"{_root}/none", _root);
        Assert.EndsWith("not a directory", Assert.Throws<LinuxException>(place.Create).Message, StringComparison.Ordinal);
        Assert.Empty(place.Existing());
    }

    [Theory]
    [InlineData(UnixFileMode.GroupRead)]
    [InlineData(UnixFileMode.OtherExecute)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_directory_that_is_open_to_others_is_not_used(UnixFileMode extra)
    {
        Make($"portico-{_user}");
        File.SetUnixFileMode($"{_root}/portico-{_user}", Closed | extra);
        ControlDirectory place = new(null, $"{_root}/none", _root);
        Assert.EndsWith("open to other users", Assert.Throws<LinuxException>(place.Create).Message, StringComparison.Ordinal);
        Assert.Empty(place.Existing());
    }

    [Fact]
    public void A_file_in_its_place_is_not_used()
    {
        File.WriteAllText($"{_root}/portico-{_user}", "");
        ControlDirectory place = new(null, $"{_root}/none", _root);
        Assert.EndsWith("not a directory", Assert.Throws<LinuxException>(place.Create).Message, StringComparison.Ordinal);
    }

    private string Make(string name)
    {
        string path = $"{_root}/{name}";
        Directory.CreateDirectory(path, Closed);
        return path;
    }

    private static string ReadUserId() =>
        File.ReadLines("/proc/self/status").First(l => l.StartsWith("Uid:", StringComparison.Ordinal)).Split('\t')[2];
}
