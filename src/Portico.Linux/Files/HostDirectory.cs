using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// A directory of this machine that a kernel can mount. Each path is resolved by openat2(2) beneath the directory and without symbolic
/// links, so that it cannot lead out, however the files are renamed and replaced meanwhile (Linux 5.6).
/// </summary>
public sealed unsafe class HostDirectory : IHostDirectory, IDisposable
{
    private const int PathBytesMax = 4096;
    private const long Second = 1_000_000_000;
    private const ulong ResolveBeneath = LibC.RESOLVE_BENEATH | LibC.RESOLVE_NO_SYMLINKS | LibC.RESOLVE_NO_MAGICLINKS;
    private readonly SafeFileHandle _root;

    /// <summary>Opens a directory, which is followed from now on even if it is renamed.</summary>
    public HostDirectory(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        int fd = LibC.Open(path, LibC.O_PATH | LibC.O_DIRECTORY | LibC.O_CLOEXEC, 0);
        _root = fd >= 0 ? new SafeFileHandle(fd, ownsHandle: true) : throw LinuxException.Last(path);
    }

    /// <inheritdoc/>
    public Errno Status(ReadOnlySpan<byte> path, out FileStatus status)
    {
        status = default;
        Errno error = OpenBeneath(path, LibC.O_PATH | LibC.O_NOFOLLOW, 0, out SafeFileHandle? found);
        if (error == Errno.None)
        {
            error = Status(found!, out status);
            found!.Dispose();
        }

        return error;
    }

    /// <inheritdoc/>
    public Errno Status(SafeFileHandle file, out FileStatus status)
    {
        ArgumentNullException.ThrowIfNull(file);
        LibC.FileStatus read = default;
        int result = LibC.GetStatus(Fd(file), "", LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, &read);
        status = new FileStatus
        {
            Type = (FileType)(read.Mode & LibC.S_IFMT),
            Permissions = read.Mode & ~LibC.S_IFMT,
            Inode = (long)read.Inode,
            LinkCount = (int)read.LinkCount,
            UserId = (int)read.UserId,
            GroupId = (int)read.GroupId,
            Size = (long)read.Size,
            Blocks = (long)read.Blocks,
            BlockSize = (int)read.BlockSize,
            AccessedUnixNanoseconds = read.Accessed.UnixNanoseconds,
            ModifiedUnixNanoseconds = read.Modified.UnixNanoseconds,
            ChangedUnixNanoseconds = read.Changed.UnixNanoseconds,
        };
        return ErrorOf(result);
    }

    /// <inheritdoc/>
    public Errno Open(ReadOnlySpan<byte> path, OpenFlags flags, int mode, out SafeFileHandle? file)
    {
        const OpenFlags Passed = OpenFlags.O_ACCMODE | OpenFlags.O_CREAT | OpenFlags.O_EXCL;

        // What has taken the file's place must not make the caller wait: a FIFO would.
        Errno error = OpenBeneath(path, (int)(flags & Passed) | LibC.O_NONBLOCK | LibC.O_NOFOLLOW | LibC.O_NOCTTY, mode, out file);
        if (error == Errno.None && (Status(file!, out FileStatus status) != Errno.None || status.Type != FileType.Regular))
        {
            file!.Dispose();
            file = null;
            return Errno.EACCES;
        }

        return error;
    }

    /// <inheritdoc/>
    public Errno Read(SafeFileHandle file, long offset, Span<byte> buffer, out int count)
    {
        fixed (byte* p = buffer)
        {
            return Counted(LibC.ReadAt(Fd(file), p, (nuint)buffer.Length, offset), out count);
        }
    }

    /// <inheritdoc/>
    public Errno Write(SafeFileHandle file, long offset, ReadOnlySpan<byte> data, out int count)
    {
        fixed (byte* p = data)
        {
            return Counted(LibC.WriteAt(Fd(file), p, (nuint)data.Length, offset), out count);
        }
    }

