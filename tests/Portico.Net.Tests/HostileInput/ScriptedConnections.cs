namespace Portico.Net.Tests.HostileInput;

/// <summary>
/// The attacker's end of TCP connections that really exist: each is led by valid segments into one state, then attacked there with
/// segments that are right except for what the mutation changes.
/// </summary>
public sealed class ScriptedConnections
{
    private const int SlotCount = 22;

    private static readonly TcpState[] s_targets =
    [
        TcpState.SynSent, TcpState.SynReceived, TcpState.Established, TcpState.Established, TcpState.Established, TcpState.FinWait1,
        TcpState.FinWait2, TcpState.CloseWait, TcpState.Closing, TcpState.LastAck, TcpState.TimeWait,
    ];

    private sealed class Slot
    {
        public TcpState Target;
        public bool IsIpv4;
        public ushort Port;
        public ushort VictimPort;
        public IpAddress VictimAddress;
        public uint Iss;
        public uint Sequence;
        public uint VictimNext;
        public uint Acknowledged;
        public uint TsVal;
        public uint TsEcr;
        public bool HasTimestamps;
        public bool HasHandle;
        public bool SynSeen;
        public bool IsDead;
        public int Life;
        public TcpHandle Handle;
    }

    private readonly HostileWorld _world;
    private readonly RandomSource _random;
    private readonly HostileFrame _frame = new();
    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly Slot?[] _byPort = new Slot?[65_536];
    private ushort _nextPort = 1024;

    public ScriptedConnections(HostileWorld world, RandomSource random)
    {
        _world = world;
        _random = random;
        for (int i = 0; i < SlotCount; i++)
        {
            _slots[i] = new Slot { Target = s_targets[i / 2], IsIpv4 = i % 2 == 0 };
        }
    }

    /// <summary>How often a connection was led into a state and seen to be there, by the state's number.</summary>
    public long[] Reached { get; } = new long[(int)TcpState.TimeWait + 1];

    /// <summary>Takes up what a segment of the victim says about the connection.</summary>
    public void HandleOutput(in IpAddress destination, Packet packet, int headerOffset)
    {
        if (!packet.EnsureLinear(headerOffset + TcpHeader.LengthMin)
            || !TcpHeader.TryParse(packet.Linear[headerOffset..], out TcpHeader header)
            || _byPort[header.DestinationPort] is not { } slot || slot.IsIpv4 != destination.IsIpv4)
        {
            return;
        }

        TcpFlags flags = header.Flags;
        if ((flags & TcpFlags.Rst) != 0)
        {
            slot.IsDead = true;
            return;
        }

        uint end = header.Sequence + (uint)(packet.Length - headerOffset - header.HeaderLength)
            + ((flags & TcpFlags.Syn) != 0 ? 1u : 0) + ((flags & TcpFlags.Fin) != 0 ? 1u : 0);
        if (!slot.SynSeen)
        {
            slot.VictimNext = end;
            slot.VictimPort = header.SourcePort;
            slot.SynSeen = (flags & TcpFlags.Syn) != 0;
        }
        else if ((int)(end - slot.VictimNext) > 0)
        {
            slot.VictimNext = end;
        }

        if ((flags & TcpFlags.Ack) != 0)
        {
            slot.Sequence = header.Acknowledgment;
        }

        if (TcpOptions.Parse(header.OptionBytes, out TcpOptions options) && options.HasTimestamp)
        {
            slot.TsEcr = options.TsVal;
        }
    }

