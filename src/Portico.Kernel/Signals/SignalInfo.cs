using System.Buffers.Binary;

namespace Portico.Kernel;

/// <summary>A signal and where it comes from (siginfo_t of sigaction(2)).</summary>
/// <param name="Signal">Which it is.</param>
/// <param name="Code">si_code: 0 for kill(2), -6 for tgkill(2), 0x80 for the kernel, 1 for a child that has exited.</param>
/// <param name="ProcessId">The process that sent it, or the child; 0 for the kernel.</param>
/// <param name="UserId">That process's user.</param>
public readonly record struct SignalInfo(Signal Signal, int Code, int ProcessId = 0, int UserId = 0)
{
    internal const int SI_USER = 0;
    internal const int SI_TKILL = -6;
    internal const int SI_KERNEL = 0x80;
    internal const int CLD_EXITED = 1;

    /// <summary>Bytes of struct signalfd_siginfo.</summary>
    internal const int Bytes = 128;

    /// <summary>Writes it as struct signalfd_siginfo.</summary>
    internal void Write(Span<byte> to)
    {
        to.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(to, (int)Signal);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Code);
        BinaryPrimitives.WriteInt32LittleEndian(to[12..], ProcessId);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], UserId);
    }
}

/// <summary>What a process wants done with a signal (struct sigaction).</summary>
/// <param name="Handler">0 for what the signal does by itself, 1 to ignore it; anything else is only kept, and means that it is caught.</param>
/// <param name="Flags">SA_RESTART is heeded: reads and writes that wait are not ended by a signal that is caught so.</param>
/// <param name="Restorer">Kept.</param>
/// <param name="Mask">Kept.</param>
internal readonly record struct SignalAction(ulong Handler, ulong Flags, ulong Restorer, ulong Mask)
{
    public const ulong SIG_DFL = 0;
    public const ulong SIG_IGN = 1;
    public const ulong SA_RESTART = 0x1000_0000;
}

/// <summary>What rt_sigprocmask(2) does with the set that it is given.</summary>
public enum SignalMaskChange
{
#pragma warning disable CS1591, CA1707 // The names are those of sigprocmask(2).
    SIG_BLOCK = 0,
    SIG_UNBLOCK = 1,
    SIG_SETMASK = 2,
#pragma warning restore CS1591, CA1707
}
