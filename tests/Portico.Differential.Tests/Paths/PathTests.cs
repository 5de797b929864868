using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Paths;

/// <summary>Every call that takes a path, on every kind of path: what is there, what is not, and what is written strangely.</summary>
public sealed class PathTests
{
    private static readonly string[] s_paths =
    [
        "file", "./file", "directory/../file", "directory//inside", "file/", "file/.", "file/..", "file/under", "missing", "missing/", "missing/.",
        "missing/under", "directory", "directory/", "directory/.", "directory/..", "directory/missing", "directory/missing/", ".", "..", "./", "", "/",
        "//", "/.", "/..", "/../dev/null", "/dev/null", "/dev/null/", "/dev/null/x", "/dev", "full", "full/", "full/in", "full/in/deep",
        "to-file", "to-file/", "to-file/x", "to-directory", "to-directory/", "to-directory/.", "to-directory/inside", "to-directory/missing",
        "to-missing", "to-missing/", "to-missing/x", "to-itself", "to-itself/", "to-itself/x", "loop-a", "loop-a/x", "to-link", "to-link/inside",
        "to-slash-file", "to-slash-missing", "to-absolute", "to-dots", "to-dots/file", "no-search", "no-search/file", "no-search/missing",
        "no-search/..", "no-write", "no-write/file", "no-write/missing", "no-write/missing/", "no-write/directory", "no-read", "no-access",
        "no-access/", "fifo", "fifo/", "second-name", "sticky/file",
    ];

    /// <summary>What is not the case's own: it is looked at and opened, never changed.</summary>
    private static readonly HashSet<string> s_outside =
    [
        "..", "/", "//", "/.", "/..", "/../dev/null", "/dev/null", "/dev/null/", "/dev/null/x", "/dev", "to-absolute",
    ];

    private static readonly string[] s_looking = ["open", "stat", "lstat", "readlink"];

    /// <summary>What is answered by who owns the files of the machine, and whether they can be written to.</summary>
    private static readonly string[] s_owning = ["open with O_NOATIME", "open without a name", "open without a name to read"];