    /// <summary>Builds a segment for one of the connections; makes the connection first where there is none.</summary>
    public void Build(HostileFrame frame, PacketBuilder builder)
    {
        Slot slot = _slots[_random.NextBelow(SlotCount)];
        if (slot.IsDead || slot.Life-- <= 0)
        {
            Abandon(slot);
            Establish(slot);
        }

        uint sequence = slot.Sequence + Near();
        uint acknowledgment = slot.VictimNext + Near();
        if (_random.NextBelow(3) == 0)
        {
            // A gap: what was acknowledged last is said again, with SACK blocks behind it.
            acknowledgment = slot.Acknowledged;
        }
        else
        {
            slot.Acknowledged = slot.VictimNext;
        }

        TcpFlags flags = _random.NextBelow(16) switch
        {
            < 7 => TcpFlags.Ack,
            < 11 => TcpFlags.Ack | TcpFlags.Psh,
            11 => TcpFlags.Ack | TcpFlags.Fin,
            12 => TcpFlags.Ack | TcpFlags.Urg,
            13 => TcpFlags.Syn | (_random.NextBelow(2) == 0 ? TcpFlags.Ack : 0),
            14 => TcpFlags.Rst | (_random.NextBelow(2) == 0 ? TcpFlags.Ack : 0),
            _ => (TcpFlags)_random.NextBelow(256),
        };
        int payload = _random.NextBelow(2) == 0 ? 0 : (int)_random.NextBelow(_random.NextBelow(8) == 0 ? 1400u : 40u);
        Begin(frame, slot, sequence, acknowledgment, flags, (ushort)(_random.NextBelow(4) == 0 ? _random.NextBelow(4) : 60_000), payload);
        builder.QuotedFlow = QuotedFlow();
    }

    /// <summary>A flow for ICMP errors to quote.</summary>
    public QuotedFlow QuotedFlow()
    {
        Slot slot = _slots[_random.NextBelow(SlotCount)];
        return new QuotedFlow(
            new Endpoint(slot.VictimAddress, slot.VictimPort),
            new Endpoint(HostileAddresses.Attacker(HostileEntry.Tunnel, slot.IsIpv4), slot.Port),
            slot.VictimNext - 1 + Near(),
            IpProtocol.Tcp);
    }

    /// <summary>Brings every connection that is gone back into its state.</summary>
    public void EstablishAll()
    {
        foreach (Slot slot in _slots)
        {
            Abandon(slot);
            Establish(slot);
        }
    }

    /// <summary>Sends application data from the victim on some connections, for the attacker to acknowledge wrongly.</summary>
    public void SendFromVictim(ReadOnlySpan<byte> data)
    {
        Slot slot = _slots[_random.NextBelow(SlotCount)];
        if (slot.HasHandle)
        {
            _world.Victim.Tcp.Send(slot.Handle, data[..(int)_random.NextBelow((uint)data.Length)], TcpSendFlags.None, out _);
        }
    }

    /// <summary>Reads what the victim has received.</summary>
    public void ReadAtVictim(Span<byte> buffer)
    {
        Slot slot = _slots[_random.NextBelow(SlotCount)];
        if (slot.HasHandle)
        {
            _world.Victim.Tcp.Receive(slot.Handle, buffer, TcpReceiveFlags.None, out _);
        }
    }

    /// <summary>The largest congestion window among the connections, in segments: what one acknowledgment may release at most.</summary>
    public long LargestCwnd()
    {
        long largest = 0;
        foreach (Slot slot in _slots)
        {
            if (slot.HasHandle && _world.Victim.Tcp.GetInfo(slot.Handle, out TcpInfo info) == Errno.None)
            {
                largest = Math.Max(largest, info.SndCwnd);
            }
        }

        return largest;
    }

    /// <summary>Gives all connections up, as an application that exits.</summary>
    public void CloseAll()
    {
        foreach (Slot slot in _slots)
        {
            Abandon(slot);
        }
    }

    /// <summary>Whether an accepted connection is one of these; if so it is kept.</summary>
    public bool TryClaim(TcpHandle handle)
    {
        if (_world.Victim.Tcp.GetEndpoints(handle, out _, out Endpoint remote) != Errno.None
            || _byPort[remote.Port] is not { HasHandle: false } slot || slot.IsIpv4 != remote.Address.IsIpv4)
        {
            return false;
        }

        slot.Handle = handle;
        slot.HasHandle = true;
        return true;
    }

