using System.Runtime.InteropServices;

namespace Portico.Linux;

/// <summary>Files, directories and the sockets that have names in them.</summary>
internal static unsafe partial class LibC
{
    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;
    public const uint STATX_BASIC_STATS = 0x7FF;
    public const int S_IFMT = 0xF000;
    public const int S_IFDIR = 0x4000;
    public const int S_IFSOCK = 0xC000;
    public const int LOCK_EX = 2;
    public const int F_GETFL = 3;
    public const int F_SETFL = 4;
    public const int SO_PEERCRED = 17;
    public const int SO_RCVTIMEO = 20;
    public const int SO_SNDTIMEO = 21;
    public const int SHUT_RDWR = 2;

    /// <summary>The beginning of struct statx, which is the same on every architecture.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 256)]
    internal struct FileStatus
    {
        [FieldOffset(4)]
        public uint BlockSize;

        [FieldOffset(16)]
        public uint LinkCount;

        [FieldOffset(20)]
        public uint UserId;

        [FieldOffset(24)]
        public uint GroupId;

        [FieldOffset(28)]
        public ushort Mode;

        [FieldOffset(32)]
        public ulong Inode;

        [FieldOffset(40)]
        public ulong Size;

        [FieldOffset(48)]
        public ulong Blocks;

        [FieldOffset(64)]
        public FileTime Accessed;

        [FieldOffset(96)]
        public FileTime Changed;

        [FieldOffset(112)]
        public FileTime Modified;
    }

    /// <summary>struct statx_timestamp.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct FileTime
    {
        public long Seconds;
        public uint Nanoseconds;
        public int Reserved;

        public readonly long UnixNanoseconds => (Seconds * 1_000_000_000) + Nanoseconds;
    }

    [LibraryImport(Library, EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int GetStatus(int directory, string path, int flags, uint mask, FileStatus* status);

    [LibraryImport(Library, EntryPoint = "mkdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int MakeDirectory(string path, uint mode);

    [LibraryImport(Library, EntryPoint = "rmdir", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int RemoveDirectory(string path);

    [LibraryImport(Library, EntryPoint = "unlink", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int Unlink(string path);

    [LibraryImport(Library, EntryPoint = "chmod", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    internal static partial int ChangeMode(string path, uint mode);

    [LibraryImport(Library, EntryPoint = "flock", SetLastError = true)]
    internal static partial int FileLock(int fd, int operation);

    [LibraryImport(Library, EntryPoint = "bind", SetLastError = true)]
    internal static partial int Bind(int fd, void* address, uint length);

    [LibraryImport(Library, EntryPoint = "listen", SetLastError = true)]
    internal static partial int Listen(int fd, int backlog);

    [LibraryImport(Library, EntryPoint = "accept4", SetLastError = true)]
    internal static partial int Accept(int fd, void* address, uint* length, int flags);
}
