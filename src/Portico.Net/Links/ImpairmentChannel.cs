namespace Portico.Net;

/// <summary>One direction of an <see cref="ImpairmentLink"/>, or of one of its rules.</summary>
public sealed class ImpairmentChannel : IScheduled
{
    private readonly Engine _engine;
    private readonly ImpairmentLink _link;
    private readonly bool _isInbound;

    // Packets under way, by the slot that is their event's cookie.
    private Packet?[] _inFlight = new Packet?[16];
    private int[] _freeSlots = new int[16];
    private int _freeSlotCount;
    private int _slotCount;

    private MonoTime _lastArrival;
    private int _sinceReorder;

    internal ImpairmentChannel(Engine engine, ImpairmentLink link, bool isInbound, Impairment settings)
    {
        _engine = engine;
        _link = link;
        _isInbound = isInbound;
        Settings = settings;
        OwnQueue = new ImpairmentQueue(engine, this);
        Queue = OwnQueue;
    }

    /// <summary>What is done to packets from now on.</summary>
    public Impairment Settings { get; set; }

    /// <summary>What has been done.</summary>
    public MibTable<ImpairmentCounter> Counters { get; } = new();

    /// <summary>Packets that wait for the channel's own rate, the one being sent included.</summary>
    public int QueuedPackets => OwnQueue.Packets;

    /// <summary>Bytes that wait for the channel's own rate, without the packet being sent.</summary>
    public long QueuedBytes => OwnQueue.Bytes;

    /// <summary>Packets under way: sent, delayed, not yet arrived.</summary>
    public int InFlightPackets => _slotCount - _freeSlotCount;

    internal ImpairmentQueue OwnQueue { get; }

    /// <summary>The rate that packets go through: the channel's own, or one that it shares.</summary>
    internal ImpairmentQueue Queue { get; set; }

    internal void Submit(Packet packet, in PacketFlow flow)
    {
        Count(packet);
        if (!Settings.IsRandom)
        {
            Send(packet, default);
            return;
        }

        ref FlowHalf half = ref _link.Flows.Find(flow, _isInbound);
        PacketChoices choices = half.Next(flow);
        if (IsLost(choices, ref flow.SequenceLength > 0 ? ref half.DataIsBad : ref half.OtherIsBad))
        {
            Counters[ImpairmentCounter.LossDrops]++;
            Drop(packet, PacketNotes.ImpairmentLoss);
            return;
        }

        if (choices.Chance(ImpairmentChoice.Mark, Settings.Mark) && IsIp(packet)
            && CongestionMark.TrySet(packet.Linear[(_link.Kind == LinkKind.Ethernet ? EthernetHeader.Length : 0)..]))
        {
            Counters[ImpairmentCounter.Marked]++;
        }

        Packet? duplicate = null;
        if (choices.Chance(ImpairmentChoice.Duplicate, Settings.Duplicate) && (duplicate = _engine.Packets.Clone(packet)) != null)
        {
            Counters[ImpairmentCounter.Duplicated]++;
            duplicate.Notes |= PacketNotes.ImpairmentDuplicate;
        }

        CorruptAndSend(packet, choices);
        if (duplicate != null)
        {
            CorruptAndSend(duplicate, choices.OfDuplicate);
        }
    }

    /// <summary>Drops a packet to or from somebody who is cut off.</summary>
    internal void DropAsPartitioned(Packet packet)
    {
        Count(packet);
        Counters[ImpairmentCounter.PartitionDrops]++;
        Drop(packet, PacketNotes.ImpairmentPartition);
    }

    internal void DropForWantOfMemory(Packet packet)
    {
        Count(packet);
        Counters[ImpairmentCounter.MemoryDrops]++;
        packet.Release();
    }

    private void Count(Packet packet)
    {
        Counters[ImpairmentCounter.InPackets]++;
        Counters[ImpairmentCounter.InBytes] += packet.Length;
    }

    private bool IsLost(PacketChoices choices, ref bool isBad)
    {
        bool lost = choices.Chance(ImpairmentChoice.Loss, Settings.Loss);
        if (Settings.BurstLoss is { } burst)
        {
            isBad = choices.Chance(ImpairmentChoice.BurstState, isBad ? 1 - burst.LeaveBad : burst.EnterBad);
            lost |= choices.Chance(ImpairmentChoice.BurstLoss, isBad ? burst.LossInBad : burst.LossInGood);
        }

        return lost;
    }

    private void CorruptAndSend(Packet original, PacketChoices choices)
    {
        Packet? packet = original;
        if (choices.Chance(ImpairmentChoice.Corrupt, Settings.Corrupt) && IsIp(original))
        {
            Counters[ImpairmentCounter.Corrupted]++;
            packet = Corrupt(original, choices);
            if (packet == null)
            {
                return;
            }
        }

        Send(packet, choices);
    }

