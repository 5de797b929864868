using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Native;

/// <summary>Network devices, whose other end is the C program. What each does is written in portico.h.</summary>
internal static unsafe class DeviceEntries
{
    private const int MtuMin = 68;
    private const int MtuMax = 65_535;

    [UnmanagedCallersOnly(EntryPoint = "portico_device_create", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Create(nint kernel, byte* name, int mtu, int queueLength)
    {
        NativeKernel owner = Handle.Get<NativeKernel>(kernel);
        string text = Marshal.PtrToStringUTF8((nint)name) ?? "";
        Errno error = text.Length is 0 or > 15 || mtu is < MtuMin or > MtuMax || queueLength < 1 ? Errno.EINVAL : Errno.None;
        if (error == Errno.None)
        {
            using (owner.Kernel.Driver.Enter())
            {
                NetworkStack stack = owner.Kernel.DefaultNamespace;
                if (stack.Interfaces.All(other => other.Name != text))
                {
                    VirtualDevice link = new(owner.Kernel.Driver, mtu, queueLength);
                    return owner.Keep(new NativeDevice(owner, link, stack.AddInterface(text, link)));
                }
            }

            error = Errno.EEXIST;
        }

        CResult.Return(error);
        return 0;
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_device_destroy", CallConvs = [typeof(CallConvCdecl)])]
    public static void Destroy(nint device)
    {
        if (device == 0)
        {
            return;
        }

        NativeDevice ending = Handle.Get<NativeDevice>(device);
        using (ending.Owner.Kernel.Driver.Enter())
        {
            ending.Owner.Kernel.DefaultNamespace.RemoveInterface(ending.Interface);
        }

        while (ending.Link.TryTake([], out _, out _))
        {
        }

        ending.Owner.Forget(device);
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_device_send", CallConvs = [typeof(CallConvCdecl)])]
    public static int Send(nint device, byte* packet, nint length)
    {
        NativeDevice target = Handle.Get<NativeDevice>(device);
        Errno error = length is < 1 or > MtuMax ? Errno.EINVAL
            : target.Link.Inject(new ReadOnlySpan<byte>(packet, (int)length)) ? Errno.None : Errno.ENOBUFS;
        return CResult.Return(error);
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_device_receive", CallConvs = [typeof(CallConvCdecl)])]
    public static nint Receive(nint device, byte* buffer, nint size, long* nanoseconds, int timeoutMilliseconds)
    {
        NativeDevice source = Handle.Get<NativeDevice>(device);
        Errno error = source.Owner.Time is { } time
            ? WaitInVirtualTime(time, source.Link, timeoutMilliseconds)
            : source.Link.Wait(timeoutMilliseconds) ? Errno.None : Errno.EAGAIN;
        if (error != Errno.None)
        {
            return CResult.Return(error);
        }

        // Another thread may have been quicker.
        if (!source.Link.TryTake(new Span<byte>(buffer, (int)Math.Min(size, int.MaxValue)), out int length, out MonoTime stamp))
        {
            return CResult.Return(Errno.EAGAIN);
        }

        if (nanoseconds != null)
        {
            *nanoseconds = stamp.Nanoseconds;
        }

        return length;
    }

    [UnmanagedCallersOnly(EntryPoint = "portico_device_drops", CallConvs = [typeof(CallConvCdecl)])]
    public static long Drops(nint device) => Handle.Get<NativeDevice>(device).Link.Drops;

    private static Errno WaitInVirtualTime(VirtualTime time, VirtualDevice link, int timeoutMilliseconds)
    {
        MonoTime limit = timeoutMilliseconds < 0 ? MonoTime.Never : time.Now + Duration.FromMilliseconds(timeoutMilliseconds);
        return time.RunUntilPacket(link, limit) switch
        {
            VirtualStop.Packet => Errno.None,
            VirtualStop.Woken => Errno.EINTR,
            VirtualStop.NothingLeft when timeoutMilliseconds < 0 => Errno.EDEADLK,
            _ => Errno.EAGAIN,
        };
    }
}
