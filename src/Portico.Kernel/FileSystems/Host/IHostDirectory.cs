using Microsoft.Win32.SafeHandles;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>What is to be changed of a file of the machine; null for what stays as it is.</summary>
public readonly record struct HostFileChange
{
    /// <summary>The permission bits (chmod(2)).</summary>
    public int? Permissions { get; init; }

    /// <summary>The owner (chown(2)).</summary>
    public int? UserId { get; init; }

    /// <summary>The group (chown(2)).</summary>
    public int? GroupId { get; init; }

    /// <summary>When it was read last, in nanoseconds of Unix time (utimensat(2)).</summary>
    public long? AccessedUnixNanoseconds { get; init; }

    /// <summary>When it was written last, in nanoseconds of Unix time (utimensat(2)).</summary>
    public long? ModifiedUnixNanoseconds { get; init; }
}

/// <summary>
/// A directory of the machine, as a kernel that mounts it asks for it. Paths are relative to it, "." is the directory itself, and no
/// component is ".." or followed as a symbolic link: whatever happens to the machine's files meanwhile, nothing outside of the
/// directory may be reached. Errors are errno.
/// </summary>
public interface IHostDirectory
{
    /// <summary>What lstat(2) says.</summary>
    Errno Status(ReadOnlySpan<byte> path, out FileStatus status);

    /// <summary>What fstat(2) says of an open file.</summary>
    Errno Status(SafeFileHandle file, out FileStatus status);

    /// <summary>Opens or makes a regular file. Errors: EACCES for a file of another kind.</summary>
    Errno Open(ReadOnlySpan<byte> path, OpenFlags flags, int mode, out SafeFileHandle? file);

    /// <summary>pread(2).</summary>
    Errno Read(SafeFileHandle file, long offset, Span<byte> buffer, out int count);

    /// <summary>pwrite(2).</summary>
    Errno Write(SafeFileHandle file, long offset, ReadOnlySpan<byte> data, out int count);

    /// <summary>Changes permissions, owner and times of what has the path, a link itself included.</summary>
    Errno Change(ReadOnlySpan<byte> path, in HostFileChange change);

    /// <summary>The same of an open file.</summary>
    Errno Change(SafeFileHandle file, in HostFileChange change);

    /// <summary>ftruncate(2).</summary>
    Errno Truncate(SafeFileHandle file, long size);

    /// <summary>fsync(2).</summary>
    Errno Sync(SafeFileHandle file);

    /// <summary>Entries of a directory from a position on, as getdents64(2) writes them; 0 is the beginning, and no bytes the end.</summary>
    Errno List(ReadOnlySpan<byte> path, long position, Span<byte> buffer, out int length);

    /// <summary>readlink(2).</summary>
    Errno ReadLink(ReadOnlySpan<byte> path, out byte[] target);

    /// <summary>mkdir(2).</summary>
    Errno MakeDirectory(ReadOnlySpan<byte> path, int mode);

    /// <summary>symlink(2).</summary>
    Errno MakeLink(ReadOnlySpan<byte> target, ReadOnlySpan<byte> path);

    /// <summary>unlink(2) or rmdir(2).</summary>
    Errno Remove(ReadOnlySpan<byte> path, bool isDirectory);

    /// <summary>renameat2(2).</summary>
    Errno Rename(ReadOnlySpan<byte> path, ReadOnlySpan<byte> newPath, RenameFlags flags);
}
