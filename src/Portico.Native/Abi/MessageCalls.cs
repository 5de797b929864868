using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native;

/// <summary>What is sent and received on sockets. What each does is written in portico.h; here words go to the kernel as they are.</summary>
internal static class MessageCalls
{
    [UnmanagedCallersOnly(EntryPoint = "portico_send", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Send(nint process, int fd, nint buffer, nint count, int flags) =>
        (nint)CResult.Call(process, SyscallNumber.sendto, fd, buffer, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_sendto", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Sendto(nint process, int fd, nint buffer, nint count, int flags, nint address, uint length) =>
        (nint)CResult.Call(process, SyscallNumber.sendto, fd, buffer, count, flags, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_sendmsg", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Sendmsg(nint process, int fd, nint message, int flags) =>
        (nint)CResult.Call(process, SyscallNumber.sendmsg, fd, message, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_sendmmsg", CallConvs = [typeof(CallConvCdecl)])]
    public static int Sendmmsg(nint process, int fd, nint messages, uint count, int flags) =>
        (int)CResult.Call(process, SyscallNumber.sendmmsg, fd, messages, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_recv", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Recv(nint process, int fd, nint buffer, nint count, int flags) =>
        (nint)CResult.Call(process, SyscallNumber.recvfrom, fd, buffer, count, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_recvfrom", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Recvfrom(nint process, int fd, nint buffer, nint count, int flags, nint address, nint length) =>
        (nint)CResult.Call(process, SyscallNumber.recvfrom, fd, buffer, count, flags, address, length);

    [UnmanagedCallersOnly(EntryPoint = "portico_recvmsg", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Recvmsg(nint process, int fd, nint message, int flags) =>
        (nint)CResult.Call(process, SyscallNumber.recvmsg, fd, message, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_recvmmsg", CallConvs = [typeof(CallConvCdecl)])]
    public static int Recvmmsg(nint process, int fd, nint messages, uint count, int flags, nint timeout) =>
        (int)CResult.Call(process, SyscallNumber.recvmmsg, fd, messages, count, flags, timeout);
}