    private static readonly Dictionary<string, Action<Kit, string>> s_calls = new()
    {
        ["open to read"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_NONBLOCK)),
        ["open to write"] = (kit, path) => Opened(kit, kit.Open(path, O_WRONLY | O_NONBLOCK)),
        ["open both ways"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_NONBLOCK)),
        ["open for neither"] = (kit, path) => Opened(kit, kit.Open(path, O_ACCMODE | O_NONBLOCK)),
        ["open a directory"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_DIRECTORY)),
        ["open a directory to write"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_DIRECTORY)),
        ["open, following no link"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)),
        ["open, creating"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_CREAT | O_NONBLOCK, 0x1FF)),
        ["open, creating, to read"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_CREAT | O_NONBLOCK, 0x080)),
        ["open, creating only"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_CREAT | O_EXCL)),
        ["open, creating, following no link"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK)),
        ["open, creating a directory"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_CREAT | O_DIRECTORY)),
        ["open, exclusive without creating"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_EXCL | O_NONBLOCK)),
        ["open, truncating"] = (kit, path) => Opened(kit, kit.Open(path, O_WRONLY | O_TRUNC | O_NONBLOCK)),
        ["open, truncating, to read"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_TRUNC | O_NONBLOCK)),
        ["open, creating and truncating"] = (kit, path) => Opened(kit, kit.Open(path, O_RDWR | O_CREAT | O_TRUNC | O_NONBLOCK)),
        ["open to append"] = (kit, path) => Opened(kit, kit.Open(path, O_WRONLY | O_APPEND | O_NONBLOCK)),
        ["open directly"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_DIRECT | O_NONBLOCK)),
        ["open with O_NOATIME"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_NOATIME | O_NONBLOCK)),
        ["open with O_SYNC and O_CLOEXEC"] = (kit, path) => Opened(kit, kit.Open(path, O_RDONLY | O_SYNC | O_CLOEXEC | O_NONBLOCK)),
        ["open with O_PATH"] = (kit, path) => Opened(kit, kit.Open(path, O_PATH)),
        ["open a link with O_PATH"] = (kit, path) => Opened(kit, kit.Open(path, O_PATH | O_NOFOLLOW)),
        ["open a directory with O_PATH, and what does not go with it"] = (kit, path) => Opened(kit, kit.Open(path, O_PATH | O_DIRECTORY | O_CREAT | O_RDWR)),
        ["open without a name"] = (kit, path) => Opened(kit, kit.Open(path, O_TMPFILE | O_RDWR)),
        ["open without a name to read"] = (kit, path) => Opened(kit, kit.Open(path, O_TMPFILE | O_RDONLY)),
        ["creat"] = (kit, path) =>
        {
            if (!path.EndsWith("fifo", StringComparison.Ordinal))
            {
                Opened(kit, kit.OnPath(creat, path, 0x1B6));
            }
        },
        ["stat"] = (kit, path) => kit.Status(path, isOutside: s_outside.Contains(path)),
        ["lstat"] = (kit, path) => kit.Status(path, AtFlags.AT_SYMLINK_NOFOLLOW, isOutside: s_outside.Contains(path)),
        ["access"] = (kit, path) =>
        {
            for (int mode = 0; mode <= 8; mode++)
            {
                kit.OnPath(access, path, mode);
            }
        },
        ["faccessat2 of a link"] = (kit, path) => kit.OnPathAt(faccessat2, Kit.AtCwd, path, 2, 0x100),
        ["readlink"] = (kit, path) =>
        {
            kit.ReadLink(path);
            kit.ReadLink(path, 3);
            kit.ReadLink(path, 0);
        },
        ["chdir"] = (kit, path) =>
        {
            kit.OnPath(chdir, path);
            kit.WorkingDirectory();
            kit.Status("../file");
        },
        ["mkdir"] = (kit, path) => Changed(kit, kit.Mkdir(path, 0xFFF)),
        ["rmdir"] = (kit, path) => Changed(kit, kit.OnPath(rmdir, path)),
        ["unlink"] = (kit, path) => Changed(kit, kit.OnPath(unlink, path)),
        ["unlinkat a directory"] = (kit, path) => Changed(kit, kit.OnPathAt(unlinkat, Kit.AtCwd, path, (long)AtFlags.AT_REMOVEDIR)),
        ["unlinkat with another flag"] = (kit, path) => kit.OnPathAt(unlinkat, Kit.AtCwd, path, 1),
        ["symlink"] = (kit, path) => Changed(kit, kit.Symlink("target", path)),
        ["symlink to it"] = (kit, path) => Changed(kit, kit.Symlink(path, "new-link")),
        ["link to it"] = (kit, path) => Changed(kit, kit.Link(path, "new-name")),
        ["link to what it leads to"] = (kit, path) => Changed(kit, kit.Link(path, "new-name", AtFlags.AT_SYMLINK_FOLLOW)),
        ["link under its name"] = (kit, path) => Changed(kit, kit.Link("file", path)),
        ["rename it"] = (kit, path) => Changed(kit, kit.Rename(path, "new-name")),
        ["rename it with a slash behind the new name"] = (kit, path) => Changed(kit, kit.Rename(path, "new-name/")),
        ["rename it into a directory"] = (kit, path) => Changed(kit, kit.Rename(path, "directory/new-name")),
        ["rename it over a file"] = (kit, path) => Changed(kit, kit.Rename(path, "file")),
        ["rename it over a directory"] = (kit, path) => Changed(kit, kit.Rename(path, "empty")),
        ["rename it over what is not empty"] = (kit, path) => Changed(kit, kit.Rename(path, "directory")),
        ["rename it below itself"] = (kit, path) => Changed(kit, kit.Rename(path, path + "/below")),
        ["rename a file over it"] = (kit, path) => Changed(kit, kit.Rename("file", path)),
        ["rename a directory over it"] = (kit, path) => Changed(kit, kit.Rename("empty", path)),
        ["rename a file to it and replace nothing"] = (kit, path) => Changed(kit, kit.Rename("file", path, RenameFlags.RENAME_NOREPLACE)),
        ["exchange it with a file"] = (kit, path) => Changed(kit, kit.Rename(path, "file", RenameFlags.RENAME_EXCHANGE)),
        ["exchange a directory with it"] = (kit, path) => Changed(kit, kit.Rename("empty", path, RenameFlags.RENAME_EXCHANGE)),
        ["rename it with flags that do not go together"] = (kit, path) => kit.Rename(path, "x", RenameFlags.RENAME_EXCHANGE | RenameFlags.RENAME_NOREPLACE),
        ["mknod a FIFO"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0x11FF)),
        ["mknod a file"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0x1FF)),
        ["mknod a socket"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0xC1FF)),
        ["mknod a directory"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0x41FF)),
        ["mknod a device"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0x21FF, 0x103)),
        ["mknod nothing"] = (kit, path) => Changed(kit, kit.OnPath(mknod, path, 0xF1FF)),
        ["chmod"] = (kit, path) =>
        {
            Changed(kit, kit.OnPath(chmod, path, 0x140));
        },
        ["truncate to 3"] = (kit, path) => Changed(kit, kit.OnPath(truncate, path, 3)),
        ["truncate to -1"] = (kit, path) => kit.OnPath(truncate, path, -1),
        ["lchown to nobody in particular"] = (kit, path) => kit.OnPath(lchown, path, -1, -1),
    };

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string call in s_calls.Keys)
            {
                bool isLooking = s_looking.Contains(call.Split(' ', ',')[0]) && !s_owning.Contains(call);
                foreach (string path in s_paths.Where(path => isLooking || !s_outside.Contains(path)))
                {
                    cases.Add(call, path);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Is_answered_as_Linux_does(string call, string path) => BothKernels.Run(kit =>
    {
        Prepare(kit);
        s_calls[call](kit, path);
    });

    [Theory]
    [InlineData(255)]
    [InlineData(256)]
    [InlineData(4094)]
    [InlineData(4095)]
    [InlineData(4096)]
    public void A_name_and_a_path_have_a_longest(int length) => BothKernels.Run(kit =>
    {
        kit.Open(new string('n', length), O_CREAT | O_RDWR);
        kit.Open(string.Concat(Enumerable.Repeat("./", (length - 1) / 2)) + new string('f', length - ((length - 1) / 2 * 2)), O_CREAT | O_RDWR);
        kit.Mkdir(new string('d', length));
        kit.Symlink(new string('t', length), "long");
        kit.Status("long", AtFlags.AT_SYMLINK_NOFOLLOW);
        kit.Open("long", O_RDONLY);
        kit.Open(new string('/', length), O_RDONLY);
    });

    [Theory]
    [InlineData(39)]
    [InlineData(40)]
    [InlineData(41)]
    public void A_walk_follows_forty_links(int count) => BothKernels.Run(kit =>
    {
        kit.Make("end");
        kit.Symlink("end", "link0");
        for (int i = 1; i < count; i++)
        {
            kit.Symlink($"link{i - 1}", $"link{i}");
        }

        kit.Open($"link{count - 1}", O_RDONLY);
        kit.Status($"link{count - 1}");
    });

    [Fact]
    public void The_descriptor_matters_only_to_a_relative_path() => BothKernels.Run(kit =>
    {
        Prepare(kit);
        long file = kit.Open("file", O_RDONLY);
        foreach (long directory in (long[])[file, 77, -1, 1])
        {
            kit.OpenAt(directory, "file", O_RDONLY);
            kit.OpenAt(directory, "/dev/null", O_RDONLY);
            kit.OpenAt(directory, "", O_RDONLY);
            kit.Status("", AtFlags.AT_EMPTY_PATH, directory);
            kit.Status("", 0, directory);
            kit.OnPathAt(mkdirat, directory, "new", 0x1ED);
        }

        kit.Status("", AtFlags.AT_EMPTY_PATH);
        kit.Status("file", (AtFlags)1);
    });

    [Fact]
    public void No_pointer_is_no_path() => BothKernels.Run(kit =>
    {
        foreach (SyscallNumber number in (SyscallNumber[])[open, stat, mkdir, rmdir, unlink, chdir, access, truncate, creat])
        {
            kit.Call(number, 0, 0, 0);
        }

        kit.Call(openat, Kit.AtCwd, 0, 0, 0);
        kit.Call(unlinkat, Kit.AtCwd, 0, 0);
    });

    private static void Prepare(Kit kit)
    {
        kit.Make("file", "contents");
        kit.Link("file", "second-name");
        kit.Mkdir("directory");
        kit.Make("directory/inside");
        kit.Mkdir("empty");
        kit.Mkdir("full");
        kit.Mkdir("full/in");
        kit.Symlink("file", "to-file");
        kit.Symlink("directory", "to-directory");
        kit.Symlink("not-there", "to-missing");
        kit.Symlink("to-itself", "to-itself");
        kit.Symlink("loop-b", "loop-a");
        kit.Symlink("loop-a", "loop-b");
        kit.Symlink("to-directory/", "to-link");
        kit.Symlink("file/", "to-slash-file");
        kit.Symlink("not-there/", "to-slash-missing");
        kit.Symlink("/dev/null", "to-absolute");
        kit.Symlink("directory/..", "to-dots");
        kit.OnPath(mknod, "fifo", 0x11A4);
        kit.Make("no-access", "secret", 0);
        kit.Make("no-read", "secret", 0x80);
        foreach ((string name, int mode) in ((string, int)[])[("no-search", 0x180), ("no-write", 0x140), ("sticky", 0x3FF)])
        {
            kit.Mkdir(name);
            kit.Make(name + "/file");
            kit.Mkdir(name + "/directory");
            kit.OnPath(chmod, name, mode);
        }
    }

    private static void Opened(Kit kit, long fd)
    {
        if (fd >= 0)
        {
            kit.Fcntl(fd, FcntlCommand.F_GETFL);
            kit.Fcntl(fd, FcntlCommand.F_GETFD);
            if (!kit.IsOfTheMachine(fd))
            {
                kit.Read(fd, 4);
                kit.WriteBytes(fd, "xy"u8);
                Changed(kit, 0);
            }
        }
    }

    /// <summary>What there is afterwards, in the order of the list.</summary>
    private static void Changed(Kit kit, long result)
    {
        if (result < 0)
        {
            return;
        }

        foreach (string path in (string[])[".", "directory", "empty", "no-write", "sticky"])
        {
            kit.Status(path, AtFlags.AT_SYMLINK_NOFOLLOW);
            long fd = kit.Open(path, O_RDONLY | O_DIRECTORY);
            if (fd >= 0)
            {
                kit.List(fd, 8192);
                kit.Call(close, fd);
            }
        }

        foreach (string path in (string[])["file", "new-name", "new-link", "missing", "second-name", "directory/new-name"])
        {
            kit.Status(path, AtFlags.AT_SYMLINK_NOFOLLOW);
        }
    }
}
