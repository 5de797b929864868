using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native.Packetdrill;

// The system calls of the table: each as in the C library, behind the instance's pointer.
internal static unsafe partial class PacketdrillInterface
{
    private static long Call(nint self, SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0)
    {
        PacketdrillInstance instance = Begin(self);
        long result = LinuxAbi.Invoke(instance.Process, number, a0, a1, a2, a3, a4, a5);
        instance.Leave();
        return CResult.Return(result);
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Socket(nint self, int domain, int type, int protocol) => (int)Call(self, SyscallNumber.socket, domain, type, protocol);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Bind(nint self, int fd, nint address, uint length) => (int)Call(self, SyscallNumber.bind, fd, address, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Listen(nint self, int fd, int backlog) => (int)Call(self, SyscallNumber.listen, fd, backlog);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Accept(nint self, int fd, nint address, nint length) => (int)Call(self, SyscallNumber.accept, fd, address, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Connect(nint self, int fd, nint address, uint length) => (int)Call(self, SyscallNumber.connect, fd, address, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Read(nint self, int fd, nint buffer, nint count) => (nint)Call(self, SyscallNumber.read, fd, buffer, count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Readv(nint self, int fd, nint pieces, int count) => (nint)Call(self, SyscallNumber.readv, fd, pieces, count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Recv(nint self, int fd, nint buffer, nint count, int flags) => (nint)Call(self, SyscallNumber.recvfrom, fd, buffer, count, flags);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Recvfrom(nint self, int fd, nint buffer, nint count, int flags, nint address, nint length) =>
        (nint)Call(self, SyscallNumber.recvfrom, fd, buffer, count, flags, address, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Recvmsg(nint self, int fd, nint message, int flags) => (nint)Call(self, SyscallNumber.recvmsg, fd, message, flags);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Write(nint self, int fd, nint buffer, nint count) => (nint)Call(self, SyscallNumber.write, fd, buffer, count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Writev(nint self, int fd, nint pieces, int count) => (nint)Call(self, SyscallNumber.writev, fd, pieces, count);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Send(nint self, int fd, nint buffer, nint count, int flags) => (nint)Call(self, SyscallNumber.sendto, fd, buffer, count, flags);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Sendto(nint self, int fd, nint buffer, nint count, int flags, nint address, uint length) =>
        (nint)Call(self, SyscallNumber.sendto, fd, buffer, count, flags, address, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Sendmsg(nint self, int fd, nint message, int flags) => (nint)Call(self, SyscallNumber.sendmsg, fd, message, flags);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Fcntl(nint self, int fd, int command, nint argument) => (int)Call(self, SyscallNumber.fcntl, fd, command, argument);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Ioctl(nint self, int fd, nint request, nint argument) => (int)Call(self, SyscallNumber.ioctl, fd, request, argument);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Close(nint self, int fd) => (int)Call(self, SyscallNumber.close, fd);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Shutdown(nint self, int fd, int how) => (int)Call(self, SyscallNumber.shutdown, fd, how);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Getsockopt(nint self, int fd, int level, int name, nint value, nint length) =>
        (int)Call(self, SyscallNumber.getsockopt, fd, level, name, value, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Setsockopt(nint self, int fd, int level, int name, nint value, uint length) =>
        (int)Call(self, SyscallNumber.setsockopt, fd, level, name, value, length);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Poll(nint self, nint descriptors, nint count, int timeout) => (int)Call(self, SyscallNumber.poll, descriptors, count, timeout);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int EpollCreate(nint self, int size) => (int)Call(self, SyscallNumber.epoll_create, size);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int EpollCtl(nint self, int epoll, int operation, int fd, nint wanted) => (int)Call(self, SyscallNumber.epoll_ctl, epoll, operation, fd, wanted);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int EpollWait(nint self, int epoll, nint events, int count, int timeout) =>
        (int)Call(self, SyscallNumber.epoll_wait, epoll, events, count, timeout);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Pipe(nint self, nint descriptors) => (int)Call(self, SyscallNumber.pipe, descriptors);

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static nint Splice(nint self, int source, long* sourceOffset, int target, long* targetOffset, nint count, uint flags) =>
        (nint)Call(self, SyscallNumber.splice, source, Offset(sourceOffset), target, Offset(targetOffset), count, flags);

    /// <summary>packetdrill gives the address of what stands in the script, so that the script's NULL comes as the address of a 0.</summary>
    private static nint Offset(long* position) => position == null || *position == 0 ? 0 : (nint)position;
}