    private uint Near() => _random.NextBelow(16) switch
    {
        < 10 => 0,
        10 => 1,
        11 => uint.MaxValue,
        12 => _random.NextBelow(3000),
        13 => 0u - _random.NextBelow(3000),
        14 => 65_535,
        _ => _random.NextUInt32(),
    };

    private void Abandon(Slot slot)
    {
        if (slot.HasHandle)
        {
            if (_random.NextBelow(2) == 0)
            {
                _world.Victim.Tcp.Abort(slot.Handle);
            }
            else
            {
                _world.Victim.Tcp.Close(slot.Handle);
            }
        }

        if (_byPort[slot.Port] == slot)
        {
            // What is left of it hears a reset half of the time, and silence otherwise.
            if (!slot.IsDead && slot.SynSeen && _random.NextBelow(2) == 0)
            {
                Send(slot, slot.Sequence, slot.VictimNext, TcpFlags.Rst | TcpFlags.Ack);
            }

            _byPort[slot.Port] = null;
        }

        slot.HasHandle = false;
    }

    private void Establish(Slot slot)
    {
        _nextPort = _nextPort >= 65_000 ? (ushort)1024 : (ushort)(_nextPort + 1);
        slot.Port = _nextPort;
        _byPort[slot.Port] = slot;
        slot.SynSeen = false;
        slot.IsDead = false;
        slot.HasTimestamps = _random.NextBelow(2) == 0;
        slot.Life = 16 + (int)_random.NextBelow(200);
        slot.Iss = _random.NextUInt32();
        slot.Sequence = slot.Iss;
        slot.Acknowledged = 0;
        slot.VictimPort = 80;
        slot.VictimAddress = HostileAddresses.Victim(HostileEntry.Tunnel, slot.IsIpv4);
        slot.TsVal = _random.NextUInt32();
        bool isActive = slot.Target == TcpState.SynSent || _random.NextBelow(3) == 0;
        if (_world.Forwarder != null && !isActive)
        {
            slot.VictimAddress = slot.IsIpv4 ? HostileAddresses.Elsewhere4 : HostileAddresses.Elsewhere6;
            slot.VictimPort = 8443;
        }

        if (slot.Target == TcpState.SynReceived)
        {
            Send(slot, slot.Iss, 0, TcpFlags.Syn);
            _world.DecideForwards();
            Note(slot);
            return;
        }

        if (!(isActive ? ConnectFromVictim(slot) : ConnectToVictim(slot)))
        {
            slot.IsDead = true;
            return;
        }

        if (slot.Target != TcpState.SynSent)
        {
            Lead(slot);
        }

        Note(slot);
    }

    private bool ConnectFromVictim(Slot slot)
    {
        TcpOpenRequest request = new()
        {
            Local = new Endpoint(slot.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, 0),
            Remote = new Endpoint(HostileAddresses.Attacker(HostileEntry.Tunnel, slot.IsIpv4), slot.Port),
        };
        if (_world.Victim.Tcp.Open(request, null, out TcpHandle handle) != Errno.None)
        {
            return false;
        }

        slot.Handle = handle;
        slot.HasHandle = true;
        _world.Settle();
        if (slot.Target != TcpState.SynSent && slot.SynSeen)
        {
            Send(slot, slot.Iss, slot.VictimNext, TcpFlags.Syn | TcpFlags.Ack);
        }

        return slot.SynSeen && !slot.IsDead;
    }

    private bool ConnectToVictim(Slot slot)
    {
        Send(slot, slot.Iss, 0, TcpFlags.Syn);
        _world.DecideForwards();
        if (!slot.SynSeen)
        {
            return false;
        }

        Send(slot, slot.Sequence, slot.VictimNext, TcpFlags.Ack);
        _world.AcceptAll();
        return slot.HasHandle;
    }

