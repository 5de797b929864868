using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Native;

/// <summary>Pipes, counters, timers, and waiting for descriptors. What each does is written in portico.h; here words go to the kernel as they are.</summary>
internal static class EventCalls
{
    [UnmanagedCallersOnly(EntryPoint = "portico_pipe", CallConvs = [typeof(CallConvCdecl)])]
    public static int Pipe(nint process, nint descriptors) => (int)CResult.Call(process, SyscallNumber.pipe, descriptors);

    [UnmanagedCallersOnly(EntryPoint = "portico_pipe2", CallConvs = [typeof(CallConvCdecl)])]
    public static int Pipe2(nint process, nint descriptors, int flags) => (int)CResult.Call(process, SyscallNumber.pipe2, descriptors, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_eventfd", CallConvs = [typeof(CallConvCdecl)])]
    public static int Eventfd(nint process, uint initial, int flags) => (int)CResult.Call(process, SyscallNumber.eventfd2, initial, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_timerfd_create", CallConvs = [typeof(CallConvCdecl)])]
    public static int TimerfdCreate(nint process, int clock, int flags) => (int)CResult.Call(process, SyscallNumber.timerfd_create, clock, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_timerfd_settime", CallConvs = [typeof(CallConvCdecl)])]
    public static int TimerfdSettime(nint process, int fd, int flags, nint value, nint before) =>
        (int)CResult.Call(process, SyscallNumber.timerfd_settime, fd, flags, value, before);

    [UnmanagedCallersOnly(EntryPoint = "portico_timerfd_gettime", CallConvs = [typeof(CallConvCdecl)])]
    public static int TimerfdGettime(nint process, int fd, nint value) => (int)CResult.Call(process, SyscallNumber.timerfd_gettime, fd, value);

    [UnmanagedCallersOnly(EntryPoint = "portico_memfd_create", CallConvs = [typeof(CallConvCdecl)])]
    public static int MemfdCreate(nint process, nint name, uint flags) => (int)CResult.Call(process, SyscallNumber.memfd_create, name, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_epoll_create", CallConvs = [typeof(CallConvCdecl)])]
    public static int EpollCreate(nint process, int size) => (int)CResult.Call(process, SyscallNumber.epoll_create, size);

    [UnmanagedCallersOnly(EntryPoint = "portico_epoll_create1", CallConvs = [typeof(CallConvCdecl)])]
    public static int EpollCreate1(nint process, int flags) => (int)CResult.Call(process, SyscallNumber.epoll_create1, flags);

    [UnmanagedCallersOnly(EntryPoint = "portico_epoll_ctl", CallConvs = [typeof(CallConvCdecl)])]
    public static int EpollCtl(nint process, int epoll, int operation, int fd, nint wanted) =>
        (int)CResult.Call(process, SyscallNumber.epoll_ctl, epoll, operation, fd, wanted);

    [UnmanagedCallersOnly(EntryPoint = "portico_epoll_wait", CallConvs = [typeof(CallConvCdecl)])]
    public static int EpollWait(nint process, int epoll, nint events, int count, int timeout) =>
        (int)CResult.Call(process, SyscallNumber.epoll_wait, epoll, events, count, timeout);

    [UnmanagedCallersOnly(EntryPoint = "portico_epoll_pwait2", CallConvs = [typeof(CallConvCdecl)])]
    public static int EpollPwait2(nint process, int epoll, nint events, int count, nint timeout) =>
        (int)CResult.Call(process, SyscallNumber.epoll_pwait2, epoll, events, count, timeout);

    [UnmanagedCallersOnly(EntryPoint = "portico_poll", CallConvs = [typeof(CallConvCdecl)])]
    public static int Poll(nint process, nint descriptors, nint count, int timeout) =>
        (int)CResult.Call(process, SyscallNumber.poll, descriptors, count, timeout);

    [UnmanagedCallersOnly(EntryPoint = "portico_ppoll", CallConvs = [typeof(CallConvCdecl)])]
    public static int Ppoll(nint process, nint descriptors, nint count, nint timeout) =>
        (int)CResult.Call(process, SyscallNumber.ppoll, descriptors, count, timeout);

    [UnmanagedCallersOnly(EntryPoint = "portico_select", CallConvs = [typeof(CallConvCdecl)])]
    public static int Select(nint process, int count, nint readable, nint writable, nint exceptional, nint timeout) =>
        (int)CResult.Call(process, SyscallNumber.select, count, readable, writable, exceptional, timeout);
}