    /// <inheritdoc/>
    public Errno Change(ReadOnlySpan<byte> path, in HostFileChange change)
    {
        Errno error = OpenBeneath(path, LibC.O_PATH | LibC.O_NOFOLLOW, 0, out SafeFileHandle? found);
        if (error != Errno.None)
        {
            return error;
        }

        using (found)
        {
            return Change(found!, change);
        }
    }

    /// <inheritdoc/>
    public Errno Change(SafeFileHandle file, in HostFileChange change)
    {
        ArgumentNullException.ThrowIfNull(file);
        byte empty = 0;
        int result = 0;
        if (change.Permissions is { } permissions)
        {
            // The name that the process's own descriptor has: of one that was opened by O_PATH nothing else can be changed (Linux before 6.6).
            result = LibC.ChangeMode($"/proc/self/fd/{Fd(file)}", (uint)permissions);
        }

        if (result == 0 && (change.UserId != null || change.GroupId != null))
        {
            result = LibC.ChangeOwnerAt(Fd(file), &empty, change.UserId ?? -1, change.GroupId ?? -1, LibC.AT_EMPTY_PATH);
        }

        if (result == 0 && (change.AccessedUnixNanoseconds != null || change.ModifiedUnixNanoseconds != null))
        {
            long* times = stackalloc long[4];
            PutTime(times, change.AccessedUnixNanoseconds);
            PutTime(times + 2, change.ModifiedUnixNanoseconds);
            result = LibC.SetTimesAt(Fd(file), &empty, times, LibC.AT_EMPTY_PATH);
        }

        return ErrorOf(result);
    }

    /// <inheritdoc/>
    public Errno Truncate(SafeFileHandle file, long size) => ErrorOf(LibC.TruncateFile(Fd(file), size));

    /// <inheritdoc/>
    public Errno Sync(SafeFileHandle file) => ErrorOf(LibC.SyncFile(Fd(file)));

    /// <inheritdoc/>
    public Errno List(ReadOnlySpan<byte> path, long position, Span<byte> buffer, out int length)
    {
        length = 0;
        Errno error = OpenBeneath(path, LibC.O_RDONLY | LibC.O_DIRECTORY, 0, out SafeFileHandle? directory);
        if (error != Errno.None)
        {
            return error;
        }

        using (directory)
        {
            if (position != 0 && LibC.Seek(Fd(directory!), position, 0) < 0)
            {
                return LastError();
            }

            fixed (byte* p = buffer)
            {
                return Counted(LibC.ReadDirectory(Fd(directory!), p, (nuint)buffer.Length), out length);
            }
        }
    }

    /// <inheritdoc/>
    public Errno ReadLink(ReadOnlySpan<byte> path, out byte[] target)
    {
        target = [];
        Errno error = OpenBeneath(path, LibC.O_PATH | LibC.O_NOFOLLOW, 0, out SafeFileHandle? link);
        if (error != Errno.None)
        {
            return error;
        }

        using (link)
        {
            byte* buffer = stackalloc byte[PathBytesMax];
            byte empty = 0;
            error = Counted(LibC.ReadLinkAt(Fd(link!), &empty, buffer, PathBytesMax), out int length);
            target = new ReadOnlySpan<byte>(buffer, length).ToArray();
            return error;
        }
    }

    /// <inheritdoc/>
    public Errno MakeDirectory(ReadOnlySpan<byte> path, int mode)
    {
        Errno error = OpenParent(path, out SafeFileHandle? parent, out ReadOnlySpan<byte> name);
        if (error != Errno.None)
        {
            return error;
        }

        using (parent)
        {
            fixed (byte* p = Terminated(name))
            {
                return ErrorOf(LibC.MakeDirectoryAt(Fd(parent!), p, (uint)mode));
            }
        }
    }

    /// <inheritdoc/>
    public Errno MakeLink(ReadOnlySpan<byte> target, ReadOnlySpan<byte> path)
    {
        Errno error = OpenParent(path, out SafeFileHandle? parent, out ReadOnlySpan<byte> name);
        if (error != Errno.None)
        {
            return error;
        }

        using (parent)
        {
            fixed (byte* p = Terminated(name), text = Terminated(target))
            {
                return ErrorOf(LibC.MakeLinkAt(text, Fd(parent!), p));
            }
        }
    }

