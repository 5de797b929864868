using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native;

/// <summary>Sockets: made, named, connected, set. What each does is written in portico.h; here words go to the kernel as they are.</summary>
internal static class SocketCalls
{
    [UnmanagedCallersOnly(EntryPoint = "portico_socket", CallConvs = [typeof(CallConvCdecl)])]
    public static int Socket(nint process, int domain, int type, int protocol) =>
        (int)CResult.Call(process, SyscallNumber.socket, domain, type, protocol);

    [UnmanagedCallersOnly(EntryPoint = "portico_socketpair", CallConvs = [typeof(CallConvCdecl)])]
    public static int Socketpair(nint process, int domain, int type, int protocol, nint descriptors) =>
        (int)CResult.Call(process, SyscallNumber.socketpair, domain, type, protocol, descriptors);

    [UnmanagedCallersOnly(EntryPoint = "portico_bind", CallConvs = [typeof(CallConvCdecl)])]
    public static int Bind(nint process, int fd, nint address, uint length) => (int)CResult.Call(process, SyscallNumber.bind, fd, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_listen", CallConvs = [typeof(CallConvCdecl)])]
    public static int Listen(nint process, int fd, int backlog) => (int)CResult.Call(process, SyscallNumber.listen, fd, backlog);

    [UnmanagedCallersOnly(EntryPoint = "portico_accept", CallConvs = [typeof(CallConvCdecl)])]
    public static int Accept(nint process, int fd, nint address, nint length) =>
        (int)CResult.Call(process, SyscallNumber.accept, fd, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_accept4", CallConvs = [typeof(CallConvCdecl)])]
    public static int Accept4(nint process, int fd, nint address, nint length, int flags) =>
        (int)CResult.Call(process, SyscallNumber.accept4, fd, address, length, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_connect", CallConvs = [typeof(CallConvCdecl)])]
    public static int Connect(nint process, int fd, nint address, uint length) =>
        (int)CResult.Call(process, SyscallNumber.connect, fd, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_shutdown", CallConvs = [typeof(CallConvCdecl)])]
    public static int Shutdown(nint process, int fd, int how) => (int)CResult.Call(process, SyscallNumber.shutdown, fd, how);

    [UnmanagedCallersOnly(EntryPoint = "portico_getsockname", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getsockname(nint process, int fd, nint address, nint length) =>
        (int)CResult.Call(process, SyscallNumber.getsockname, fd, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_getpeername", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getpeername(nint process, int fd, nint address, nint length) =>
        (int)CResult.Call(process, SyscallNumber.getpeername, fd, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_getsockopt", CallConvs = [typeof(CallConvCdecl)])]
    public static int Getsockopt(nint process, int fd, int level, int option, nint value, nint length) =>
        (int)CResult.Call(process, SyscallNumber.getsockopt, fd, level, option, value, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_setsockopt", CallConvs = [typeof(CallConvCdecl)])]
    public static int Setsockopt(nint process, int fd, int level, int option, nint value, uint length) =>
        (int)CResult.Call(process, SyscallNumber.setsockopt, fd, level, option, value, length);
}
