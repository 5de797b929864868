using Portico.Net;

namespace Portico.Kernel;

// Sessions and process groups (credentials(7)).
public sealed partial class Process
{
    private bool _hasExecuted;

    /// <summary>Its process group; a process that the embedder makes begins with one and a session of its own.</summary>
    internal ProcessGroup Group { get; private set; } = null!;

    internal bool IsSessionLeader => Group.Session.Leader == this;

    /// <summary>The terminal that /dev/tty is for it (tty(4)); null for none. Each process has it from its parent.</summary>
    internal PseudoTerminal? ControllingTerminal { get; set; }

    /// <summary>setsid(2): makes a session and a group with the process's number, and no terminal. Errors: EPERM for the leader of a group.</summary>
    public SyscallResult Setsid()
    {
        using (Driver.Enter())
        {
            if (Kernel.FindGroup(Id) != null)
            {
                return Errno.EPERM;
            }

            ControllingTerminal = null;
            BeginSession();
            return Id;
        }
    }

    /// <summary>getsid(2); 0 asks for the caller's. Errors: ESRCH.</summary>
    public SyscallResult Getsid(int processId)
    {
        using (Driver.Enter())
        {
            return Find(processId) is { } process ? process.Group.Session.Id : Errno.ESRCH;
        }
    }

    /// <summary>getpgid(2); 0 asks for the caller's. Errors: ESRCH.</summary>
    public SyscallResult Getpgid(int processId)
    {
        using (Driver.Enter())
        {
            return Find(processId) is { } process ? process.Group.Id : Errno.ESRCH;
        }
    }

    /// <summary>
    /// setpgid(2): puts the caller or a child of it into a group, or where <paramref name="groupId"/> is 0 or the process's own number into a new
    /// one. Errors: EINVAL, ESRCH, EPERM for another session or its leader, EACCES for a child that has called exec.
    /// </summary>
    public SyscallResult Setpgid(int processId, int groupId)
    {
        using (Driver.Enter())
        {
            groupId = groupId == 0 ? (processId == 0 ? Id : processId) : groupId;
            if (groupId < 0)
            {
                return Errno.EINVAL;
            }

            Process? target = Find(processId);
            if (target == null || (target != this && target.Parent != this))
            {
                return Errno.ESRCH;
            }

            Session session = Group.Session;
            ProcessGroup? group = Kernel.FindGroup(groupId);
            Errno error = target != this && target.Group.Session != session ? Errno.EPERM
                : target != this && target._hasExecuted ? Errno.EACCES
                : target.IsSessionLeader ? Errno.EPERM
                : groupId != target.Id && group?.Session != session ? Errno.EPERM
                : Errno.None;
            if (error == Errno.None && group != target.Group)
            {
                target.Join(group ?? Kernel.AddGroup(target.Id, session));
            }

            return error;
        }
    }

    private Process? Find(int processId) => processId == 0 ? this : Kernel.Find(processId);

    /// <summary>Under the lock: the process becomes the leader of a new session.</summary>
    private void BeginSession() => Join(Kernel.AddGroup(Id, new Session(this)));

    private void Join(ProcessGroup group)
    {
        LeaveGroup();
        Group = group;
        group.Members.Add(this);
    }

    private void LeaveGroup()
    {
        if (Group?.Members.Remove(this) == true && Group.Members.Count == 0)
        {
            Kernel.RemoveGroup(Group);
        }
    }

    /// <summary>Under the lock, at its end: a session loses its terminal with its leader.</summary>
    private void LeaveSession()
    {
        if (!IsSessionLeader)
        {
            return;
        }

        Session session = Group.Session;
        session.Leader = null;
        if (ControllingTerminal is { } terminal)
        {
            terminal.Foreground?.Signal(new SignalInfo(Signal.SIGHUP, SignalInfo.SI_KERNEL));
            terminal.LeaveSession();
        }
        else
        {
            session.OldForeground?.Signal(new SignalInfo(Signal.SIGHUP, SignalInfo.SI_KERNEL));
            session.OldForeground?.Signal(new SignalInfo(Signal.SIGCONT, SignalInfo.SI_KERNEL));
        }
    }
}
