using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Native;

/// <summary>Kernels, their time, and processes. What each does is written in portico.h.</summary>
internal static unsafe class KernelEntries
{
    private static readonly nint s_version = Marshal.StringToCoTaskMemUTF8(typeof(KernelEntries).Assembly.GetName().Version!.ToString(3));

    [UnmanagedCallersOnly(EntryPoint = "portico_version", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Version() => s_version;

    [UnmanagedCallersOnly(EntryPoint = "portico_kernel_create", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Create() => Handle.Make(new NativeKernel(null));

    [UnmanagedCallersOnly(EntryPoint = "portico_kernel_create_virtual", CallConvs = [typeof(CallConvCdecl)])]
    public static nint CreateVirtual(ulong seed) => Handle.Make(new NativeKernel(new VirtualTime(new VirtualTimeOptions { Seed = seed })));

    [UnmanagedCallersOnly(EntryPoint = "portico_kernel_destroy", CallConvs = [typeof(CallConvCdecl)])]
    public static void Destroy(nint kernel)
    {
        if (kernel != 0)
        {
            Handle.Get<NativeKernel>(kernel).Dispose();
            Handle.Free(kernel);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_time_now", CallConvs = [typeof(CallConvCdecl)])]
    public static long Now(nint kernel) => Handle.Get<NativeKernel>(kernel).Now().Nanoseconds;

    [UnmanagedCallersOnly(EntryPoint = "portico_time_run", CallConvs = [typeof(CallConvCdecl)])]
    public static int Run(nint kernel, long nanoseconds)
    {
        if (Handle.Get<NativeKernel>(kernel).Time is not { } time || nanoseconds < 0)
        {
            return CResult.Return(Errno.EINVAL);
        }

        return time.RunUntil(time.Now + new Duration(nanoseconds)) ? 1 : 0;
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_time_blocked", CallConvs = [typeof(CallConvCdecl)])]
    public static int Blocked(nint kernel) => Handle.Get<NativeKernel>(kernel).Time is { } time ? time.Blocked : CResult.Return(Errno.EINVAL);

    [UnmanagedCallersOnly(EntryPoint = "portico_process_create", CallConvs = [typeof(CallConvCdecl)])]
    public static nint CreateProcess(nint kernel, byte* name, uint user, uint group)
    {
        NativeKernel owner = Handle.Get<NativeKernel>(kernel);
        ProcessOptions options = new() { Name = Marshal.PtrToStringUTF8((nint)name) ?? "portico", UserId = (int)user, GroupId = (int)group };
        return owner.Keep(new NativeProcess(owner, owner.Kernel.CreateProcess(options)));
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_process_fork", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Fork(nint process)
    {
        NativeProcess parent = Handle.Get<NativeProcess>(process);
        return parent.Owner.Keep(new NativeProcess(parent.Owner, parent.Process.Fork()));
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_process_exit", CallConvs = [typeof(CallConvCdecl)])]
    public static void Exit(nint process)
    {
        if (process != 0)
        {
            NativeProcess ending = Handle.Get<NativeProcess>(process);
            ending.Process.Exit();
            ending.Owner.Forget(process);
        }
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_command", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Command(nint process, byte* line, byte* output, nint size)
    {
        StringBuilder text = new();
        if (!Handle.Get<NativeProcess>(process).Commands.Run(Marshal.PtrToStringUTF8((nint)line) ?? "", text))
        {
            return CResult.Return(Errno.EINVAL);
        }

        byte[] bytes = Encoding.UTF8.GetBytes(text.ToString());
        if (size > 0)
        {
            int count = (int)Math.Min(bytes.Length, size - 1);
            bytes.AsSpan(0, count).CopyTo(new Span<byte>(output, count));
            output[count] = 0;
        }

        return bytes.Length;
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_syscall", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Syscall(nint process, nint number, nint a0, nint a1, nint a2, nint a3, nint a4, nint a5) =>
        (nint)CResult.Call(process, (SyscallNumber)number, a0, a1, a2, a3, a4, a5);
}
