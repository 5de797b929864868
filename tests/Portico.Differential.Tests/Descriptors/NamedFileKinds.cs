using System.Text;
using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>What open(2) and memfd_create(2) give: files with data and without, directories, devices.</summary>
internal static unsafe class NamedFileKinds
{
    public static readonly IReadOnlyDictionary<string, Func<Kit, long>> All = new Dictionary<string, Func<Kit, long>>
    {
        ["an empty file"] = kit => kit.Open("file", O_RDWR | O_CREAT),
        ["a file with data"] = kit => WithData(kit, O_RDWR),
        ["a file in the middle"] = kit =>
        {
            long fd = WithData(kit, O_RDWR);
            kit.Call(lseek, fd, 7, (long)SeekWhence.SEEK_SET);
            return fd;
        },
        ["a file with holes"] = kit =>
        {
            long fd = kit.Open("file", O_RDWR | O_CREAT);
            kit.WriteAt(fd, "begin", 0);
            kit.WriteAt(fd, "middle", 50_000);
            kit.Call(ftruncate, fd, 200_000);
            return fd;
        },
        ["a file to append to"] = kit => WithData(kit, O_RDWR | O_APPEND),
        ["a file to read"] = kit => WithData(kit, O_RDONLY),
        ["a file to write"] = kit => WithData(kit, O_WRONLY),
        ["a file neither to read nor to write"] = kit => WithData(kit, O_ACCMODE),
        ["a file without a name any more"] = kit =>
        {
            long fd = WithData(kit, O_RDWR);
            kit.OnPath(unlink, "file");
            return fd;
        },
        ["a file that never had a name"] = kit => kit.Open(".", O_TMPFILE | O_RDWR),
        ["a file with O_PATH"] = kit => WithData(kit, O_PATH),
        ["a directory"] = kit => InDirectory(kit, O_RDONLY | O_DIRECTORY),
        ["a directory with O_PATH"] = kit => InDirectory(kit, O_PATH),
        ["a directory that has been removed"] = kit =>
        {
            kit.Mkdir("gone");
            long fd = kit.Open("gone", O_RDONLY);
            kit.OnPath(rmdir, "gone");
            return fd;
        },
        ["a symbolic link with O_PATH"] = kit =>
        {
            kit.Symlink("somewhere", "link");
            return kit.Open("link", O_PATH | O_NOFOLLOW);
        },
        ["a memfd"] = kit => kit.Memfd("name", MemfdFlags.MFD_ALLOW_SEALING),
        ["a memfd with data"] = kit =>
        {
            long fd = kit.Memfd("name", MemfdFlags.MFD_ALLOW_SEALING);
            kit.WriteBytes(fd, "0123456789"u8);
            kit.Call(lseek, fd, 2, (long)SeekWhence.SEEK_SET);
            return fd;
        },
        ["a memfd that cannot be sealed"] = kit => kit.Memfd("name", 0),
        ["a memfd that cannot be run"] = kit => kit.Memfd("name", MemfdFlags.MFD_NOEXEC_SEAL),
        ["a memfd sealed against writing"] = kit => Sealed(kit, FileSeals.F_SEAL_WRITE),
        ["a memfd sealed against growing"] = kit => Sealed(kit, FileSeals.F_SEAL_GROW),
        ["a memfd sealed against shrinking"] = kit => Sealed(kit, FileSeals.F_SEAL_SHRINK),
        ["a memfd sealed against seals"] = kit => Sealed(kit, FileSeals.F_SEAL_SEAL),
        ["/dev/zero"] = kit => kit.Open("/dev/zero", O_RDWR),
        ["/dev/full"] = kit => kit.Open("/dev/full", O_RDWR),
        ["/dev/zero to read"] = kit => kit.Open("/dev/zero", O_RDONLY),
        ["/dev/null to write"] = kit => kit.Open("/dev/null", O_WRONLY),
        ["a FIFO"] = kit =>
        {
            kit.OnPath(mknod, "fifo", 0x11A4);
            return kit.Open("fifo", O_RDWR);
        },
        ["a FIFO nobody writes to"] = kit =>
        {
            kit.OnPath(mknod, "fifo", 0x11A4);
            return kit.Open("fifo", O_RDONLY | O_NONBLOCK);
        },
    };

    /// <summary>What comes out is another each time: only calls that do not show it are compared.</summary>
    public static readonly IReadOnlyDictionary<string, Func<Kit, long>> Random = new Dictionary<string, Func<Kit, long>>
    {
        ["/dev/urandom"] = kit => kit.Open("/dev/urandom", O_RDONLY),
        ["/dev/random"] = kit => kit.Open("/dev/random", O_RDWR),
    };

    private static long WithData(Kit kit, OpenFlags flags)
    {
        kit.Make("file", "The quick brown fox jumps over the lazy dog\n");
        return kit.Open("file", flags);
    }

    private static long InDirectory(Kit kit, OpenFlags flags)
    {
        kit.Mkdir("directory");
        kit.Make("directory/a");
        kit.Make("directory/b");
        return kit.Open("directory", flags);
    }

    private static long Sealed(Kit kit, FileSeals seals)
    {
        long fd = kit.Memfd("sealed", MemfdFlags.MFD_ALLOW_SEALING);
        kit.WriteBytes(fd, Encoding.ASCII.GetBytes(new string('x', 5000)));
        kit.Call(lseek, fd, 0, (long)SeekWhence.SEEK_SET);
        kit.Fcntl(fd, FcntlCommand.F_ADD_SEALS, (long)seals);
        return fd;
    }
}
