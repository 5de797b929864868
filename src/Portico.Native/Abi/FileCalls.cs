using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native;

/// <summary>Descriptors and what is read and written. What each does is written in portico.h; here words go to the kernel as they are.</summary>
internal static class FileCalls
{
    [UnmanagedCallersOnly(EntryPoint = "portico_open", CallConvs = [typeof(CallConvCdecl)])]
    public static int Open(nint process, nint path, int flags, uint mode) => (int)CResult.Call(process, SyscallNumber.open, path, flags, mode);

    [UnmanagedCallersOnly(EntryPoint = "portico_openat", CallConvs = [typeof(CallConvCdecl)])]
    public static int Openat(nint process, int directory, nint path, int flags, uint mode) =>
        (int)CResult.Call(process, SyscallNumber.openat, directory, path, flags, mode);

    [UnmanagedCallersOnly(EntryPoint = "portico_close", CallConvs = [typeof(CallConvCdecl)])]
    public static int Close(nint process, int fd) => (int)CResult.Call(process, SyscallNumber.close, fd);

    [UnmanagedCallersOnly(EntryPoint = "portico_close_range", CallConvs = [typeof(CallConvCdecl)])]
    public static int CloseRange(nint process, uint first, uint last, uint flags) =>
        (int)CResult.Call(process, SyscallNumber.close_range, first, last, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_dup", CallConvs = [typeof(CallConvCdecl)])]
    public static int Dup(nint process, int fd) => (int)CResult.Call(process, SyscallNumber.dup, fd);

    [UnmanagedCallersOnly(EntryPoint = "portico_dup2", CallConvs = [typeof(CallConvCdecl)])]
    public static int Dup2(nint process, int fd, int other) => (int)CResult.Call(process, SyscallNumber.dup2, fd, other);

    [UnmanagedCallersOnly(EntryPoint = "portico_dup3", CallConvs = [typeof(CallConvCdecl)])]
    public static int Dup3(nint process, int fd, int other, int flags) => (int)CResult.Call(process, SyscallNumber.dup3, fd, other, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_fcntl", CallConvs = [typeof(CallConvCdecl)])]
    public static int Fcntl(nint process, int fd, int command, nint argument) =>
        (int)CResult.Call(process, SyscallNumber.fcntl, fd, command, argument);

    [UnmanagedCallersOnly(EntryPoint = "portico_ioctl", CallConvs = [typeof(CallConvCdecl)])]
    public static int Ioctl(nint process, int fd, nint request, nint argument) =>
        (int)CResult.Call(process, SyscallNumber.ioctl, fd, request, argument);

    [UnmanagedCallersOnly(EntryPoint = "portico_read", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Read(nint process, int fd, nint buffer, nint count) => (nint)CResult.Call(process, SyscallNumber.read, fd, buffer, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_write", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Write(nint process, int fd, nint buffer, nint count) => (nint)CResult.Call(process, SyscallNumber.write, fd, buffer, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_readv", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Readv(nint process, int fd, nint pieces, int count) => (nint)CResult.Call(process, SyscallNumber.readv, fd, pieces, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_writev", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Writev(nint process, int fd, nint pieces, int count) => (nint)CResult.Call(process, SyscallNumber.writev, fd, pieces, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_pread", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Pread(nint process, int fd, nint buffer, nint count, long offset) =>
        (nint)CResult.Call(process, SyscallNumber.pread64, fd, buffer, count, offset);

    [UnmanagedCallersOnly(EntryPoint = "portico_pwrite", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Pwrite(nint process, int fd, nint buffer, nint count, long offset) =>
        (nint)CResult.Call(process, SyscallNumber.pwrite64, fd, buffer, count, offset);

    [UnmanagedCallersOnly(EntryPoint = "portico_preadv", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Preadv(nint process, int fd, nint pieces, int count, long offset) =>
        (nint)CResult.Call(process, SyscallNumber.preadv, fd, pieces, count, offset);

    [UnmanagedCallersOnly(EntryPoint = "portico_pwritev", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Pwritev(nint process, int fd, nint pieces, int count, long offset) =>
        (nint)CResult.Call(process, SyscallNumber.pwritev, fd, pieces, count, offset);

    [UnmanagedCallersOnly(EntryPoint = "portico_lseek", CallConvs = [typeof(CallConvCdecl)])]
    public static long Lseek(nint process, int fd, long offset, int whence) => CResult.Call(process, SyscallNumber.lseek, fd, offset, whence);

    [UnmanagedCallersOnly(EntryPoint = "portico_ftruncate", CallConvs = [typeof(CallConvCdecl)])]
    public static int Ftruncate(nint process, int fd, long length) => (int)CResult.Call(process, SyscallNumber.ftruncate, fd, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_fsync", CallConvs = [typeof(CallConvCdecl)])]
    public static int Fsync(nint process, int fd) => (int)CResult.Call(process, SyscallNumber.fsync, fd);

    [UnmanagedCallersOnly(EntryPoint = "portico_splice", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Splice(nint process, int source, nint sourceOffset, int target, nint targetOffset, nint count, uint flags) =>
        (nint)CResult.Call(process, SyscallNumber.splice, source, sourceOffset, target, targetOffset, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_tee", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Tee(nint process, int source, int target, nint count, uint flags) =>
        (nint)CResult.Call(process, SyscallNumber.tee, source, target, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_vmsplice", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Vmsplice(nint process, int fd, nint pieces, nint count, uint flags) =>
        (nint)CResult.Call(process, SyscallNumber.vmsplice, fd, pieces, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_sendfile", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Sendfile(nint process, int target, int source, nint offset, nint count) =>
        (nint)CResult.Call(process, SyscallNumber.sendfile, target, source, offset, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_copy_file_range", CallConvs = [typeof(CallConvCdecl)])]
    public static nint CopyFileRange(nint process, int source, nint sourceOffset, int target, nint targetOffset, nint count, uint flags) =>
        (nint)CResult.Call(process, SyscallNumber.copy_file_range, source, sourceOffset, target, targetOffset, count, flags);
}
