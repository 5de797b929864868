using Portico.Net;

namespace Portico.Kernel;

/// <summary>Opens what a device's name stands for. Errors: the device's own.</summary>
internal delegate Errno DeviceOpener(Process opener, OpenFlags flags, out KernelFile? file);

/// <summary>A device's name in /dev: what is opened is the device, which may be another one each time (ptmx(4)).</summary>
internal sealed class DeviceNode(MemoryFileSystem memory, int permissions, int major, int minor, DeviceOpener opener)
    : Inode(memory, permissions, userId: 0, groupId: 0)
{
    internal override FileType Type => FileType.CharacterDevice;

    public override Errno Open(Process process, OpenFlags flags, out KernelFile? file) => opener(process, flags, out file);

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Device = (major << 8) | minor;
    }
}

/// <summary>A pipe's name (fifo(7)). The pipe is there while somebody has it open.</summary>
internal sealed class FifoNode(MemoryFileSystem memory, int permissions, int userId, int groupId)
    : Inode(memory, permissions, userId, groupId)
{
    private PipeFile? _pipe;

    internal override FileType Type => FileType.Fifo;

    /// <summary>The pipe. Errors: EINVAL for neither reading nor writing, or with O_DIRECT, which a pipe takes from
    /// pipe2(2) and fcntl(2) only; ENXIO for O_WRONLY and O_NONBLOCK where nobody reads.</summary>
    public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file)
    {
        const OpenFlags NonBlockingWrite = OpenFlags.O_WRONLY | OpenFlags.O_NONBLOCK;
        file = null;
        if ((flags & OpenFlags.O_ACCMODE) == OpenFlags.O_ACCMODE || (flags & OpenFlags.O_DIRECT) != 0)
        {
            return Errno.EINVAL;
        }

        if ((flags & (OpenFlags.O_ACCMODE | OpenFlags.O_NONBLOCK)) == NonBlockingWrite && _pipe is not { IsGone: false, Readers: > 0 })
        {
            return Errno.ENXIO;
        }

        if (_pipe is not { IsGone: false })
        {
            if (!Pipe.HasRoom(Kernel, opener.IsPrivileged))
            {
                return Errno.ENOMEM;
            }

            _pipe = new PipeFile(Kernel, opener.IsPrivileged);
        }

        file = _pipe;
        return Errno.None;
    }
}

/// <summary>A unix socket's name (unix(7)): whoever connects to it finds what is bound there.</summary>
internal sealed class SocketNode(MemoryFileSystem memory, int permissions, int userId, int groupId)
    : Inode(memory, permissions, userId, groupId)
{
    /// <summary>The socket that is bound to the name; null after it has been closed (ECONNREFUSED).</summary>
    public KernelFile? Bound { get; set; }

    internal override FileType Type => FileType.Socket;

    /// <summary>A socket is connected to, not opened: ENXIO.</summary>
    public override Errno Open(Process opener, OpenFlags flags, out KernelFile? file)
    {
        file = null;
        return Errno.ENXIO;
    }
}
