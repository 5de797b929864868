using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

// The session that the terminal controls, and which of its groups is in the foreground (credentials(7), tty_ioctl(4)).
internal sealed partial class PseudoTerminal
{
    /// <summary>The number of the group in the foreground; 0 for none.</summary>
    private int _foreground;

    public Session? Session { get; private set; }

    /// <summary>Who gets the signals of the keyboard, and may read; null also where the group that was put there is gone, or is yet to be made.</summary>
    public ProcessGroup? Foreground => _foreground == 0 ? null : Kernel.FindGroup(_foreground);

    public void SignalForeground(Signal signal) => Foreground?.Signal(new SignalInfo(signal, SignalInfo.SI_KERNEL));

    /// <summary>The session is without a terminal from now on.</summary>
    public void LeaveSession()
    {
        foreach (Process process in Kernel.ProcessesInNoOrder)
        {
            if (process.Group.Session == Session && process.ControllingTerminal == this)
            {
                process.ControllingTerminal = null;
            }
        }

        (Session, _foreground) = (null, 0);
    }

    /// <summary>The terminal is gone: the leader of its session is told.</summary>
    public void HangUpSession()
    {
        if (Session is not { } session)
        {
            return;
        }

        session.OldForeground = Foreground;
        LeaveSession();
        session.Leader?.Receive(new SignalInfo(Signal.SIGHUP, SignalInfo.SI_KERNEL));
        session.Leader?.Receive(new SignalInfo(Signal.SIGCONT, SignalInfo.SI_KERNEL));
    }

    /// <summary>Opening a terminal makes it the controlling one of a leader that has none.</summary>
    public void OnOpenedBy(Process opener)
    {
        if (opener.IsSessionLeader && opener.ControllingTerminal == null && Session == null)
        {
            Control(opener);
        }
    }

    /// <summary>
    /// Whether a process may change the terminal (or with SIGTTIN read from it): one in the background of its controlling terminal gets the
    /// signal together with its group, unless it would do nothing. Errors: EINTR where it was sent, EIO where nobody could go on afterwards.
    /// </summary>
    public Errno CheckChange(Terminal end, Signal signal = Signal.SIGTTOU)
    {
        Process? caller = Kernel.Caller;
        if (end.IsMaster || caller == null || caller.ControllingTerminal != this || _foreground == 0 || caller.Group.Id == _foreground)
        {
            return Errno.None;
        }

        if (caller.BlocksOrIgnores(signal))
        {
            return signal == Signal.SIGTTIN ? Errno.EIO : Errno.None;
        }

        if (caller.Group.IsOrphaned)
        {
            return Errno.EIO;
        }

        caller.Group.Signal(new SignalInfo(signal, SignalInfo.SI_KERNEL));
        return Errno.EINTR;
    }

    /// <summary>TIOCSCTTY. Errors: EPERM.</summary>
    public Errno SetControlling(OpenFileDescription description, bool steals)
    {
        Process caller = Kernel.Caller!;
        if (caller.IsSessionLeader && caller.Group.Session == Session)
        {
            return Errno.None;
        }

        bool isFree = Session == null || (steals && caller.IsPrivileged);
        if (!caller.IsSessionLeader || caller.ControllingTerminal != null || !isFree || !(description.IsReadable || caller.IsPrivileged))
        {
            return Errno.EPERM;
        }

        LeaveSession();
        Control(caller);
        return Errno.None;
    }

    /// <summary>TIOCNOTTY: a process gives the terminal up, a leader for its whole session. Errors: ENOTTY.</summary>
    public Errno GiveUp()
    {
        Process caller = Kernel.Caller!;
        if (caller.ControllingTerminal != this)
        {
            return Errno.ENOTTY;
        }

        if (caller.IsSessionLeader)
        {
            ProcessGroup? foreground = Foreground;
            foreground?.Signal(new SignalInfo(Signal.SIGHUP, SignalInfo.SI_KERNEL));
            foreground?.Signal(new SignalInfo(Signal.SIGCONT, SignalInfo.SI_KERNEL));
            LeaveSession();
        }

        caller.ControllingTerminal = null;
        return Errno.None;
    }

    /// <summary>TIOCGPGRP and TIOCGSID; a master may ask for any. Errors: ENOTTY.</summary>
    public Errno GetGroup(Terminal end, bool ofSession, Span<byte> argument)
    {
        if ((!end.IsMaster && Kernel.Caller!.ControllingTerminal != this) || (ofSession && Session == null))
        {
            return Errno.ENOTTY;
        }

        if (argument.Length < sizeof(int))
        {
            return Errno.EFAULT;
        }

        BinaryPrimitives.WriteInt32LittleEndian(argument, ofSession ? Session!.Id : _foreground);
        return Errno.None;
    }

    /// <summary>TIOCSPGRP. Errors: ENOTTY, EINVAL, ESRCH, EPERM for a group of another session, EINTR.</summary>
    public Errno SetForeground(ReadOnlySpan<byte> argument)
    {
        Errno error = CheckChange(Slave);
        if (error != Errno.None)
        {
            return error == Errno.EIO ? Errno.ENOTTY : error;
        }

        if (argument.Length < sizeof(int))
        {
            return Errno.EFAULT;
        }

        int groupId = BinaryPrimitives.ReadInt32LittleEndian(argument);
        if (groupId < 0)
        {
            return Errno.EINVAL;
        }

        Process caller = Kernel.Caller!;
        if (caller.ControllingTerminal != this)
        {
            return Errno.ENOTTY;
        }

        // The number of a process that leads no group yet will do as well, as in Linux.
        Session? session = Kernel.FindGroup(groupId)?.Session ?? Kernel.Find(groupId)?.Group.Session;
        if (session != Session || session == null)
        {
            return session == null ? Errno.ESRCH : Errno.EPERM;
        }

        _foreground = groupId;
        return Errno.None;
    }

    private void Control(Process leader)
    {
        Session = leader.Group.Session;
        leader.ControllingTerminal = this;
        _foreground = leader.Group.Id;
    }
}
