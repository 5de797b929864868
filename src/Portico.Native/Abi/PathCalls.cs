using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native;

/// <summary>The file system, and what a process is. What each does is written in portico.h; here words go to the kernel as they are.</summary>
internal static class PathCalls
{
    [UnmanagedCallersOnly(EntryPoint = "portico_stat", CallConvs = [typeof(CallConvCdecl)])]
    public static int Stat(nint process, nint path, nint status) => (int)CResult.Call(process, SyscallNumber.stat, path, status);

    [UnmanagedCallersOnly(EntryPoint = "portico_lstat", CallConvs = [typeof(CallConvCdecl)])]
    public static int Lstat(nint process, nint path, nint status) => (int)CResult.Call(process, SyscallNumber.lstat, path, status);

    [UnmanagedCallersOnly(EntryPoint = "portico_fstat", CallConvs = [typeof(CallConvCdecl)])]
    public static int Fstat(nint process, int fd, nint status) => (int)CResult.Call(process, SyscallNumber.fstat, fd, status);

    [UnmanagedCallersOnly(EntryPoint = "portico_access", CallConvs = [typeof(CallConvCdecl)])]
    public static int Access(nint process, nint path, int mode) => (int)CResult.Call(process, SyscallNumber.access, path, mode);

    [UnmanagedCallersOnly(EntryPoint = "portico_mkdir", CallConvs = [typeof(CallConvCdecl)])]
    public static int Mkdir(nint process, nint path, uint mode) => (int)CResult.Call(process, SyscallNumber.mkdir, path, mode);

    [UnmanagedCallersOnly(EntryPoint = "portico_rmdir", CallConvs = [typeof(CallConvCdecl)])]
    public static int Rmdir(nint process, nint path) => (int)CResult.Call(process, SyscallNumber.rmdir, path);

    [UnmanagedCallersOnly(EntryPoint = "portico_unlink", CallConvs = [typeof(CallConvCdecl)])]
    public static int Unlink(nint process, nint path) => (int)CResult.Call(process, SyscallNumber.unlink, path);

    [UnmanagedCallersOnly(EntryPoint = "portico_rename", CallConvs = [typeof(CallConvCdecl)])]
    public static int Rename(nint process, nint source, nint target) => (int)CResult.Call(process, SyscallNumber.rename, source, target);

    [UnmanagedCallersOnly(EntryPoint = "portico_link", CallConvs = [typeof(CallConvCdecl)])]
    public static int Link(nint process, nint source, nint target) => (int)CResult.Call(process, SyscallNumber.link, source, target);

    [UnmanagedCallersOnly(EntryPoint = "portico_symlink", CallConvs = [typeof(CallConvCdecl)])]
    public static int Symlink(nint process, nint target, nint path) => (int)CResult.Call(process, SyscallNumber.symlink, target, path);

    [UnmanagedCallersOnly(EntryPoint = "portico_readlink", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Readlink(nint process, nint path, nint buffer, nint count) =>
        (nint)CResult.Call(process, SyscallNumber.readlink, path, buffer, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_chmod", CallConvs = [typeof(CallConvCdecl)])]
    public static int Chmod(nint process, nint path, uint mode) => (int)CResult.Call(process, SyscallNumber.chmod, path, mode);

    [UnmanagedCallersOnly(EntryPoint = "portico_truncate", CallConvs = [typeof(CallConvCdecl)])]
    public static int Truncate(nint process, nint path, long length) => (int)CResult.Call(process, SyscallNumber.truncate, path, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_chdir", CallConvs = [typeof(CallConvCdecl)])]
    public static int Chdir(nint process, nint path) => (int)CResult.Call(process, SyscallNumber.chdir, path);

    [UnmanagedCallersOnly(EntryPoint = "portico_fchdir", CallConvs = [typeof(CallConvCdecl)])]
    public static int Fchdir(nint process, int fd) => (int)CResult.Call(process, SyscallNumber.fchdir, fd);

    [UnmanagedCallersOnly(EntryPoint = "portico_getcwd", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Getcwd(nint process, nint buffer, nint count) => (nint)CResult.Call(process, SyscallNumber.getcwd, buffer, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_getdents64", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Getdents64(nint process, int fd, nint buffer, nint count) =>
        (nint)CResult.Call(process, SyscallNumber.getdents64, fd, buffer, count);

    [UnmanagedCallersOnly(EntryPoint = "portico_umask", CallConvs = [typeof(CallConvCdecl)])]
    public static int Umask(nint process, uint mask) => (int)CResult.Call(process, SyscallNumber.umask, mask);

    [UnmanagedCallersOnly(EntryPoint = "portico_getpid", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getpid(nint process) => (int)CResult.Call(process, SyscallNumber.getpid);

    [UnmanagedCallersOnly(EntryPoint = "portico_getppid", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getppid(nint process) => (int)CResult.Call(process, SyscallNumber.getppid);

    [UnmanagedCallersOnly(EntryPoint = "portico_getuid", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getuid(nint process) => (int)CResult.Call(process, SyscallNumber.getuid);

    [UnmanagedCallersOnly(EntryPoint = "portico_getgid", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getgid(nint process) => (int)CResult.Call(process, SyscallNumber.getgid);

    [UnmanagedCallersOnly(EntryPoint = "portico_kill", CallConvs = [typeof(CallConvCdecl)])]
    public static int Kill(nint process, int processId, int signal) => (int)CResult.Call(process, SyscallNumber.kill, processId, signal);

    [UnmanagedCallersOnly(EntryPoint = "portico_getrlimit", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getrlimit(nint process, int resource, nint limit) => (int)CResult.Call(process, SyscallNumber.getrlimit, resource, limit);

    [UnmanagedCallersOnly(EntryPoint = "portico_setrlimit", CallConvs = [typeof(CallConvCdecl)])]
    public static int Setrlimit(nint process, int resource, nint limit) => (int)CResult.Call(process, SyscallNumber.setrlimit, resource, limit);
}
