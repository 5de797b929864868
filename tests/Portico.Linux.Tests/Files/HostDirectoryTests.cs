using System.Text;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Linux.Tests.Files;

/// <summary>Directories of the machine in a kernel's file system: what can be done there, and that nothing leads out of them.</summary>
public sealed class HostDirectoryTests : IDisposable
{
    private readonly string _outside = Directory.CreateTempSubdirectory("portico-host").FullName;
    private readonly string _inside;
    private readonly HostDirectory _directory;
    private readonly PorticoKernel _kernel = new();
    private readonly Process _process;

    public HostDirectoryTests()
    {
        _inside = Directory.CreateDirectory($"{_outside}/inside").FullName;
        File.WriteAllText($"{_outside}/secret", "secret");
        _directory = new HostDirectory(_inside);
        Assert.Equal(Errno.None, _kernel.Mount("/host", _directory, isReadOnly: false));
        _process = _kernel.CreateProcess(new ProcessOptions { UserId = 0 });
    }

    public void Dispose()
    {
        _kernel.Dispose();
        _directory.Dispose();
        Directory.Delete(_outside, recursive: true);
    }

    [Fact]
    public void Files_are_read_written_cut_and_listed()
    {
        File.WriteAllText($"{_inside}/read", "from the machine");
        Assert.Equal("from the machine", Read("/host/read"));

        int fd = _process.Open("/host/written", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x1A4).OrThrow();
        Assert.Equal(10, _process.Write(fd, "0123456789"u8).OrThrow());
        Assert.Equal(4, _process.Pwrite(fd, "abcd"u8, 2).OrThrow());
        Assert.Equal(0, _process.Ftruncate(fd, 8).OrThrow());
        Assert.Equal(8, _process.Lseek(fd, 0, SeekWhence.SEEK_END).OrThrow());
        Assert.Equal(0, _process.Fstat(fd, out FileStatus status).OrThrow());
        Assert.Equal((8, FileType.Regular), (status.Size, status.Type));
        Assert.Equal("01abcd67", File.ReadAllText($"{_inside}/written"));
        Assert.Equal([".", "..", "read", "written"], List("/host"));
    }

    [Fact]
    public void Names_are_made_moved_and_removed()
    {
        Assert.Equal(0, _process.Mkdirat(Process.AT_FDCWD, "/host/a"u8, 0x1ED).OrThrow());
        Assert.Equal(Errno.EEXIST, _process.Mkdirat(Process.AT_FDCWD, "/host/a"u8, 0x1ED).Error);
        _process.Close(_process.Open("/host/a/file", OpenFlags.O_CREAT | OpenFlags.O_WRONLY, 0x1A4).OrThrow());
        Assert.Equal(Errno.ENOTEMPTY, _process.Unlinkat(Process.AT_FDCWD, "/host/a"u8, AtFlags.AT_REMOVEDIR).Error);
        Assert.Equal(0, _process.Renameat2(Process.AT_FDCWD, "/host/a/file"u8, Process.AT_FDCWD, "/host/b"u8, 0).OrThrow());
        Assert.True(File.Exists($"{_inside}/b"));
        Assert.Equal(0, _process.Unlinkat(Process.AT_FDCWD, "/host/a"u8, AtFlags.AT_REMOVEDIR).OrThrow());
        Assert.Equal(0, _process.Unlinkat(Process.AT_FDCWD, "/host/b"u8, 0).OrThrow());
        Assert.Equal(Errno.EXDEV, _process.Renameat2(Process.AT_FDCWD, "/tmp"u8, Process.AT_FDCWD, "/host/tmp"u8, 0).Error);
        Assert.Equal(Errno.EBUSY, _process.Unlinkat(Process.AT_FDCWD, "/host"u8, AtFlags.AT_REMOVEDIR).Error);
        Assert.Empty(Directory.GetFileSystemEntries(_inside));
    }

