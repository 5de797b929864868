using System.Buffers.Binary;

namespace Portico.Kernel;

/// <summary>A signal and where it comes from (siginfo_t of sigaction(2)).</summary>
/// <param name="Signal">Which it is.</param>
/// <param name="Code">
/// si_code: 0 for kill(2), -1 for sigqueue(3), -6 for tgkill(2), 0x80 for the kernel; of a child 1 where it has exited, 2 where a signal ended it.
/// </param>
/// <param name="ProcessId">The process that sent it, or the child; 0 for the kernel.</param>
/// <param name="UserId">That process's user.</param>
public readonly record struct SignalInfo(Signal Signal, int Code, int ProcessId = 0, int UserId = 0)
{
    internal const int SI_USER = 0;
    internal const int SI_TIMER = -2;
    internal const int SI_SIGIO = -5;
    internal const int SI_TKILL = -6;
    internal const int SI_KERNEL = 0x80;
    internal const int CLD_EXITED = 1;
    internal const int CLD_KILLED = 2;

    /// <summary>Bytes of struct signalfd_siginfo, and of siginfo_t.</summary>
    internal const int Bytes = 128;

    /// <summary>The last of the codes that say what became of a child (CLD_CONTINUED).</summary>
    private const int ChildCodeMax = 6;

    /// <summary>The last of those that say what a descriptor is ready for (POLL_HUP).</summary>
    private const int PollCodeMax = 6;

    /// <summary>si_errno: what the sender has put there.</summary>
    public int ErrorNumber { get; init; }

    /// <summary>si_value of sigqueue(3); for SIGCHLD what the child has exited with, or the signal that ended it (si_status).</summary>
    public long Value { get; init; }

    /// <summary>What the fields mean, by where the signal says that it comes from (siginfo_layout).</summary>
    private enum InfoLayout
    {
        Sender,
        Queued,
        Timer,
        Poll,
        Child,
        Fault,
    }

    private InfoLayout Layout => Code switch
    {
        SI_TIMER => InfoLayout.Timer,
        SI_SIGIO => InfoLayout.Poll,
        < 0 => InfoLayout.Queued,
        SI_USER or >= SI_KERNEL => InfoLayout.Sender,
        _ when Code <= FaultCodeMax => InfoLayout.Fault,
        <= ChildCodeMax when Signal == Signal.SIGCHLD => InfoLayout.Child,
        <= PollCodeMax => InfoLayout.Poll,
        _ => InfoLayout.Sender,
    };

    /// <summary>The last code of the kernel's own for a signal of a fault, which comes with an address; 0 for other signals.</summary>
    private int FaultCodeMax => Signal switch
    {
        Signal.SIGILL => 11,
        Signal.SIGFPE => 15,
        Signal.SIGSEGV => 10,
        Signal.SIGBUS => 5,
        Signal.SIGTRAP => 6,
        _ => 0,
    };

    /// <summary>Takes a siginfo_t as a sender has written it, for a signal.</summary>
    internal static SignalInfo Read(ReadOnlySpan<byte> from, Signal signal) => new(
        signal,
        BinaryPrimitives.ReadInt32LittleEndian(from[8..]),
        BinaryPrimitives.ReadInt32LittleEndian(from[16..]),
        BinaryPrimitives.ReadInt32LittleEndian(from[20..]))
    {
        ErrorNumber = BinaryPrimitives.ReadInt32LittleEndian(from[4..]),
        Value = BinaryPrimitives.ReadInt64LittleEndian(from[24..]),
    };

    /// <summary>Writes it as siginfo_t.</summary>
    internal void WriteInfo(Span<byte> to)
    {
        to.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(to, (int)Signal);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], ErrorNumber);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Code);
        BinaryPrimitives.WriteInt32LittleEndian(to[16..], ProcessId);
        BinaryPrimitives.WriteInt32LittleEndian(to[20..], UserId);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], Value);
    }

    /// <summary>Writes it as struct signalfd_siginfo, in which the fields of each kind of signal have places of their own.</summary>
    internal void Write(Span<byte> to)
    {
        to.Clear();
        BinaryPrimitives.WriteInt32LittleEndian(to, (int)Signal);
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], ErrorNumber);
        BinaryPrimitives.WriteInt32LittleEndian(to[8..], Code);
        switch (Layout)
        {
            case InfoLayout.Timer:
                BinaryPrimitives.WriteInt32LittleEndian(to[24..], ProcessId);
                BinaryPrimitives.WriteInt32LittleEndian(to[32..], UserId);
                WriteValue(to);
                break;
            case InfoLayout.Poll:
                BinaryPrimitives.WriteInt32LittleEndian(to[28..], ProcessId);
                BinaryPrimitives.WriteInt32LittleEndian(to[20..], (int)Value);
                break;
            case InfoLayout.Fault:
                BinaryPrimitives.WriteInt32LittleEndian(to[72..], ProcessId);
                BinaryPrimitives.WriteInt32LittleEndian(to[76..], UserId);
                break;
            default:
                BinaryPrimitives.WriteInt32LittleEndian(to[12..], ProcessId);
                BinaryPrimitives.WriteInt32LittleEndian(to[16..], UserId);
                if (Layout == InfoLayout.Child)
                {
                    BinaryPrimitives.WriteInt32LittleEndian(to[40..], (int)Value);
                }
                else if (Layout == InfoLayout.Queued)
                {
                    WriteValue(to);
                }

                break;
        }
    }

    private void WriteValue(Span<byte> to)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to[44..], (int)Value);
        BinaryPrimitives.WriteInt64LittleEndian(to[48..], Value);
    }
}

/// <summary>What a process wants done with a signal (struct sigaction).</summary>
/// <param name="Handler">0 for what the signal does by itself, 1 to ignore it; anything else is only kept, and means that it is caught.</param>
/// <param name="Flags">
/// SA_RESTART is heeded: reads and writes that wait are not ended by a signal that is caught so; and SA_NOCLDWAIT: children leave nothing to
/// wait for.
/// </param>
/// <param name="Restorer">Kept.</param>
/// <param name="Mask">Kept.</param>
internal readonly record struct SignalAction(ulong Handler, ulong Flags, ulong Restorer, ulong Mask)
{
    public const ulong SIG_DFL = 0;
    public const ulong SIG_IGN = 1;
    public const ulong SA_RESTART = 0x1000_0000;
    public const ulong SA_NOCLDWAIT = 2;
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
