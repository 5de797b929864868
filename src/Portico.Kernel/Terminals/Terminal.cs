namespace Portico.Kernel;

/// <summary>
/// One end of a pseudo-terminal: its modes, its line discipline, and what the other end has written to it. It outlives the files that are
/// opened of it: what a slave has been sent while nobody has it open waits for whoever opens it next.
/// </summary>
internal sealed class Terminal
{
    public Termios Modes;

    private bool _isTaking;

    public Terminal(PseudoTerminal pair, bool isMaster)
    {
        Pair = pair;
        IsMaster = isMaster;
        Modes = isMaster ? Termios.Raw : Termios.Standard;
        Discipline = new LineDiscipline(this);
        Discipline.FindSpecial();
        File = new TerminalFile(this);
    }

    public PseudoTerminal Pair { get; }

    public bool IsMaster { get; }

    public Terminal Other => IsMaster ? Pair.Slave : Pair.Master;

    public LineDiscipline Discipline { get; }

    /// <summary>What is opened next; after a hang-up another one than before.</summary>
    public TerminalFile File { get; private set; }

    /// <summary>Descriptions that are open.</summary>
    public int OpenCount { get; set; }

    /// <summary>What the other end has written and the line discipline has not taken.</summary>
    public TerminalQueue Arriving { get; } = new();

    /// <summary>Whether all that had the other end open have closed it.</summary>
    public bool IsOtherClosed { get; set; }

    /// <summary>Whether it cannot be used any more: it has been closed.</summary>
    public bool IsBroken { get; set; }

    /// <summary>Whether its output is stopped, by VSTOP or a call.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>Whether a call stopped it (TCOOFF), so that no character starts it.</summary>
    public bool IsStoppedByCall { get; private set; }

    /// <summary>Of a master: whether reads begin with a byte of status (TIOCPKT).</summary>
    public bool IsPacketMode { get; private set; }

    /// <summary>Of a slave: what its master in packet mode has not heard of.</summary>
    public PacketStatus Status { get; set; }

    /// <summary>Whether only the privileged may open it once more (TIOCEXCL).</summary>
    public bool IsExclusive { get; set; }

    /// <summary>How much can be written (tty_write_room), in bytes; 0 while it is stopped.</summary>
    public int WriteRoom => IsStopped ? 0 : Other.Arriving.Room;

    /// <summary>Whether its master has a status to tell.</summary>
    public bool HasStatus => IsPacketMode && Other.Status != 0;

    /// <summary>Sends bytes to the other end as they are; returns how many.</summary>
    public int Send(ReadOnlySpan<byte> data)
    {
        if (IsStopped || data.IsEmpty)
        {
            return 0;
        }

        int sent = Other.Arriving.Append(data);
        if (!_isTaking)
        {
            Other.TakeArriving();
        }

        return sent;
    }

    /// <summary>
    /// Gives the line discipline what has come, as far as it takes it. What it echoes meanwhile gets to the other end afterwards: a signal
    /// character may take it back.
    /// </summary>
    public void TakeArriving()
    {
        _isTaking = true;
        GiveToDiscipline();
        _isTaking = false;
        Other.GiveToDiscipline();
    }

    private void GiveToDiscipline()
    {
        Arriving.FreeRead();
        while (!Arriving.IsEmpty)
        {
            ReadOnlySpan<byte> next = Arriving.Next;
            int taken = Discipline.Receive(next, Arriving.LookedAhead);
            bool isAll = taken == next.Length;
            Arriving.Consume(taken);
            if (!isAll)
            {
                Discipline.LookAhead(Arriving.All[Arriving.LookedAhead..]);
                Arriving.LookedAhead = Arriving.All.Length;
                return;
            }
        }
    }

    /// <summary>The line discipline has room again: what waits comes in, and writers that wait are told.</summary>
    public void OnTaken()
    {
        TakeArriving();
        if (Other.WriteRoom > 0)
        {
            Other.WakeWriters();
        }
    }

    public void WakeReaders() => File.Wake(Net.SocketEvents.Readable | Net.SocketEvents.ReadNormal);

    public void WakeWriters() => File.Wake(Net.SocketEvents.Writable | Net.SocketEvents.WriteNormal);

    public void Stop()
    {
        if (!IsStopped)
        {
            IsStopped = true;
            Report(PacketStatus.TIOCPKT_STOP, PacketStatus.TIOCPKT_START);
        }
    }

