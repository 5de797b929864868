using Portico.Net;

namespace Portico.Kernel;

// The calls with paths, which are bytes up to a 0.
public static unsafe partial class LinuxAbi
{
    private const long UTIME_NOW = 0x3FFF_FFFF;
    private const long UTIME_OMIT = 0x3FFF_FFFE;
    private const AtFlags NoFollow = AtFlags.AT_SYMLINK_NOFOLLOW;

    private static bool TryPaths(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        if (TryDescriptorsOfFiles(process, number, a, ref result))
        {
            return true;
        }

        // With the directory's descriptor first in the newer form of each call, the working directory in the older.
        bool hasDirectory = number >= SyscallNumber.openat;
        int directoryFd = hasDirectory ? (int)a.A0 : Process.AT_FDCWD;
        Arguments b = hasDirectory ? a.Shifted() : a;
        bool needsNoPath = b.A0 == 0 && number == SyscallNumber.newfstatat && ((AtFlags)b.A2 & AtFlags.AT_EMPTY_PATH) != 0;
        Errno error = TryPath(b.A0, out ReadOnlySpan<byte> path);
        if (error != Errno.None && !needsNoPath)
        {
            if (!IsOfPaths(number))
            {
                return false;
            }

            result = error;
            return true;
        }

        return TryNames(process, number, directoryFd, path, b, ref result) || TryInodes(process, number, directoryFd, path, b, ref result);
    }

    private static bool IsOfPaths(SyscallNumber number) => number is SyscallNumber.open or SyscallNumber.openat or SyscallNumber.creat
        or SyscallNumber.mkdir or SyscallNumber.mkdirat or SyscallNumber.rmdir or SyscallNumber.unlink or SyscallNumber.unlinkat
        or SyscallNumber.rename or SyscallNumber.renameat or SyscallNumber.renameat2 or SyscallNumber.link or SyscallNumber.linkat
        or SyscallNumber.symlink or SyscallNumber.symlinkat or SyscallNumber.mknod or SyscallNumber.mknodat or SyscallNumber.chdir
        or SyscallNumber.stat or SyscallNumber.lstat or SyscallNumber.newfstatat or SyscallNumber.access or SyscallNumber.faccessat
        or SyscallNumber.faccessat2 or SyscallNumber.readlink or SyscallNumber.readlinkat or SyscallNumber.truncate or SyscallNumber.chmod
        or SyscallNumber.fchmodat or SyscallNumber.fchmodat2 or SyscallNumber.chown or SyscallNumber.lchown or SyscallNumber.fchownat
        or SyscallNumber.utimensat;

