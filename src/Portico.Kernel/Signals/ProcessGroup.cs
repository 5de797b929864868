namespace Portico.Kernel;

/// <summary>A session (setsid(2)): process groups that a terminal may control together.</summary>
internal sealed class Session(Process leader)
{
    public int Id { get; } = leader.Id;

    /// <summary>Who made it; null once that process has exited.</summary>
    public Process? Leader { get; set; } = leader;

    /// <summary>Who was in the foreground of a terminal that was hung up: they hear of the leader's end.</summary>
    public ProcessGroup? OldForeground { get; set; }
}

/// <summary>A process group (setpgid(2)): who gets a signal together.</summary>
internal sealed class ProcessGroup(int id, Session session)
{
    public int Id { get; } = id;

    public Session Session { get; } = session;

    public List<Process> Members { get; } = [];

    /// <summary>
    /// Whether nobody would notice that it is stopped: no member's parent is in another group of the session.
    /// </summary>
    public bool IsOrphaned
    {
        get
        {
            foreach (Process member in Members)
            {
                if (!member.HasExited && member.Parent is { } parent && parent.Group != this && parent.Group.Session == Session)
                {
                    return false;
                }
            }

            return true;
        }
    }

    public void Signal(in SignalInfo info)
    {
        // A member that exits by the signal leaves the list.
        foreach (Process member in (Process[])[.. Members])
        {
            member.Receive(info);
        }
    }
}
