using Portico.Net;

namespace Portico.Kernel;

/// <summary>Reads the numbers of a setting, as the process sees them that asks.</summary>
internal delegate void SysctlGetter(Process caller, Span<long> values);

/// <summary>Sets them. Errors: EINVAL.</summary>
internal delegate Errno SysctlSetter(Process caller, ReadOnlySpan<long> values);

/// <summary>A setting of numbers under /proc/sys: it is where the kernel or the stack keeps it, and nowhere else.</summary>
/// <param name="Path">Its path below /proc/sys, with dots.</param>
/// <param name="Count">How many numbers it has.</param>
/// <param name="Least">The least that each may be.</param>
/// <param name="Most">The most that each may be.</param>
/// <param name="Get">Reads them.</param>
/// <param name="Set">Sets them; null for what is only for reading.</param>
internal sealed record Sysctl(string Path, int Count, long Least, long Most, SysctlGetter Get, SysctlSetter? Set)
{
    /// <summary>Whether the call says that all was taken, whatever follows the number (do_proc_douintvec), as for settings of a byte.</summary>
    public bool IsUnsigned { get; init; }

    /// <summary>Whether it is an unsigned long in Linux (do_proc_doulongvec_minmax), kept here with the same bits.</summary>
    public bool IsUnsignedLong { get; init; }

    /// <summary>Whether a minus, also before 0, is wrong.</summary>
    public bool HasNoSign => IsUnsignedLong || (IsUnsigned && Least >= 0);

    /// <summary>Whether a wrong number leaves the others as they were, too.</summary>
    public bool IsAtomic { get; init; }

    /// <summary>A number of the kernel.</summary>
    public static Sysctl OfKernel(string path, long least, long most, Func<KernelSettings, long> get, Action<KernelSettings, long> set) =>
        new(path, 1, least, most,
            (caller, values) => values[0] = get(caller.Kernel.Settings),
            (caller, values) => Done(set, caller.Kernel.Settings, values[0]));

    /// <summary>A number of the caller's network namespace.</summary>
    public static Sysctl OfNetwork(string path, long least, long most, Func<NetworkStack, long> get, Action<NetworkStack, long> set) =>
        new(path, 1, least, most,
            (caller, values) => values[0] = get(caller.Network),
            (caller, values) => Done(set, caller.Network, values[0]));

    /// <summary>A number of a byte, most of which are yes and no.</summary>
    public static Sysctl OfByte(string path, long most, Func<TcpSettings, long> get, Action<TcpSettings, long> set, long least = 0) =>
        OfNetwork(path, least, most, stack => get(stack.Tcp.Settings), (stack, value) => set(stack.Tcp.Settings, value)) with { IsUnsigned = true };

    /// <summary>A number of TCP.</summary>
    public static Sysctl OfTcp(string path, Func<TcpSettings, long> get, Action<TcpSettings, long> set, long least = int.MinValue, long most = int.MaxValue) =>
        OfNetwork(path, least, most, stack => get(stack.Tcp.Settings), (stack, value) => set(stack.Tcp.Settings, value));

    /// <summary>A number of TCP that Linux has as an unsigned long.</summary>
    public static Sysctl OfUnsignedLong(string path, Func<TcpSettings, ulong> get, Action<TcpSettings, ulong> set) =>
        OfNetwork(path, long.MinValue, long.MaxValue, stack => (long)get(stack.Tcp.Settings), (stack, value) => set(stack.Tcp.Settings, (ulong)value))
            with { IsUnsignedLong = true };

    private static Errno Done<T>(Action<T, long> set, T settings, long value)
    {
        set(settings, value);
        return Errno.None;
    }
}