    /// <inheritdoc/>
    public Errno Remove(ReadOnlySpan<byte> path, bool isDirectory)
    {
        Errno error = OpenParent(path, out SafeFileHandle? parent, out ReadOnlySpan<byte> name);
        if (error != Errno.None)
        {
            return error;
        }

        using (parent)
        {
            fixed (byte* p = Terminated(name))
            {
                return ErrorOf(LibC.UnlinkAt(Fd(parent!), p, isDirectory ? LibC.AT_REMOVEDIR : 0));
            }
        }
    }

    /// <inheritdoc/>
    public Errno Rename(ReadOnlySpan<byte> path, ReadOnlySpan<byte> newPath, RenameFlags flags)
    {
        Errno error = OpenParent(path, out SafeFileHandle? parent, out ReadOnlySpan<byte> name);
        if (error != Errno.None)
        {
            return error;
        }

        using (parent)
        {
            error = OpenParent(newPath, out SafeFileHandle? newParent, out ReadOnlySpan<byte> newName);
            if (error != Errno.None)
            {
                return error;
            }

            using (newParent)
            {
                fixed (byte* p = Terminated(name), q = Terminated(newName))
                {
                    return ErrorOf(LibC.RenameAt2(Fd(parent!), p, Fd(newParent!), q, (uint)flags));
                }
            }
        }
    }

    /// <summary>Closes the directory: whatever is still mounted of it fails with EBADF.</summary>
    public void Dispose() => _root.Dispose();

    /// <summary>Opens the directory that a path's last component is in.</summary>
    private Errno OpenParent(ReadOnlySpan<byte> path, out SafeFileHandle? parent, out ReadOnlySpan<byte> name)
    {
        int slash = path.LastIndexOf((byte)'/');
        name = path[(slash + 1)..];
        parent = null;
        if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8) || name.IsEmpty)
        {
            return Errno.EINVAL;
        }

        return OpenBeneath(slash < 0 ? "."u8 : path[..slash], LibC.O_PATH | LibC.O_DIRECTORY, 0, out parent);
    }

    private Errno OpenBeneath(ReadOnlySpan<byte> path, int flags, int mode, out SafeFileHandle? opened)
    {
        LibC.OpenHow how = new()
        {
            Flags = (uint)(flags | LibC.O_CLOEXEC),
            Mode = (flags & (int)OpenFlags.O_CREAT) != 0 ? (uint)mode : 0,
            Resolve = ResolveBeneath,
        };
        opened = null;
        if (_root.IsClosed)
        {
            return Errno.EBADF;
        }

        fixed (byte* p = Terminated(path))
        {
            int fd = LibC.OpenAt2(Fd(_root), p, &how);
            if (fd < 0)
            {
                return LastError();
            }

            opened = new SafeFileHandle(fd, ownsHandle: true);
            return Errno.None;
        }
    }

    /// <summary>A struct timespec; null leaves the time as it is.</summary>
    private static void PutTime(long* time, long? nanoseconds)
    {
        (time[0], time[1]) = nanoseconds is { } value ? (value / Second, value % Second) : (0, LibC.UTIME_OMIT);
        if (time[1] < 0)
        {
            (time[0], time[1]) = (time[0] - 1, time[1] + Second);
        }
    }

    private static byte[] Terminated(ReadOnlySpan<byte> path) => [.. path, 0];

    private static int Fd(SafeFileHandle handle) => (int)handle.DangerousGetHandle();

    private static Errno LastError() => (Errno)Marshal.GetLastPInvokeError();

    private static Errno ErrorOf(int result) => result == 0 ? Errno.None : LastError();

    private static Errno Counted(nint result, out int count)
    {
        count = (int)Math.Max(0, result);
        return result < 0 ? LastError() : Errno.None;
    }
}
