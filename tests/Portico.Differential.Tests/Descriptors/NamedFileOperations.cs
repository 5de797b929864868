using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.FcntlCommand;
using static Portico.Kernel.SeekWhence;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Descriptors;

/// <summary>What makes sense for files of a file system, done to all kinds.</summary>
internal static unsafe class NamedFileOperations
{
    public static readonly IReadOnlyDictionary<string, Action<Kit, long>> All = new Dictionary<string, Action<Kit, long>>
    {
        ["its whole status"] = (kit, fd) => kit.Status(fd),
        ["its status by the empty path"] = (kit, fd) => kit.Status("", AtFlags.AT_EMPTY_PATH, fd),
        ["ftruncate to 0"] = (kit, fd) =>
        {
            kit.Call(ftruncate, fd, 0);
            kit.Status(fd);
            kit.Read(fd, 10);
        },
        ["ftruncate to 5 and back to 20"] = (kit, fd) =>
        {
            kit.Call(ftruncate, fd, 5);
            kit.Call(ftruncate, fd, 20);
            kit.Status(fd);
            kit.ReadAt(fd, 40, 0);
        },
        ["ftruncate to 1,000,000"] = (kit, fd) =>
        {
            kit.Call(ftruncate, fd, 1_000_000);
            kit.Status(fd);
        },
        ["ftruncate to -1"] = (kit, fd) => kit.Call(ftruncate, fd, -1),
        ["ftruncate to the largest size"] = (kit, fd) =>
        {
            kit.Call(ftruncate, fd, long.MaxValue);
            kit.Call(lseek, fd, 0, (long)SEEK_END);
            kit.WriteBytes(fd, "x"u8);
        },
        ["fsync and fdatasync"] = (kit, fd) =>
        {
            kit.Call(fsync, fd);
            kit.Call(fdatasync, fd);
        },
        ["read, write and read again"] = (kit, fd) =>
        {
            kit.Read(fd, 3);
            kit.WriteBytes(fd, "WRITTEN"u8);
            kit.Read(fd, 100);
            kit.Call(lseek, fd, 0, (long)SEEK_CUR);
            kit.ReadAt(fd, 100, 0);
        },
        ["write across a page's end"] = (kit, fd) =>
        {
            kit.Call(lseek, fd, 4090, (long)SEEK_SET);
            kit.WriteBytes(fd, "0123456789"u8);
            kit.Status(fd);
            kit.Call(lseek, fd, 4088, (long)SEEK_SET);
            kit.Read(fd, 20);
        },
        ["write 20,000 bytes at 3,000"] = (kit, fd) =>
        {
            byte[] bytes = new byte[20_000];
            for (int i = 0; i < bytes.Length; i++)
            {
                bytes[i] = (byte)(i * 7);
            }

            kit.Call(lseek, fd, 3000, (long)SEEK_SET);
            kit.WriteBytes(fd, bytes);
            kit.Call(lseek, fd, 0, (long)SEEK_SET);
            kit.Read(fd, 40_000);
            kit.Status(fd);
        },
        ["pwrite and pread at 100"] = (kit, fd) =>
        {
            kit.WriteAt(fd, "hundred", 100);
            kit.ReadAt(fd, 20, 95);
            kit.ReadAt(fd, 20, 1_000_000);
            kit.Call(lseek, fd, 0, (long)SEEK_CUR);
        },
        ["pwrite at the end of everything"] = (kit, fd) =>
        {
            kit.WriteAt(fd, "x", long.MaxValue - 1);
            kit.WriteAt(fd, "x", long.MaxValue);
            kit.WriteAt(fd, "xy", long.MaxValue - 1);
            kit.ReadAt(fd, 2, long.MaxValue - 1);
            kit.Status(fd);
        },
        ["pwrite far behind the end"] = (kit, fd) =>
        {
            kit.WriteAt(fd, "far", 1L << 40);
            kit.ReadAt(fd, 3, 1L << 40);
            kit.Status(fd);
        },
        ["preadv and pwritev"] = (kit, fd) =>
        {
            byte* bytes = stackalloc byte[16];
            new Span<byte>(bytes, 16).Fill(0x61);
            IoVector* pieces = stackalloc IoVector[2] { new IoVector(bytes, 3), new IoVector(bytes + 8, 4) };
            kit.Call(pwritev, fd, (long)pieces, 2, 10);
            kit.Call(preadv, fd, (long)pieces, 2, 8);
            kit.Call(preadv, fd, (long)pieces, 2, -1);
            kit.Call(preadv, fd, 0, 0, 0);
            kit.Call(preadv, fd, 0, 1025, 0);
            kit.Call(pwritev, fd, 0, 0, 0);
            kit.Write("bytes", 0, new ReadOnlySpan<byte>(bytes, 16));
        },
        ["lseek by every way"] = (kit, fd) =>
        {
            foreach (long offset in (long[])[0, 5, -1, -3, 4096, 50_003, 199_999, 200_000, 1L << 50, long.MaxValue, long.MinValue])
            {
                for (long whence = 0; whence <= 5; whence++)
                {
                    kit.Write($"lseek {offset} {whence}", kit.Raw(lseek, fd, offset, whence));
                }
            }
        },
        ["lseek, then read"] = (kit, fd) =>
        {
            kit.Call(lseek, fd, -4, (long)SEEK_END);
            kit.Read(fd, 10);
            kit.Call(lseek, fd, 1L << 40, (long)SEEK_SET);
            kit.Read(fd, 10);
            kit.IoctlInt(fd, IoctlRequest.FIONREAD);
        },
        ["getdents64"] = (kit, fd) =>
        {
            kit.List(fd);
            kit.List(fd);
            kit.Call(lseek, fd, 0, (long)SEEK_SET);
            kit.List(fd);
        },
        ["getdents64 into little room"] = (kit, fd) =>
        {
            kit.List(fd, 10);
            for (int i = 0; i < 6; i++)
            {
                kit.List(fd, 30);
            }
        },
        ["fchdir"] = (kit, fd) =>
        {
            kit.Call(fchdir, fd);
            kit.WorkingDirectory();
            kit.Open("a", OpenFlags.O_RDONLY);
        },
        ["openat in it"] = (kit, fd) =>
        {
            kit.OpenAt(fd, "a", OpenFlags.O_RDONLY);
            kit.OpenAt(fd, "new", OpenFlags.O_CREAT | OpenFlags.O_RDWR);
            kit.OpenAt(fd, "", OpenFlags.O_RDONLY);
            kit.OpenAt(fd, ".", OpenFlags.O_RDONLY);
            kit.OpenAt(fd, "/dev/null", OpenFlags.O_RDONLY);
            kit.Status("b", 0, fd);
            kit.OnPathAt(mkdirat, fd, "made", 0x1ED);
            kit.OnPathAt(unlinkat, fd, "made", 0x200);
        },
        ["fchmod"] = (kit, fd) =>
        {
            if (kit.IsOfTheMachine(fd))
            {
                return;
            }

            kit.Call(fchmod, fd, 0x1C0);
            kit.Status(fd);
            kit.Call(fchmod, fd, 0xFFF);
            kit.Status(fd);
            kit.WriteBytes(fd, "x"u8);
            kit.Status(fd);
        },
        ["fchown to nobody in particular"] = (kit, fd) => Unless(kit.IsOfTheMachine(fd), () => kit.Call(fchown, fd, -1, -1)),
        ["fchown to another user"] = (kit, fd) => Unless(kit.IsOfTheMachine(fd), () => kit.Call(fchown, fd, 12345, -1)),
        ["F_GETFL of what was opened"] = (kit, fd) => kit.Fcntl(fd, F_GETFL),
        ["F_GET_SEALS"] = (kit, fd) => kit.Fcntl(fd, F_GET_SEALS),
        ["F_ADD_SEALS one by one"] = (kit, fd) =>
        {
            foreach (FileSeals seal in (FileSeals[])[FileSeals.F_SEAL_GROW, FileSeals.F_SEAL_SHRINK, FileSeals.F_SEAL_WRITE, FileSeals.F_SEAL_SEAL,
                FileSeals.F_SEAL_FUTURE_WRITE])
            {
                kit.Fcntl(fd, F_ADD_SEALS, (long)seal);
                kit.Fcntl(fd, F_GET_SEALS);
                kit.WriteBytes(fd, "abc"u8);
                kit.Call(ftruncate, fd, 3);
                kit.Call(ftruncate, fd, 9000);
            }
        },
        ["F_ADD_SEALS against running"] = (kit, fd) =>
        {
            if (kit.IsOfTheMachine(fd))
            {
                return;
            }

            kit.Fcntl(fd, F_ADD_SEALS, (long)FileSeals.F_SEAL_EXEC);
            kit.Fcntl(fd, F_GET_SEALS);
            kit.Call(fchmod, fd, 0x1ED);
            kit.Call(fchmod, fd, 0x180);
        },
        ["F_ADD_SEALS that do not exist"] = (kit, fd) => kit.Fcntl(fd, F_ADD_SEALS, 64),
        ["write, growing"] = (kit, fd) =>
        {
            kit.Call(lseek, fd, 4990, (long)SEEK_SET);
            kit.WriteBytes(fd, new byte[5]);
            kit.WriteBytes(fd, new byte[50]);
            kit.Call(lseek, fd, 4000, (long)SEEK_SET);
            kit.WriteBytes(fd, new byte[5000]);
            kit.Status(fd);
        },
        ["the position is shared by dup"] = (kit, fd) =>
        {
            long other = kit.Call(dup, fd);
            kit.Read(fd, 3);
            kit.Read(other, 3);
            kit.Call(lseek, fd, 0, (long)SEEK_CUR);
        },
        ["readlink by the empty path"] = (kit, fd) => kit.ReadLink("", 100, fd),
        ["linkat by the empty path"] = (kit, fd) => kit.LinkDescriptor(fd, "linked"),
    };

    private static void Unless(bool condition, Action action)
    {
        if (!condition)
        {
            action();
        }
    }
}