    /// <summary>What takes a descriptor and no path.</summary>
    private static bool TryDescriptorsOfFiles(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.ftruncate:
                result = process.Ftruncate(a.Fd, a.A1);
                return true;
            case SyscallNumber.fsync or SyscallNumber.fdatasync:
                result = process.Fsync(a.Fd);
                return true;
            case SyscallNumber.fchdir:
                result = process.Fchdir(a.Fd);
                return true;
            case SyscallNumber.fchmod:
                result = process.Fchmod(a.Fd, (int)a.A1);
                return true;
            case SyscallNumber.fchown:
                result = process.Fchown(a.Fd, (int)a.A1, (int)a.A2);
                return true;
            case SyscallNumber.getdents64:
                result = process.Getdents64(a.Fd, a.Buffer);
                return true;
            case SyscallNumber.getcwd:
                result = process.Getcwd(new Span<byte>((void*)a.A0, (int)Math.Min((ulong)a.A1, PathWalk.PathBytesMax + 1)));
                return true;
            case SyscallNumber.umask:
                result = process.Umask((int)a.A0);
                return true;
            case SyscallNumber.memfd_create:
                Errno error = TryPath(a.A0, out ReadOnlySpan<byte> name);
                result = error == Errno.None ? process.MemfdCreate(name, (MemfdFlags)(uint)a.A1) : error;
                return true;
            default:
                return false;
        }
    }

    /// <summary>What makes and removes names; the words are those behind the directory's descriptor.</summary>
    private static bool TryNames(
        Process process, SyscallNumber number, int directoryFd, ReadOnlySpan<byte> path, in Arguments b, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.open or SyscallNumber.openat:
                result = process.Openat(directoryFd, path, (OpenFlags)b.A1, (int)b.A2);
                return true;
            case SyscallNumber.creat:
                result = process.Openat(directoryFd, path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY | OpenFlags.O_TRUNC, (int)b.A1);
                return true;
            case SyscallNumber.mkdir or SyscallNumber.mkdirat:
                result = process.Mkdirat(directoryFd, path, (int)b.A1);
                return true;
            case SyscallNumber.mknod or SyscallNumber.mknodat:
                result = process.Mknodat(directoryFd, path, (int)b.A1);
                return true;
            case SyscallNumber.rmdir:
                result = process.Unlinkat(directoryFd, path, AtFlags.AT_REMOVEDIR);
                return true;
            case SyscallNumber.unlink or SyscallNumber.unlinkat:
                result = process.Unlinkat(directoryFd, path, number == SyscallNumber.unlink ? 0 : (AtFlags)b.A1);
                return true;
            case SyscallNumber.rename or SyscallNumber.link:
                result = WithSecondPath(process, number, directoryFd, path, Process.AT_FDCWD, b.A1, 0);
                return true;
            case SyscallNumber.renameat or SyscallNumber.renameat2 or SyscallNumber.linkat:
                result = WithSecondPath(process, number, directoryFd, path, (int)b.A1, b.A2, number == SyscallNumber.renameat ? 0 : (int)b.A3);
                return true;
            case SyscallNumber.symlink:
                result = WithSecondPath(process, number, directoryFd, path, Process.AT_FDCWD, b.A1, 0);
                return true;
            default:
                return false;
        }
    }

    private static SyscallResult WithSecondPath(
        Process process, SyscallNumber number, int oldFd, ReadOnlySpan<byte> oldPath, int newFd, long pointer, int flags)
    {
        Errno error = TryPath(pointer, out ReadOnlySpan<byte> newPath);
        return error != Errno.None ? error
            : number is SyscallNumber.link or SyscallNumber.linkat ? process.Linkat(oldFd, oldPath, newFd, newPath, (AtFlags)flags)
            : number is SyscallNumber.symlink or SyscallNumber.symlinkat ? process.Symlinkat(oldPath, newFd, newPath)
            : process.Renameat2(oldFd, oldPath, newFd, newPath, (RenameFlags)flags);
    }

    /// <summary>What asks and changes what a path leads to.</summary>
    private static bool TryInodes(
        Process process, SyscallNumber number, int directoryFd, ReadOnlySpan<byte> path, in Arguments b, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.stat or SyscallNumber.lstat or SyscallNumber.newfstatat:
                AtFlags flags = number == SyscallNumber.stat ? 0 : number == SyscallNumber.lstat ? NoFollow : (AtFlags)b.A2;
                result = process.Fstatat(directoryFd, path, flags, out FileStatus status);
                if (!result.IsError)
                {
                    StatStructure.Write(b.Pointer, status);
                }

                return true;
            case SyscallNumber.access or SyscallNumber.faccessat or SyscallNumber.faccessat2:
                flags = number == SyscallNumber.faccessat2 ? (AtFlags)b.A2 : 0;
                result = process.Faccessat(directoryFd, path, (AccessMode)b.A1, flags);
                return true;
            case SyscallNumber.readlink or SyscallNumber.readlinkat:
                result = (int)b.A2 <= 0 ? Errno.EINVAL : process.Readlinkat(directoryFd, path, new Span<byte>(b.Pointer, (int)b.A2));
                return true;
            case SyscallNumber.chdir:
                result = process.Chdir(path);
                return true;
            case SyscallNumber.truncate:
                result = process.Truncate(path, b.A1);
                return true;
            case SyscallNumber.chmod or SyscallNumber.fchmodat or SyscallNumber.fchmodat2:
                result = process.Fchmodat(directoryFd, path, (int)b.A1, number == SyscallNumber.fchmodat2 ? (AtFlags)b.A2 : 0);
                return true;
            case SyscallNumber.chown or SyscallNumber.lchown or SyscallNumber.fchownat:
                flags = number == SyscallNumber.chown ? 0 : number == SyscallNumber.lchown ? NoFollow : (AtFlags)b.A3;
                result = process.Fchownat(directoryFd, path, (int)b.A1, (int)b.A2, flags);
                return true;
            default:
                return false;
        }
    }

    /// <summary>symlinkat(2) and utimensat(2), whose words are in an order of their own.</summary>
    private static bool TryPathsOfTheirOwn(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.symlinkat:
                Errno error = TryPath(a.A0, out ReadOnlySpan<byte> target);
                result = error == Errno.None ? WithSecondPath(process, number, Process.AT_FDCWD, target, (int)a.A1, a.A2, 0) : error;
                return true;
            case SyscallNumber.utimensat:
                result = SetTimes(process, a);
                return true;
            default:
                return false;
        }
    }

    private static SyscallResult SetTimes(Process process, in Arguments a)
    {
        long* times = (long*)a.A2;
        if (times != null && (!IsTime(times + 1) || !IsTime(times + 3)))
        {
            return Errno.EINVAL;
        }

        long? accessed = TimeOf(times);
        long? modified = TimeOf(times == null ? null : times + 2);
        AtFlags flags = (AtFlags)a.A3;
        if (accessed == null && modified == null)
        {
            return 0;
        }

        if (a.A1 == 0)
        {
            // futimens(3): the descriptor itself.
            return process.Utimensat(a.Fd, default, accessed, modified, flags | AtFlags.AT_EMPTY_PATH);
        }

        Errno error = TryPath(a.A1, out ReadOnlySpan<byte> path);
        return error == Errno.None ? process.Utimensat(a.Fd, path, accessed, modified, flags) : error;
    }

    private static bool IsTime(long* nanoseconds) => *nanoseconds is (>= 0 and < 1_000_000_000) or UTIME_NOW or UTIME_OMIT;

    private static long? TimeOf(long* time) => time == null || time[1] == UTIME_NOW ? long.MaxValue
        : time[1] == UTIME_OMIT ? null
        : (time[0] * 1_000_000_000) + time[1];

    /// <summary>The bytes up to the 0. One that is too long has one byte too many. Errors: EFAULT for null.</summary>
    private static Errno TryPath(long pointer, out ReadOnlySpan<byte> path)
    {
        path = default;
        if (pointer == 0)
        {
            return Errno.EFAULT;
        }

        int length = 0;
        while (length <= PathWalk.PathBytesMax && ((byte*)pointer)[length] != 0)
        {
            length++;
        }

        path = new ReadOnlySpan<byte>((void*)pointer, length);
        return Errno.None;
    }
}
