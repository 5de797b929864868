using Portico.Net;

namespace Portico.Kernel;

// memfd_create(2). Seals are fcntl(2)'s: RegularFile.Control.
public sealed partial class Process
{
    /// <summary>
    /// memfd_create(2): a file of memory without a name in any directory. Errors: EINVAL for unknown flags or a name of more than 249 bytes,
    /// EMFILE, ENFILE, ENOSPC.
    /// </summary>
    public SyscallResult MemfdCreate(ReadOnlySpan<byte> name, MemfdFlags flags)
    {
        const MemfdFlags Known = MemfdFlags.MFD_CLOEXEC | MemfdFlags.MFD_ALLOW_SEALING | MemfdFlags.MFD_NOEXEC_SEAL | MemfdFlags.MFD_EXEC;
        const MemfdFlags Both = MemfdFlags.MFD_NOEXEC_SEAL | MemfdFlags.MFD_EXEC;
        const int NameBytesMax = 249;
        const int PermissionsAll = 0x1FF;
        const int PermissionsNoExecute = 0x1B6;
        using (Driver.Enter())
        {
            if ((flags & ~Known) != 0 || (flags & Both) == Both || name.Length > NameBytesMax)
            {
                return Errno.EINVAL;
            }

            Errno error = FindFree(0, out int fd);
            if (error != Errno.None)
            {
                return error;
            }

            bool noExecute = (flags & MemfdFlags.MFD_NOEXEC_SEAL) != 0;
            bool seals = noExecute || (flags & MemfdFlags.MFD_ALLOW_SEALING) != 0;
            DirectoryEntry? entry = Kernel.UnnamedMemory.CreateUnnamed(this, name, noExecute ? PermissionsNoExecute : PermissionsAll);
            if (entry == null)
            {
                return Errno.ENOSPC;
            }

            RegularFile file = (RegularFile)entry.Inode;
            file.Seals = noExecute ? FileSeals.F_SEAL_EXEC : seals ? FileSeals.None : FileSeals.F_SEAL_SEAL;
            error = Describe(entry, file, OpenFlags.O_RDWR | OpenFlags.O_LARGEFILE, out OpenFileDescription? description);
            if (error == Errno.None)
            {
                _descriptors.Put(fd, description!, (flags & MemfdFlags.MFD_CLOEXEC) != 0);
            }

            return error == Errno.None ? fd : error;
        }
    }
}