    public void Start()
    {
        if (IsStopped && !IsStoppedByCall)
        {
            IsStopped = false;
            Report(PacketStatus.TIOCPKT_START, PacketStatus.TIOCPKT_STOP);
            WakeWriters();
        }
    }

    /// <summary>TCOOFF and TCOON.</summary>
    public void StopByCall(bool stops)
    {
        if (stops && !IsStoppedByCall)
        {
            IsStoppedByCall = true;
            Stop();
        }
        else if (!stops && IsStoppedByCall)
        {
            IsStoppedByCall = false;
            Start();
        }
    }

    /// <summary>Sends a character although output may be stopped (TCIOFF, TCION).</summary>
    public void SendUrgently(byte character)
    {
        bool wasStopped = IsStopped;
        if (wasStopped)
        {
            Start();
        }

        Send([character]);
        if (wasStopped)
        {
            Stop();
        }
    }

    /// <summary>Takes back what the other end's line discipline has not taken yet.</summary>
    public void FlushOutput()
    {
        Other.Arriving.Flush();
        Report(PacketStatus.TIOCPKT_FLUSHWRITE);
        WakeWriters();
    }

    /// <summary>Forgets what nobody has read.</summary>
    public void FlushInput()
    {
        Discipline.Flush();
        OnTaken();
        OnInputFlushed();
    }

    public void OnInputFlushed() => Report(PacketStatus.TIOCPKT_FLUSHREAD);

    /// <summary>TCSETS and the like.</summary>
    public void SetModes(in Termios modes)
    {
        Termios before = Modes;
        Modes = modes;
        Modes.Control = (Modes.Control & ~(ControlModes.CSIZE | ControlModes.PARENB | ControlModes.ADDRB)) | ControlModes.CS8 | ControlModes.CREAD;
        bool stopped = HasUsualFlowControl(before);
        bool stops = HasUsualFlowControl(Modes);
        if (stops != stopped)
        {
            Report(
                stops ? PacketStatus.TIOCPKT_DOSTOP : PacketStatus.TIOCPKT_NOSTOP,
                stops ? PacketStatus.TIOCPKT_NOSTOP : PacketStatus.TIOCPKT_DOSTOP);
        }

        if (before.Has(LocalModes.EXTPROC) || Modes.Has(LocalModes.EXTPROC))
        {
            Report(PacketStatus.TIOCPKT_IOCTL);
        }

        Discipline.OnModesChanged(before);
        WakeReaders();
        WakeWriters();
    }

    /// <summary>TIOCPKT.</summary>
    public void SetPacketMode(bool isOn)
    {
        if (isOn && !IsPacketMode)
        {
            Other.Status = 0;
        }

        IsPacketMode = isOn;
    }

    /// <summary>The other end is gone: reads and writes that wait look again.</summary>
    public void OnOtherClosed()
    {
        IsOtherClosed = true;
        File.WakeAll();
    }

    /// <summary>Whoever has it open is cut off; who opens it from now on is not.</summary>
    public void HangUp()
    {
        File.HangUp();
        File = new TerminalFile(this);
        OpenCount = 0;
        Status = 0;
        Discipline.Flush();
    }

    private static bool HasUsualFlowControl(in Termios modes)
    {
        const byte XOn = 0x11;
        const byte XOff = 0x13;
        return modes.Has(InputModes.IXON) && modes[ControlCharacter.VSTOP] == XOff && modes[ControlCharacter.VSTART] == XOn;
    }

    /// <summary>A slave tells its master in packet mode.</summary>
    private void Report(PacketStatus status, PacketStatus instead = 0)
    {
        if (Other.IsPacketMode)
        {
            Status = (Status & ~instead) | status;
            Other.File.Wake(Net.SocketEvents.Readable | Net.SocketEvents.ReadNormal | Net.SocketEvents.Priority);
        }
    }
}

/// <summary>What a master in packet mode is told (TIOCPKT); 0 stands for data.</summary>
[Flags]
internal enum PacketStatus : byte
{
#pragma warning disable CA1707 // The names are those of TIOCPKT(2const).
    TIOCPKT_DATA = 0,
    TIOCPKT_FLUSHREAD = 1,
    TIOCPKT_FLUSHWRITE = 2,
    TIOCPKT_STOP = 4,
    TIOCPKT_START = 8,
    TIOCPKT_NOSTOP = 16,
    TIOCPKT_DOSTOP = 32,
    TIOCPKT_IOCTL = 64,
#pragma warning restore CA1707
}