    [Fact]
    public void A_file_that_is_removed_while_it_is_open_lives_on()
    {
        File.WriteAllText($"{_inside}/file", "still here");
        int fd = _process.Open("/host/file", OpenFlags.O_RDONLY).OrThrow();
        Assert.Equal(0, _process.Unlinkat(Process.AT_FDCWD, "/host/file"u8, 0).OrThrow());
        byte[] buffer = new byte[32];
        Assert.Equal(10, _process.Read(fd, buffer).OrThrow());
        Assert.Equal(0, _process.Fstat(fd, out FileStatus status).OrThrow());
        Assert.Equal(0, status.LinkCount);
    }

    [Theory]
    [InlineData("file")]
    [InlineData("directory")]
    public void Permissions_owner_and_times_are_changed_on_the_machine(string name)
    {
        File.WriteAllText($"{_inside}/file", "contents");
        Directory.CreateDirectory($"{_inside}/directory");
        byte[] path = Encoding.UTF8.GetBytes($"/host/{name}");
        Process other = _kernel.CreateProcess(new ProcessOptions { UserId = 4711, GroupId = 4712 });
        other.Fchmodat(Process.AT_FDCWD, path, 0x1ED).OrThrow();
        Assert.Equal((UnixFileMode)0x1ED, File.GetUnixFileMode($"{_inside}/{name}"));
        other.Utimensat(Process.AT_FDCWD, path, 1_000_000_000_500_000_000, -1_500_000_000).OrThrow();
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(-1.5), File.GetLastWriteTimeUtc($"{_inside}/{name}"));
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(1_000_000_000.5), File.GetLastAccessTimeUtc($"{_inside}/{name}"));
        other.Utimensat(Process.AT_FDCWD, path, null, 5_000_000_000).OrThrow();
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(1_000_000_000.5), File.GetLastAccessTimeUtc($"{_inside}/{name}"));
        _process.Fstatat(Process.AT_FDCWD, path, 0, out FileStatus status).OrThrow();
        Assert.Equal((0x1ED, 5_000_000_000), (status.Permissions, status.ModifiedUnixNanoseconds));

        // Whether one may give a file away is for the machine to say: only to whom it belongs already, unless one is privileged there.
        other.Fchownat(Process.AT_FDCWD, path, status.UserId, -1).OrThrow();
        Errno given = other.Fchownat(Process.AT_FDCWD, path, 4711, 4712).Error;
        Assert.Equal(Environment.IsPrivilegedProcess ? Errno.None : Errno.EPERM, given);
        _process.Fstatat(Process.AT_FDCWD, path, 0, out status).OrThrow();
        Assert.Equal(Environment.IsPrivilegedProcess, status.UserId == 4711 && status.GroupId == 4712);
    }

    [Fact]
    public void An_open_file_is_changed_whatever_has_its_name_since()
    {
        File.WriteAllText($"{_inside}/file", "first");
        int fd = _process.Open("/host/file", OpenFlags.O_RDWR).OrThrow();
        File.Move($"{_inside}/file", $"{_inside}/moved");
        File.WriteAllText($"{_inside}/file", "second");
        File.SetUnixFileMode($"{_inside}/file", (UnixFileMode)0x1A4);
        _process.Fchmod(fd, 0x180).OrThrow();
        _process.Utimensat(fd, default, 7_000_000_000, 8_000_000_000, AtFlags.AT_EMPTY_PATH).OrThrow();
        Assert.Equal((UnixFileMode)0x180, File.GetUnixFileMode($"{_inside}/moved"));
        Assert.Equal(DateTime.UnixEpoch.AddSeconds(8), File.GetLastWriteTimeUtc($"{_inside}/moved"));
        Assert.Equal((UnixFileMode)0x1A4, File.GetUnixFileMode($"{_inside}/file"));
        Assert.NotEqual(DateTime.UnixEpoch.AddSeconds(8), File.GetLastWriteTimeUtc($"{_inside}/file"));
    }

    [Fact]
    public void Times_of_a_link_are_its_own()
    {
        File.WriteAllText($"{_inside}/file", "contents");
        File.CreateSymbolicLink($"{_inside}/link", "file");
        _process.Utimensat(Process.AT_FDCWD, "/host/link"u8, 1_000_000_000, 2_000_000_000, AtFlags.AT_SYMLINK_NOFOLLOW).OrThrow();
        _process.Fstatat(Process.AT_FDCWD, "/host/link"u8, AtFlags.AT_SYMLINK_NOFOLLOW, out FileStatus link).OrThrow();
        Assert.Equal(2_000_000_000, link.ModifiedUnixNanoseconds);
        Assert.True(File.GetLastWriteTimeUtc($"{_inside}/file").Year > 2000);
        Assert.Equal(Errno.EOPNOTSUPP, _process.Fchmodat(Process.AT_FDCWD, "/host/link"u8, 0x1A4, AtFlags.AT_SYMLINK_NOFOLLOW).Error);
    }

    [Fact]
    public void What_is_mounted_read_only_cannot_be_changed()
    {
        File.WriteAllText($"{_inside}/file", "as it is");
        Assert.Equal(Errno.None, _kernel.Mount("/read", _directory));
        Assert.Equal("as it is", Read("/read/file"));
        Assert.Equal(Errno.EROFS, _process.Open("/read/file", OpenFlags.O_RDWR).Error);
        Assert.Equal(Errno.EROFS, _process.Open("/read/new", OpenFlags.O_CREAT | OpenFlags.O_WRONLY, 0x1A4).Error);
        Assert.Equal(Errno.EROFS, _process.Mkdirat(Process.AT_FDCWD, "/read/new"u8, 0x1ED).Error);
        Assert.Equal(Errno.EROFS, _process.Unlinkat(Process.AT_FDCWD, "/read/file"u8, 0).Error);
        Assert.Equal(Errno.EROFS, _process.Truncate("/read/file"u8, 0).Error);
        Assert.Equal(Errno.EROFS, _process.Fchmodat(Process.AT_FDCWD, "/read/file"u8, 0x1ED).Error);
        Assert.Equal(Errno.EROFS, _process.Fchownat(Process.AT_FDCWD, "/read/file"u8, 1, 1).Error);
        Assert.Equal(Errno.EROFS, _process.Utimensat(Process.AT_FDCWD, "/read/file"u8, 1, 1).Error);
        Assert.Equal("as it is", File.ReadAllText($"{_inside}/file"));
    }

    [Fact]
    public void Mounts_go_where_there_is_a_place_for_them()
    {
        Assert.Equal(Errno.EEXIST, _kernel.Mount("/tmp", _directory));
        Assert.Equal(Errno.ENOENT, _kernel.Mount("/nowhere/at/all", _directory));
        Assert.Equal(Errno.EINVAL, _kernel.Mount("/", _directory));
        Assert.Equal(Errno.None, _kernel.Mount("/tmp/host", _directory));
    }

    [Theory]
    [InlineData("..")]
    [InlineData("../secret")]
    [InlineData("a/../../secret")]
    [InlineData("/etc/passwd")]
    [InlineData("absolute")]
    [InlineData("up/secret")]
    public void Paths_that_lead_out_are_refused_by_the_machine_itself(string path)
    {
        Directory.CreateDirectory($"{_inside}/a");
        File.CreateSymbolicLink($"{_inside}/absolute", $"{_outside}/secret");
        File.CreateSymbolicLink($"{_inside}/up", "..");
        Errno error = _directory.Open(Encoding.UTF8.GetBytes(path), OpenFlags.O_RDONLY, 0, out _);
        Assert.True(error is Errno.EXDEV or Errno.ELOOP, error.ToString());
    }

    [Theory]
    [InlineData("/host/../secret")]
    [InlineData("/host/a/../../secret")]
    [InlineData("/host/absolute")]
    [InlineData("/host/up/secret")]
    [InlineData("/host/magic/secret")]
    public void Links_lead_to_where_they_say_in_the_kernel_and_not_on_the_machine(string path)
    {
        Directory.CreateDirectory($"{_inside}/a");
        File.CreateSymbolicLink($"{_inside}/absolute", $"{_outside}/secret");
        File.CreateSymbolicLink($"{_inside}/up", "..");
        File.CreateSymbolicLink($"{_inside}/magic", $"/proc/{Environment.ProcessId}/cwd/{_outside}");
        Assert.Equal(Errno.ENOENT, _process.Open(path, OpenFlags.O_RDONLY).Error);
    }

    [Fact]
    public void A_link_within_the_directory_is_followed()
    {
        Directory.CreateDirectory($"{_inside}/a");
        File.WriteAllText($"{_inside}/a/file", "found");
        File.CreateSymbolicLink($"{_inside}/relative", "a/file");
        File.CreateSymbolicLink($"{_inside}/absolute", "/host/a");
        Assert.Equal("found", Read("/host/relative"));
        Assert.Equal("found", Read("/host/absolute/file"));
    }

    [Fact]
    public void What_is_no_file_is_not_opened()
    {
        using System.Net.Sockets.Socket socket = new(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint($"{_inside}/socket"));
        Assert.Equal(Errno.EACCES, _process.Open("/host/socket", OpenFlags.O_RDONLY).Error);
    }

    [Fact]
    public void A_directory_that_becomes_a_link_while_paths_are_walked_leads_nowhere()
    {
        Directory.CreateDirectory($"{_inside}/place");
        File.WriteAllText($"{_inside}/place/secret", "inside");
        File.CreateSymbolicLink($"{_inside}/link", _outside);
        bool isOver = false;
        Task swapping = Task.Run(() =>
        {
            using HostDirectory own = new(_inside);
            while (!Volatile.Read(ref isOver))
            {
                own.Rename("place"u8, "link"u8, RenameFlags.RENAME_EXCHANGE);
            }
        });
        (int read, int refused) = (0, 0);
        for (int i = 0; i < 20_000 || ((read == 0 || refused == 0) && i < 400_000); i++)
        {
            SyscallResult opened = _process.Open("/host/place/secret", OpenFlags.O_RDONLY);
            refused += opened.IsError ? 1 : 0;
            if (!opened.IsError)
            {
                byte[] buffer = new byte[16];
                int count = _process.Read((int)opened.Value, buffer).OrThrow();
                Assert.Equal("inside", Encoding.UTF8.GetString(buffer, 0, count));
                _process.Close((int)opened.Value);
                read++;
            }
        }

        Volatile.Write(ref isOver, true);
        swapping.GetAwaiter().GetResult();
        Assert.True(read > 0 && refused > 0, $"{read} reads, {refused} refused");
    }

    private string Read(string path)
    {
        int fd = _process.Open(path, OpenFlags.O_RDONLY).OrThrow();
        byte[] buffer = new byte[100];
        int count = _process.Read(fd, buffer).OrThrow();
        _process.Close(fd).OrThrow();
        return Encoding.UTF8.GetString(buffer, 0, count);
    }

    private string[] List(string path)
    {
        int fd = _process.Open(path, OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY).OrThrow();
        List<string> names = [];
        byte[] buffer = new byte[64];
        int length;
        while ((length = _process.Getdents64(fd, buffer).OrThrow()) > 0)
        {
            for (int at = 0; at < length; at += BitConverter.ToUInt16(buffer, at + 16))
            {
                int end = Array.IndexOf(buffer, (byte)0, at + 19);
                names.Add(Encoding.UTF8.GetString(buffer, at + 19, end - at - 19));
            }
        }

        _process.Close(fd).OrThrow();
        return [.. names.Order(StringComparer.Ordinal)];
    }
}