    private void Send(Packet packet, PacketChoices choices)
    {
        if (Queue.IsOpen)
        {
            Launch(packet, choices, _engine.Now, isScheduled: false);
        }
        else if (!Queue.TrySubmit(new WaitingPacket(packet, this, choices)))
        {
            Counters[ImpairmentCounter.QueueDrops]++;
            Drop(packet, PacketNotes.ImpairmentQueueFull);
        }
    }

    private bool IsIp(Packet packet)
    {
        if (_link.Kind == LinkKind.Ip)
        {
            return packet.Length > 0;
        }

        ReadOnlySpan<byte> frame = packet.Linear;
        return packet.Length > 14 && frame.Length >= 14 && (frame[12] << 8 | frame[13]) is 0x0800 or 0x86DD;
    }

    /// <summary>Flips a bit of a copy, as the original's blocks may be shared with a send buffer; takes the original.</summary>
    private Packet? Corrupt(Packet original, PacketChoices choices)
    {
        Packet? copy = original.GsoSize > 0 ? null : _engine.Packets.Clone(original);
        if (copy == null)
        {
            Counters[ImpairmentCounter.MemoryDrops] += original.GsoSize > 0 ? 0 : 1;
            Drop(original, PacketNotes.ImpairmentCorruption | PacketNotes.ImpairmentLoss);
            return null;
        }

        original.Release();
        if (copy.Checksum == ChecksumState.Partial)
        {
            ChecksumOffload.Complete(copy);
        }

        int header = _link.Kind == LinkKind.Ethernet ? 14 : 0;
        int bit = (int)(choices.Number(ImpairmentChoice.CorruptBit) * (copy.Length - header) * 8);
        copy.Linear[header + (bit >> 3)] ^= (byte)(1 << (bit & 7));
        copy.Checksum = ChecksumState.Unverified;
        copy.Notes |= PacketNotes.ImpairmentCorruption;
        return copy;
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        Packet arrived = _inFlight[cookie]!;
        _inFlight[cookie] = null;
        _freeSlots[_freeSlotCount++] = (int)cookie;
        Deliver(arrived, isScheduled: true);
    }

    /// <summary>The packet is on its way; it arrives after the delay.</summary>
    internal void Launch(Packet packet, PacketChoices choices, MonoTime departure, bool isScheduled)
    {
        Duration delay = Settings.Delay;
        long jitter = Settings.Jitter.Nanoseconds;
        if (jitter > 0)
        {
            long offset = (long)(((choices.Number(ImpairmentChoice.Jitter) * 2) - 1) * jitter);
            delay = Duration.Max(Duration.Zero, delay + new Duration(offset));
        }

        MonoTime arrival = departure + delay;
        if (IsReordered(choices))
        {
            Counters[ImpairmentCounter.Reordered]++;
            packet.Notes |= PacketNotes.ImpairmentReordering;
            arrival += Settings.ReorderDelay;
        }
        else if (jitter == 0 || !Settings.JitterReorders)
        {
            arrival = MonoTime.Max(arrival, _lastArrival);
            _lastArrival = arrival;
        }

        // A packet that is due now still waits for those due now that were sent before it.
        if (arrival > _engine.Now || (InFlightPackets > 0 && arrival == _engine.Now))
        {
            KeepUntil(arrival, packet);
        }
        else
        {
            Deliver(packet, isScheduled);
        }
    }

    private bool IsReordered(PacketChoices choices)
    {
        if (Settings.Reorder <= 0 || ++_sinceReorder < Settings.ReorderGap)
        {
            return false;
        }

        _sinceReorder = 0;
        return choices.Chance(ImpairmentChoice.Reorder, Settings.Reorder);
    }

    private void KeepUntil(MonoTime arrival, Packet packet)
    {
        if (InFlightPackets >= Settings.InFlightPacketsMax)
        {
            Counters[ImpairmentCounter.InFlightDrops]++;
            Drop(packet, PacketNotes.ImpairmentQueueFull);
            return;
        }

        if (_freeSlotCount == 0)
        {
            if (_slotCount == _inFlight.Length)
            {
                Array.Resize(ref _inFlight, _slotCount * 2);
                Array.Resize(ref _freeSlots, _slotCount * 2);
            }

            _freeSlots[_freeSlotCount++] = _slotCount++;
        }

        int slot = _freeSlots[--_freeSlotCount];
        _inFlight[slot] = packet;
        Counters[ImpairmentCounter.Delayed]++;
        _engine.Schedule(arrival, this, slot);
    }

    private void Deliver(Packet packet, bool isScheduled)
    {
        Counters[ImpairmentCounter.OutPackets]++;
        Counters[ImpairmentCounter.OutBytes] += packet.Length;
        _link.Deliver(packet, _isInbound, isScheduled);
    }

    private void Drop(Packet packet, PacketNotes why)
    {
        _link.Dropped?.Record(packet, _isInbound, why);
        packet.Release();
    }
}
