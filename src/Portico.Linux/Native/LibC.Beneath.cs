using System.Runtime.InteropServices;

namespace Portico.Linux;

/// <summary>Files beneath a directory, by descriptors and not by paths.</summary>
internal static unsafe partial class LibC
{
    public const int O_NOCTTY = 0x100;
    public const int O_PATH = 0x20_0000;
    public const int AT_REMOVEDIR = 0x200;
    public const int AT_EMPTY_PATH = 0x1000;
    public const long UTIME_OMIT = 0x3FFF_FFFE;
    public const ulong RESOLVE_NO_MAGICLINKS = 2;
    public const ulong RESOLVE_NO_SYMLINKS = 4;
    public const ulong RESOLVE_BENEATH = 8;

    // Of these each architecture has its own.
    public static readonly int O_DIRECTORY = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x4000 : 0x1_0000;
    public static readonly int O_NOFOLLOW = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 0x8000 : 0x2_0000;

    /// <summary>struct open_how.</summary>
    [StructLayout(LayoutKind.Sequential)]
    internal struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }

    /// <summary>openat2(2) by its number, which is the same on every architecture: C libraries have no name for it.</summary>
    internal static int OpenAt2(int directory, byte* path, OpenHow* how) =>
        (int)SystemCall(437, directory, path, (nint)how, (void*)sizeof(OpenHow), null, 0);

    [LibraryImport(Library, EntryPoint = "pread64", SetLastError = true)]
    internal static partial nint ReadAt(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Library, EntryPoint = "pwrite64", SetLastError = true)]
    internal static partial nint WriteAt(int fd, void* buffer, nuint count, long offset);

    [LibraryImport(Library, EntryPoint = "ftruncate64", SetLastError = true)]
    internal static partial int TruncateFile(int fd, long size);

    [LibraryImport(Library, EntryPoint = "fchownat", SetLastError = true)]
    internal static partial int ChangeOwnerAt(int directory, byte* path, int userId, int groupId, int flags);

    /// <summary>Two struct timespec, of two longs each.</summary>
    [LibraryImport(Library, EntryPoint = "utimensat", SetLastError = true)]
    internal static partial int SetTimesAt(int directory, byte* path, long* times, int flags);

    [LibraryImport(Library, EntryPoint = "fsync", SetLastError = true)]
    internal static partial int SyncFile(int fd);

    [LibraryImport(Library, EntryPoint = "lseek64", SetLastError = true)]
    internal static partial long Seek(int fd, long offset, int whence);

    [LibraryImport(Library, EntryPoint = "getdents64", SetLastError = true)]
    internal static partial nint ReadDirectory(int fd, void* buffer, nuint count);

    [LibraryImport(Library, EntryPoint = "readlinkat", SetLastError = true)]
    internal static partial nint ReadLinkAt(int directory, byte* path, byte* buffer, nuint size);

    [LibraryImport(Library, EntryPoint = "mkdirat", SetLastError = true)]
    internal static partial int MakeDirectoryAt(int directory, byte* path, uint mode);

    [LibraryImport(Library, EntryPoint = "symlinkat", SetLastError = true)]
    internal static partial int MakeLinkAt(byte* target, int directory, byte* path);

    [LibraryImport(Library, EntryPoint = "unlinkat", SetLastError = true)]
    internal static partial int UnlinkAt(int directory, byte* path, int flags);

    [LibraryImport(Library, EntryPoint = "renameat2", SetLastError = true)]
    internal static partial int RenameAt2(int directory, byte* path, int newDirectory, byte* newPath, uint flags);
}
