using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A master and a slave (pty(7)): what is written to one is read from the other, on the slave's side through its line discipline. It has a
/// number, and a name in /dev/pts, while the master is open.
/// </summary>
internal sealed partial class PseudoTerminal
{
    private const int MajorOfSlave = 136;

    public PseudoTerminal(PseudoTerminals all, Process opener)
    {
        All = all;
        UserId = opener.UserId;
        GroupId = opener.GroupId;
        Master = new Terminal(this, isMaster: true);
        Slave = new Terminal(this, isMaster: false);
    }

    public PseudoTerminals All { get; }

    public PorticoKernel Kernel => All.Kernel;

    /// <summary>Who opened the master, and so owns the slave.</summary>
    public int UserId { get; }

    public int GroupId { get; }

    public Terminal Master { get; }

    public Terminal Slave { get; }

    /// <summary>N of /dev/pts/N; the lowest that was free when the master was opened.</summary>
    public int Number { get; set; }

    /// <summary>Whether the slave cannot be opened yet (unlockpt(3)).</summary>
    public bool IsLocked { get; set; } = true;

    public TerminalSize Size { get; private set; }

    /// <summary>The slave's device number, its minor number in two parts as in Linux.</summary>
    public int Device => DeviceOf(Number);

    public static int DeviceOf(int number) => (MajorOfSlave << 8) | (number & 0xFF) | ((number & ~0xFF) << 12);

    /// <summary>Opens the slave. Errors: EIO where it is locked or the master is closed, EBUSY where it is exclusive.</summary>
    public Errno OpenSlave(Process opener, OpenFlags flags, out KernelFile? file)
    {
        file = null;
        if (IsLocked || Master.IsBroken)
        {
            return Errno.EIO;
        }

        if (Slave.IsExclusive && !opener.IsPrivileged)
        {
            return Errno.EBUSY;
        }

        if ((flags & OpenFlags.O_NOCTTY) == 0 && (flags & OpenFlags.O_ACCMODE) != OpenFlags.O_WRONLY)
        {
            OnOpenedBy(opener);
        }

        file = Slave.File;
        return Errno.None;
    }

    public void Resize(TerminalSize size)
    {
        if (size != Size)
        {
            SignalForeground(Signal.SIGWINCH);
            Size = size;
        }
    }

    /// <summary>Whoever has the slave open is cut off (vhangup(2)).</summary>
    public void HangUp()
    {
        Slave.HangUp();
        HangUpSession();
    }

    public void OnOpened(Terminal end)
    {
        end.OpenCount++;
        if (end.IsMaster)
        {
            All.Add(this);
        }
        else
        {
            Slave.IsBroken = false;
            Master.IsOtherClosed = false;
        }
    }

    public void OnReleased(Terminal end)
    {
        if (--end.OpenCount > 0)
        {
            return;
        }

        end.IsBroken = true;
        if (end.IsMaster)
        {
            All.Remove(this);
            Master.SetPacketMode(false);
            Slave.OnOtherClosed();
            HangUp();
        }
        else
        {
            Master.OnOtherClosed();
        }
    }
}
