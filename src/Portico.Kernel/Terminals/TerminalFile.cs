using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// An end of a pseudo-terminal as a file (pty(7)). All that have it open share one, until it is hung up: from then on that file reads nothing
/// and writes fail, and the end gets another one.
/// </summary>
internal sealed partial class TerminalFile(Terminal terminal) : KernelFile(terminal.Pair.Kernel.Driver)
{
    /// <summary>Linux takes a write apart into so many bytes.</summary>
    private const int WritePiece = 2048;

    public Terminal Terminal => terminal;

    private PseudoTerminal Pair => terminal.Pair;

    /// <summary>Whether it has been hung up.</summary>
    public bool IsHungUp { get; private set; }

    internal override FileType Type => FileType.CharacterDevice;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    internal override bool WritesAll => true;

    /// <summary>How long a read waits at most (VTIME).</summary>
    public TimeSpan ReadTime => terminal.Discipline.Time;

    public bool IsTimed => !IsHungUp && ReadTime > TimeSpan.Zero;

    /// <summary>Whether the time of a read begins with the read, and not with the first byte (VMIN 0).</summary>
    public bool TimesFirstByte => terminal.Discipline.Least == 0;

    public override SocketEvents Poll()
    {
        const SocketEvents Input = SocketEvents.Readable | SocketEvents.ReadNormal;
        const SocketEvents Output = SocketEvents.Writable | SocketEvents.WriteNormal;
        if (IsHungUp)
        {
            return Input | Output | SocketEvents.Error | SocketEvents.HangUp;
        }

        return (terminal.Discipline.IsReadable(isPoll: true) ? Input : 0)
            | (terminal.HasStatus ? Input | SocketEvents.Priority : 0)
            | (terminal.IsOtherClosed ? SocketEvents.HangUp : 0)
            | (terminal.WriteRoom > 0 ? Output : 0);
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        int got = (int)(destination.Total - destination.Remaining);
        if (IsHungUp)
        {
            return Errno.None;
        }

        Errno error = terminal.IsBroken ? Errno.EIO : got == 0 ? Pair.CheckChange(terminal, Signal.SIGTTIN) : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        if (destination.Remaining == 0)
        {
            return Errno.None;
        }

        if (terminal.HasStatus)
        {
            count = destination.Write([(byte)terminal.Other.Status]);
            terminal.Other.Status = 0;
            return Errno.None;
        }

        if (!terminal.Discipline.IsReadable(isPoll: false))
        {
            return terminal.IsOtherClosed ? Errno.EIO
                : (terminal.Discipline.Least == 0 && terminal.Discipline.Time == TimeSpan.Zero) || (got > 0 && description.IsNonBlocking) ? Errno.None
                : Errno.EAGAIN;
        }

        int statusBytes = terminal.IsPacketMode && got == 0 ? destination.Write([(byte)PacketStatus.TIOCPKT_DATA]) : 0;
        bool isDone = terminal.Discipline.Read(ref destination, got + statusBytes, out count);
        count += statusBytes;
        terminal.OnTaken();
        if (destination.HasFaulted)
        {
            count = destination.Total - destination.Remaining - got;
            return got + count > 0 ? Errno.None : Errno.EFAULT;
        }

        return isDone || description.IsNonBlocking ? Errno.None : Errno.EAGAIN;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        count = 0;
        Errno error = IsHungUp || terminal.IsBroken ? Errno.EIO
            : terminal.Modes.Has(LocalModes.TOSTOP) ? Pair.CheckChange(terminal)
            : Errno.None;
        if (error != Errno.None)
        {
            return error;
        }

        if (source.Lacks(long.MaxValue))
        {
            source.Limit(source.Present / WritePiece * WritePiece);
            if (source.Remaining == 0)
            {
                return Errno.EFAULT;
            }
        }

        while (source.Remaining > 0)
        {
            ReadOnlySpan<byte> piece = source.Next();
            piece = piece[..Math.Min(piece.Length, WritePiece)];
            int written = terminal.Discipline.Write(piece);
            source.Skip(written);
            count += written;
            if (written < piece.Length)
            {
                break;
            }
        }

        if (count > 0 && terminal.WriteRoom > 0)
        {
            // Each write ends with this, as in Linux: an edge-triggered epoll hears that there is room still.
            terminal.WakeWriters();
        }

        return count > 0 || source.Remaining == 0 ? Errno.None : Errno.EAGAIN;
    }

    internal void Wake(SocketEvents events) => Waiters.Notify(events, Driver);

    internal void WakeAll() => Waiters.NotifyAll(Driver);

    internal void HangUp()
    {
        IsHungUp = true;
        WakeAll();
    }

    internal override void OnOpened(OpenFileDescription description) => Pair.OnOpened(terminal);

    internal override void OnReleased(OpenFileDescription description)
    {
        if (!IsHungUp)
        {
            Pair.OnReleased(terminal);
        }
    }
}