    /// <summary>From ESTABLISHED into the state to attack (RFC 9293 3.3.2, figure 5).</summary>
    private void Lead(Slot slot)
    {
        TcpState target = slot.Target;
        if (target is TcpState.CloseWait or TcpState.LastAck)
        {
            Send(slot, slot.Sequence, slot.VictimNext, TcpFlags.Fin | TcpFlags.Ack);
        }

        if (target is TcpState.FinWait1 or TcpState.FinWait2 or TcpState.Closing or TcpState.LastAck or TcpState.TimeWait)
        {
            _world.Victim.Tcp.Shutdown(slot.Handle, TcpShutdown.Send);
            _world.Settle();
        }

        if (target is TcpState.FinWait2 or TcpState.TimeWait)
        {
            Send(slot, slot.Sequence, slot.VictimNext, TcpFlags.Ack);
        }

        if (target == TcpState.Closing)
        {
            Send(slot, slot.Sequence, slot.VictimNext - 1, TcpFlags.Fin | TcpFlags.Ack);
        }
        else if (target == TcpState.TimeWait)
        {
            // A connection in TIME-WAIT belongs to no socket any more, so its handle cannot be asked.
            int before = _world.Victim.Tcp.TimeWaitCount;
            Send(slot, slot.Sequence, slot.VictimNext, TcpFlags.Fin | TcpFlags.Ack);
            Reached[(int)TcpState.TimeWait] += _world.Victim.Tcp.TimeWaitCount - before;
        }
    }

    private void Note(Slot slot)
    {
        if (!slot.HasHandle)
        {
            Reached[(int)slot.Target] += slot.SynSeen ? 1 : 0;
        }
        else if (_world.Victim.Tcp.GetInfo(slot.Handle, out TcpInfo info) == Errno.None)
        {
            Reached[(int)info.State]++;
        }
    }

    private void Send(Slot slot, uint sequence, uint acknowledgment, TcpFlags flags)
    {
        Begin(_frame, slot, sequence, acknowledgment, flags, 60_000, 0);
        _world.Deliver(_frame, int.MaxValue);
    }

    private void Begin(HostileFrame frame, Slot slot, uint sequence, uint acknowledgment, TcpFlags flags, ushort window, int payload)
    {
        frame.Begin(HostileEntry.Tunnel);
        IpAddress source = HostileAddresses.Attacker(HostileEntry.Tunnel, slot.IsIpv4);
        IpAddress destination = slot.VictimAddress;
        if (slot.IsIpv4)
        {
            Ipv4Header.Write(frame.Add(20), 0, 0, Ipv4Header.DontFragmentFlag, 64, IpProtocol.Tcp, source, destination);
        }
        else
        {
            Ipv6Header.Write(frame.Add(40), 0, IpProtocol.Tcp, 64, source, destination);
        }

        frame.TransportOffset = frame.Length;
        Span<byte> header = frame.Add(60);
        int options = WriteOptions(header[20..], slot, (flags & TcpFlags.Syn) != 0);
        ushort urgent = (flags & TcpFlags.Urg) != 0 ? (ushort)_random.NextBelow(4) : (ushort)0;
        TcpHeader.Write(header, slot.Port, slot.VictimPort, sequence, acknowledgment, 20 + options, flags, window, urgent);
        frame.Length += options - 40;
        frame.PayloadOffset = frame.Length;
        frame.Add(payload).Fill((byte)sequence);
        PacketBuilder.FinishIp(frame);
    }

    private int WriteOptions(Span<byte> options, Slot slot, bool isSyn)
    {
        if (isSyn)
        {
            return TcpOptions.WriteSyn(options, 1400, 7, true, slot.HasTimestamps, slot.TsVal);
        }

        int length = 0;
        if (slot.HasTimestamps)
        {
            slot.TsVal += _random.NextBelow(3);
            length = TcpOptions.WriteTimestamp(options, slot.TsVal, slot.TsEcr);
        }

        if (_random.NextBelow(4) == 0)
        {
            uint left = slot.VictimNext - _random.NextBelow(6000);
            uint right = _random.NextBelow(2) == 0 ? slot.VictimNext : left + _random.NextBelow(3000);
            Span<SackBlock> blocks = [new SackBlock(left, right), new SackBlock(left - 4000, left - 3000)];
            length += TcpOptions.WriteSack(options[length..], blocks);
        }

        return length;
    }
}
