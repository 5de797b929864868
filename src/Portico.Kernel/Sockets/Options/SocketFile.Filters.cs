using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// SO_ATTACH_FILTER, SO_DETACH_FILTER and SO_GET_FILTER: the value is the program itself, where Linux has a pointer to it.
internal abstract partial class SocketFile
{
    /// <summary>The filter that is attached; null for none.</summary>
    protected abstract SocketFilter? Filter { get; set; }

    /// <summary>What comes to a connection is for nobody to drop but who administers the network (CAP_NET_ADMIN).</summary>
    internal bool MayFilter(Process process) => !IsTcp || process.IsPrivileged;

    /// <summary>Errors: EPERM where the process may not, and after SO_LOCK_FILTER, EINVAL for a program that may not run.</summary>
    private Errno AttachFilter(Process process, ReadOnlySpan<byte> program)
    {
        if (!MayFilter(process) || Generic.Has(GenericFlags.LockFilter))
        {
            return Errno.EPERM;
        }

        SocketFilter? filter = program.Length % BpfInstruction.Bytes == 0 ? SocketFilter.TryMake(MemoryMarshal.Cast<byte, BpfInstruction>(program)) : null;
        if (filter == null)
        {
            return Errno.EINVAL;
        }

        Filter = filter;
        return Errno.None;
    }

    /// <summary>Errors: EPERM after SO_LOCK_FILTER, ENOENT where there is none.</summary>
    private Errno DetachFilter()
    {
        if (Generic.Has(GenericFlags.LockFilter))
        {
            return Errno.EPERM;
        }

        bool hasOne = Filter != null;
        Filter = null;
        return hasOne ? Errno.None : Errno.ENOENT;
    }

    /// <summary>All of the program; with no room how long it is. Errors: EINVAL for too little room.</summary>
    private Errno GetFilter(Span<byte> value, out int length)
    {
        ReadOnlySpan<byte> program = Filter == null ? default : MemoryMarshal.AsBytes(Filter.Program);
        length = 0;
        if (!value.IsEmpty && value.Length < program.Length)
        {
            return Errno.EINVAL;
        }

        length = program.Length;
        if (!value.IsEmpty)
        {
            program.CopyTo(value);
        }

        return Errno.None;
    }
}
