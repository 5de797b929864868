using Portico.Net;

namespace Portico.Kernel;

/// <summary>A file that can have names: what inode(7) describes. Guarded by the kernel's lock, as every file.</summary>
internal abstract class Inode : KernelFile
{
    /// <summary>The permission bits with set-user-id, set-group-id and sticky (S_IALLUGO).</summary>
    public const int PermissionMask = 0xFFF;

    private protected const int SetGroupId = 0x400;
    private protected const int Sticky = 0x200;
    private const int AnyExecute = 0x49;

    private bool _isFreed;

    private protected Inode(FileSystem fileSystem, int permissions, int userId, int groupId)
        : base(fileSystem.Kernel.Driver)
    {
        FileSystem = fileSystem;
        Permissions = permissions;
        UserId = userId;
        GroupId = groupId;
        Number = fileSystem.Kernel.TakeInode();
        Accessed = Modified = Changed = Now;
    }

    public FileSystem FileSystem { get; }

    public PorticoKernel Kernel => FileSystem.Kernel;

    public long Number { get; }

    public int Permissions { get; private set; }

    public int UserId { get; private set; }

    public int GroupId { get; private set; }

    /// <summary>Names; for a directory also its "." and its subdirectories' "..".</summary>
    public int LinkCount { get; set; } = 1;

    /// <summary>Descriptions of it that are open, O_PATH included.</summary>
    public int OpenCount { get; private set; }

    /// <summary>st_atime as nanoseconds of Unix time.</summary>
    public long Accessed { get; set; }

    /// <summary>st_mtime as nanoseconds of Unix time.</summary>
    public long Modified { get; set; }

    /// <summary>st_ctime as nanoseconds of Unix time.</summary>
    public long Changed { get; set; }

    /// <summary>st_size.</summary>
    public virtual long Size => 0;

    /// <summary>st_blocks, in units of 512 bytes.</summary>
    public virtual long Blocks => 0;

    internal override bool IsPollable => false;

    private protected long Now => Kernel.UnixTime().Nanoseconds;

    /// <summary>A file that never makes anybody wait is always ready (DEFAULT_POLLMASK).</summary>
    public override SocketEvents Poll() =>
        SocketEvents.Readable | SocketEvents.ReadNormal | SocketEvents.Writable | SocketEvents.WriteNormal;

    /// <summary>Whether a process may do what <paramref name="wanted"/> says (inode_permission). Errors: EROFS, EACCES.</summary>
    public virtual Errno Check(Process process, AccessMode wanted)
    {
        if ((wanted & AccessMode.W_OK) != 0 && FileSystem.IsReadOnly && Type is FileType.Regular or FileType.Directory or FileType.SymbolicLink)
        {
            return Errno.EROFS;
        }

        int granted = process.UserId == UserId ? Permissions >> 6 : process.GroupId == GroupId ? Permissions >> 3 : Permissions;
        if (((int)wanted & ~granted) == 0)
        {
            return Errno.None;
        }

        // The privileged may do everything, but run only what somebody may run.
        bool overrides = process.IsPrivileged
            && ((wanted & AccessMode.X_OK) == 0 || Type == FileType.Directory || (Permissions & AnyExecute) != 0);
        return overrides ? Errno.None : Errno.EACCES;
    }

    /// <summary>Whether it is the machine that says who may change it, and how.</summary>
    public virtual bool IsOfMachine => false;

    /// <summary>Whether a process may change the permissions and times: its owner, or a privileged one.</summary>
    public bool IsOwner(Process process) => IsOfMachine || process.UserId == UserId || process.IsPrivileged;

    /// <summary>
    /// open(2): the file to describe, which for a device is not the inode. Errors: the device's own; ENXIO for a socket.
    /// </summary>
    public virtual Errno Open(Process opener, OpenFlags flags, out KernelFile? file)
    {
        file = this;
        return Errno.None;
    }

    /// <summary>chmod(2). Errors: those of the host's file.</summary>
    internal override Errno SetPermissions(int permissions)
    {
        Permissions = permissions & PermissionMask;
        Changed = Now;
        return Errno.None;
    }

    /// <summary>chown(2); -1 leaves an id as it is.</summary>
    internal override Errno SetOwner(int userId, int groupId)
    {
        UserId = userId == -1 ? UserId : userId;
        GroupId = groupId == -1 ? GroupId : groupId;
        Changed = Now;
        return Errno.None;
    }

    /// <summary>utimensat(2), in nanoseconds of Unix time; null leaves one as it is.</summary>
    public virtual Errno SetTimes(long? accessed, long? modified)
    {
        Accessed = accessed ?? Accessed;
        Modified = modified ?? Modified;
        Changed = Now;
        return Errno.None;
    }

    /// <summary>truncate(2) and ftruncate(2). Errors: EINVAL for what is no regular file; ENOSPC, EPERM by a seal.</summary>
    public virtual Errno Truncate(long size) => Errno.EINVAL;

    /// <summary>There is one name less; with none left, and nobody who has it open, it is gone.</summary>
    public void OnUnlinked()
    {
        LinkCount--;
        Changed = Now;
        FreeIfUnused();
    }

    /// <summary>Gives everything back once nothing leads to the file any more.</summary>
    public void FreeIfUnused()
    {
        // A directory that a process stands in can be opened again after this; it is freed once.
        if (LinkCount == 0 && OpenCount == 0 && !_isFreed)
        {
            _isFreed = true;
            OnFreed();
            FileSystem.OnInodeFreed();
        }
    }

    /// <summary>Gives back what the contents take.</summary>
    private protected virtual void OnFreed()
    {
    }

    internal override void OnOpened(OpenFileDescription description) => OpenCount++;

    internal override void OnReleased(OpenFileDescription description)
    {
        OpenCount--;
        FreeIfUnused();
    }

    internal override void Stat(ref FileStatus status)
    {
        status.Type = Type;
        status.Permissions = Permissions;
        status.Inode = Number;
        status.LinkCount = LinkCount;
        status.UserId = UserId;
        status.GroupId = GroupId;
        status.Size = Size;
        status.Blocks = Blocks;
        status.BlockSize = FileSystem.BlockBytes;
        status.FileSystem = FileSystem.DeviceNumber;
        status.AccessedUnixNanoseconds = Accessed;
        status.ModifiedUnixNanoseconds = Modified;
        status.ChangedUnixNanoseconds = Changed;
    }
}
