using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

// ioctl_tty(2).
internal sealed partial class TerminalFile
{
    private const int TCIFLUSH = 0;
    private const int TCOFLUSH = 1;
    private const int TCIOFLUSH = 2;
    private const int TCOOFF = 0;
    private const int TCOON = 1;
    private const int TCIOFF = 2;
    private const int TCION = 3;

    /// <summary>What the modes are asked of: a master answers for its slave.</summary>
    private Terminal Slave => Pair.Slave;

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (IsHungUp)
        {
            return request == IoctlRequest.TIOCSPGRP ? Errno.ENOTTY : Errno.EIO;
        }

        if (terminal.IsBroken)
        {
            return Errno.EIO;
        }

        int size = SizeOf(request);
        if (argument.Length < size)
        {
            return argument.IsEmpty ? Errno.EFAULT : Errno.EINVAL;
        }

        argument = size > 0 ? argument[..size] : argument;
        return RequestOnModes(request, argument, out Errno error) || RequestOnLine(request, argument, out error)
            || RequestOnJobs(description, request, argument, out error)
            || (terminal.IsMaster && RequestOnMaster(request, argument, out error)) ? error
            : Errno.ENOTTY;
    }

    /// <summary>Bytes of a request's argument.</summary>
    private int SizeOf(IoctlRequest request) => request switch
    {
        IoctlRequest.TCGETS or IoctlRequest.TCSETS or IoctlRequest.TCSETSW or IoctlRequest.TCSETSF => Termios.Bytes,
        IoctlRequest.TCGETS2 or IoctlRequest.TCSETS2 or IoctlRequest.TCSETSW2 or IoctlRequest.TCSETSF2 => Termios.Bytes2,
        IoctlRequest.TCGETA or IoctlRequest.TCSETA or IoctlRequest.TCSETAW or IoctlRequest.TCSETAF => Termios.BytesOld,
        IoctlRequest.TIOCGWINSZ or IoctlRequest.TIOCSWINSZ => TerminalSize.Bytes,
        IoctlRequest.FIONREAD or IoctlRequest.TIOCOUTQ or IoctlRequest.TCFLSH or IoctlRequest.TCXONC or IoctlRequest.TIOCGEXCL
            or IoctlRequest.TIOCGETD or IoctlRequest.TIOCSETD or IoctlRequest.TIOCGDEV or IoctlRequest.TIOCSCTTY => sizeof(int),
        IoctlRequest.TIOCGPTN or IoctlRequest.TIOCSPTLCK or IoctlRequest.TIOCGPTLCK or IoctlRequest.TIOCPKT or IoctlRequest.TIOCGPKT
            or IoctlRequest.TIOCSIG => terminal.IsMaster ? sizeof(int) : 0,
        _ => 0,
    };

    private bool RequestOnModes(IoctlRequest request, Span<byte> argument, out Errno error)
    {
        error = Errno.None;
        switch (request)
        {
            case IoctlRequest.TCGETS or IoctlRequest.TCGETS2:
                Slave.Modes.Write(argument);
                return true;
            case IoctlRequest.TCGETA:
                Slave.Modes.WriteOld(argument);
                return true;
            case IoctlRequest.TCSETS or IoctlRequest.TCSETSW or IoctlRequest.TCSETSF or IoctlRequest.TCSETS2 or IoctlRequest.TCSETSW2
                or IoctlRequest.TCSETSF2 or IoctlRequest.TCSETA or IoctlRequest.TCSETAW or IoctlRequest.TCSETAF:
                error = SetModes(request, argument);
                return true;
            case IoctlRequest.TIOCGWINSZ:
                Pair.Size.Write(argument);
                return true;
            case IoctlRequest.TIOCSWINSZ:
                Pair.Resize(TerminalSize.Read(argument));
                return true;
            default:
                return false;
        }
    }

    private Errno SetModes(IoctlRequest request, ReadOnlySpan<byte> argument)
    {
        Errno error = Pair.CheckChange(Slave);
        if (error != Errno.None)
        {
            return error;
        }

        Termios modes = Slave.Modes;
        if (argument.Length == Termios.BytesOld)
        {
            modes.ReadOld(argument);
        }
        else
        {
            modes.Read(argument);
        }

        modes.SettleSpeeds();
        if (request is IoctlRequest.TCSETSF or IoctlRequest.TCSETSF2 or IoctlRequest.TCSETAF)
        {
            Slave.FlushInput();
        }

        Slave.SetModes(modes);
        return Errno.None;
    }

    private bool RequestOnLine(IoctlRequest request, Span<byte> argument, out Errno error)
    {
        error = Errno.None;
        switch (request)
        {
            case IoctlRequest.FIONREAD:
                BinaryPrimitives.WriteInt32LittleEndian(argument, terminal.Discipline.Readable);
                return true;
            case IoctlRequest.TIOCOUTQ:
                // Nothing ever waits in a line that there is not.
                BinaryPrimitives.WriteInt32LittleEndian(argument, 0);
                return true;
            case IoctlRequest.TCFLSH:
                error = Flush(BinaryPrimitives.ReadInt32LittleEndian(argument));
                return true;
            case IoctlRequest.TCXONC:
                error = Pair.CheckChange(terminal);
                error = error == Errno.None ? ControlFlow(BinaryPrimitives.ReadInt32LittleEndian(argument)) : error;
                return true;
            case IoctlRequest.TCSBRK or IoctlRequest.TCSBRKP or IoctlRequest.TIOCSBRK or IoctlRequest.TIOCCBRK:
                // What was written has been sent, and there is no line that could break.
                error = Pair.CheckChange(terminal);
                return true;
            case IoctlRequest.TIOCEXCL or IoctlRequest.TIOCNXCL:
                terminal.IsExclusive = request == IoctlRequest.TIOCEXCL;
                return true;
            case IoctlRequest.TIOCGEXCL:
                BinaryPrimitives.WriteInt32LittleEndian(argument, terminal.IsExclusive ? 1 : 0);
                return true;
            case IoctlRequest.TIOCGETD:
                BinaryPrimitives.WriteInt32LittleEndian(argument, 0);
                return true;
            case IoctlRequest.TIOCSETD:
                error = Pair.CheckChange(terminal);
                error = error == Errno.None && BinaryPrimitives.ReadInt32LittleEndian(argument) != 0 ? Errno.EINVAL : error;
                return true;
            case IoctlRequest.TIOCGDEV:
                BinaryPrimitives.WriteInt32LittleEndian(argument, Pair.Device);
                return true;
            default:
                return false;
        }
    }

    private bool RequestOnJobs(OpenFileDescription description, IoctlRequest request, Span<byte> argument, out Errno error)
    {
        error = Errno.None;
        switch (request)
        {
            case IoctlRequest.TIOCSCTTY:
                error = Pair.SetControlling(description, BinaryPrimitives.ReadInt32LittleEndian(argument) == 1);
                return true;
            case IoctlRequest.TIOCNOTTY:
                error = terminal.IsMaster ? Errno.ENOTTY : Pair.GiveUp();
                return true;
            case IoctlRequest.TIOCGPGRP or IoctlRequest.TIOCGSID:
                error = Pair.GetGroup(terminal, request == IoctlRequest.TIOCGSID, argument);
                return true;
            case IoctlRequest.TIOCSPGRP:
                error = Pair.SetForeground(argument);
                return true;
            case IoctlRequest.TIOCSTI:
                error = Insert(argument);
                return true;
            case IoctlRequest.TIOCVHANGUP:
                if (!Pair.Kernel.Caller!.IsPrivileged)
                {
                    error = Errno.EPERM;
                    return true;
                }

                if (!terminal.IsMaster)
                {
                    Pair.HangUp();
                }

                return true;
            default:
                return false;
        }
    }

    /// <summary>TIOCSTI: a byte as if it had been typed, at one's own terminal only. Errors: EIO, EPERM.</summary>
    private Errno Insert(ReadOnlySpan<byte> character)
    {
        Process caller = Pair.Kernel.Caller!;
        bool isOwn = !terminal.IsMaster && caller.ControllingTerminal == Pair;
        if (!caller.IsPrivileged && (!Pair.Kernel.Settings.legacy_tiocsti || !isOwn))
        {
            return isOwn || !Pair.Kernel.Settings.legacy_tiocsti ? Errno.EIO : Errno.EPERM;
        }

        if (character.IsEmpty)
        {
            return Errno.EFAULT;
        }

        terminal.Discipline.Receive(character[..1], 0);
        return Errno.None;
    }

    private Errno Flush(int what)
    {
        bool isInput = what is TCIFLUSH or TCIOFLUSH;
        if (isInput)
        {
            terminal.Arriving.Flush();
        }

        Errno error = Pair.CheckChange(terminal);
        if (error != Errno.None || !(isInput || what == TCOFLUSH))
        {
            return error == Errno.None ? Errno.EINVAL : error;
        }

        if (isInput)
        {
            terminal.FlushInput();
        }

        if (what != TCIFLUSH)
        {
            terminal.FlushOutput();
        }

        return Errno.None;
    }

    private Errno ControlFlow(int what)
    {
        switch (what)
        {
            case TCOOFF or TCOON:
                terminal.StopByCall(what == TCOOFF);
                return Errno.None;
            case TCIOFF or TCION:
                byte character = terminal.Modes[what == TCIOFF ? ControlCharacter.VSTOP : ControlCharacter.VSTART];
                if (character != 0)
                {
                    terminal.SendUrgently(character);
                }

                return Errno.None;
            default:
                return Errno.EINVAL;
        }
    }

    private bool RequestOnMaster(IoctlRequest request, Span<byte> argument, out Errno error)
    {
        error = Errno.None;
        switch (request)
        {
            case IoctlRequest.TIOCGPTN:
                BinaryPrimitives.WriteInt32LittleEndian(argument, Pair.Number);
                return true;
            case IoctlRequest.TIOCSPTLCK:
                Pair.IsLocked = BinaryPrimitives.ReadInt32LittleEndian(argument) != 0;
                return true;
            case IoctlRequest.TIOCGPTLCK:
                BinaryPrimitives.WriteInt32LittleEndian(argument, Pair.IsLocked ? 1 : 0);
                return true;
            case IoctlRequest.TIOCPKT:
                terminal.SetPacketMode(BinaryPrimitives.ReadInt32LittleEndian(argument) != 0);
                return true;
            case IoctlRequest.TIOCGPKT:
                BinaryPrimitives.WriteInt32LittleEndian(argument, terminal.IsPacketMode ? 1 : 0);
                return true;
            case IoctlRequest.TIOCSIG:
                Signal signal = (Signal)BinaryPrimitives.ReadInt32LittleEndian(argument);
                error = signal is Signal.SIGINT or Signal.SIGQUIT or Signal.SIGTSTP ? Errno.None : Errno.EINVAL;
                if (error == Errno.None)
                {
                    Pair.SignalForeground(signal);
                }

                return true;
            default:
                return false;
        }
    }
}
