namespace Portico.Kernel;

#pragma warning disable CS1591, CA1707, CA1069 // Names, values and meanings are those of Linux's headers (asm-generic, x86-64).

/// <summary>Flags of the calls that take a directory's descriptor and a path (openat(2), fstatat(2), linkat(2), ...).</summary>
[Flags]
public enum AtFlags
{
    None = 0,
    AT_SYMLINK_NOFOLLOW = 0x100,
    AT_REMOVEDIR = 0x200,
    AT_EACCESS = 0x200,
    AT_SYMLINK_FOLLOW = 0x400,
    AT_NO_AUTOMOUNT = 0x800,
    AT_EMPTY_PATH = 0x1000,
    AT_STATX_FORCE_SYNC = 0x2000,
    AT_STATX_DONT_SYNC = 0x4000,
}

/// <summary>Flags of renameat2(2).</summary>
[Flags]
public enum RenameFlags
{
    None = 0,
    RENAME_NOREPLACE = 1,
    RENAME_EXCHANGE = 2,
    RENAME_WHITEOUT = 4,
}

/// <summary>What access(2) asks for; an inode's permission bits have the same meaning three times over.</summary>
[Flags]
public enum AccessMode
{
    F_OK = 0,
    X_OK = 1,
    W_OK = 2,
    R_OK = 4,
}

/// <summary>Flags of memfd_create(2).</summary>
[Flags]
public enum MemfdFlags
{
    None = 0,
    MFD_CLOEXEC = 1,
    MFD_ALLOW_SEALING = 2,
    MFD_HUGETLB = 4,
    MFD_NOEXEC_SEAL = 8,
    MFD_EXEC = 16,
}

/// <summary>Seals of F_ADD_SEALS (fcntl(2)).</summary>
[Flags]
public enum FileSeals
{
    None = 0,
    F_SEAL_SEAL = 1,
    F_SEAL_SHRINK = 2,
    F_SEAL_GROW = 4,
    F_SEAL_WRITE = 8,
    F_SEAL_FUTURE_WRITE = 16,
    F_SEAL_EXEC = 32,
}

#pragma warning restore CS1591, CA1707, CA1069
