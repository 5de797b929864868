using Portico.Kernel;
using Portico.Net;

namespace Portico.Native;

/// <summary>A kernel that a C program has made, in real or virtual time, with what it has made in it.</summary>
internal sealed class NativeKernel : IDisposable
{
    private readonly List<nint> _handles = [];

    public NativeKernel(VirtualTime? time)
    {
        Time = time;
        Kernel = new PorticoKernel(time?.Driver);
    }

    public PorticoKernel Kernel { get; }

    /// <summary>Who moves its clock; null in real time.</summary>
    public VirtualTime? Time { get; }

    public MonoTime Now()
    {
        using (Kernel.Driver.Enter())
        {
            return Kernel.Driver.Engine.Now;
        }
    }

    /// <summary>A pointer that the kernel's end frees, if nobody has before.</summary>
    public nint Keep(object target)
    {
        nint handle = Handle.Make(target);
        lock (_handles)
        {
            _handles.Add(handle);
        }

        return handle;
    }

    public void Forget(nint handle)
    {
        lock (_handles)
        {
            _handles.Remove(handle);
        }

        Handle.Free(handle);
    }

    public void Dispose()
    {
        foreach (Process process in Kernel.Processes)
        {
            process.Exit();
        }

        // The calls that were blocked come back first, with EINTR.
        SpinWait spinner = default;
        while (Time != null && (Time.Runnable > 0 || Time.Blocked > 0))
        {
            spinner.SpinOnce();
        }

        Kernel.Dispose();
        Time?.Dispose();
        foreach (nint handle in _handles)
        {
            Handle.Free(handle);
        }
    }
}

/// <summary>A process and the kernel that it is of.</summary>
internal sealed record NativeProcess(NativeKernel Owner, Process Process)
{
    /// <summary>Its network's administrator.</summary>
    public NetworkCommands Commands { get; } = new(Process);
}

/// <summary>A device and the kernel that it is of.</summary>
internal sealed record NativeDevice(NativeKernel Owner, VirtualDevice Link, NetworkInterface Interface);
