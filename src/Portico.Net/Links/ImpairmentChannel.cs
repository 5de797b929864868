namespace Portico.Net;

/// <summary>One direction of an <see cref="ImpairmentLink"/>.</summary>
public sealed class ImpairmentChannel : IScheduled
{
    private const long TransmissionDone = -1;

    private readonly Engine _engine;
    private readonly ImpairmentLink _link;
    private readonly bool _isInbound;

    // Losses have a source of their own, so that the same seed loses the same packets whatever else is set.
    private readonly RandomSource _lossRandom;
    private readonly RandomSource _random;

    // The queue in front of the rate: a ring.
    private Packet?[] _queue = new Packet?[16];
    private int _queueHead;
    private int _queueCount;
    private Packet? _sending;
    private MonoTime _sendingUntil;
    private long _rateRemainder;

    // Packets under way, by the slot that is their event's cookie.
    private Packet?[] _inFlight = new Packet?[16];
    private int[] _freeSlots = new int[16];
    private int _freeSlotCount;
    private int _slotCount;

    private MonoTime _lastArrival;
    private bool _isBad;
    private int _sinceReorder;

    internal ImpairmentChannel(Engine engine, ImpairmentLink link, bool isInbound, ulong seed, Impairment settings)
    {
        _engine = engine;
        _link = link;
        _isInbound = isInbound;
        _lossRandom = new RandomSource(seed);
        _random = new RandomSource(seed ^ 0x9E37_79B9_7F4A_7C15);
        Settings = settings;
    }

    /// <summary>What is done to packets from now on.</summary>
    public Impairment Settings { get; set; }

    /// <summary>What has been done.</summary>
    public MibTable<ImpairmentCounter> Counters { get; } = new();

    /// <summary>Packets that wait for the rate, the one being sent included.</summary>
    public int QueuedPackets => _queueCount + (_sending == null ? 0 : 1);

    /// <summary>Bytes that wait for the rate, without the packet being sent.</summary>
    public long QueuedBytes { get; private set; }

    /// <summary>Packets under way: sent, delayed, not yet arrived.</summary>
    public int InFlightPackets => _slotCount - _freeSlotCount;

    internal void Submit(Packet packet)
    {
        Counters[ImpairmentCounter.InPackets]++;
        Counters[ImpairmentCounter.InBytes] += packet.Length;
        if (IsLost())
        {
            Counters[ImpairmentCounter.LossDrops]++;
            Drop(packet, PacketNotes.ImpairmentLoss);
            return;
        }

        Packet? duplicate = null;
        if (_random.NextChance(Settings.Duplicate) && (duplicate = _engine.Packets.Clone(packet)) != null)
        {
            Counters[ImpairmentCounter.Duplicated]++;
            duplicate.Notes |= PacketNotes.ImpairmentDuplicate;
        }

        CorruptAndQueue(packet);
        if (duplicate != null)
        {
            CorruptAndQueue(duplicate);
        }
    }

    private bool IsLost()
    {
        bool lost = _lossRandom.NextChance(Settings.Loss);
        if (Settings.BurstLoss is { } burst)
        {
            _isBad = _lossRandom.NextChance(_isBad ? 1 - burst.LeaveBad : burst.EnterBad);
            lost |= _lossRandom.NextChance(_isBad ? burst.LossInBad : burst.LossInGood);
        }

        return lost;
    }

    private void CorruptAndQueue(Packet original)
    {
        Packet? packet = original;
        if (_random.NextChance(Settings.Corrupt) && IsIp(original))
        {
            Counters[ImpairmentCounter.Corrupted]++;
            packet = Corrupt(original);
            if (packet == null)
            {
                return;
            }
        }

        if (Settings.RateBitsPerSecond == 0 && _sending == null)
        {
            Launch(packet, _engine.Now, isScheduled: false);
        }
        else if (_sending == null)
        {
            _rateRemainder = 0;
            StartSending(packet, _engine.Now);
        }
        else if (_queueCount >= Settings.QueuePacketsMax || QueuedBytes + packet.Length > Settings.QueueBytesMax)
        {
            Counters[ImpairmentCounter.QueueDrops]++;
            Drop(packet, PacketNotes.ImpairmentQueueFull);
        }
        else
        {
            Enqueue(packet);
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
    private Packet? Corrupt(Packet original)
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
        uint bit = _random.NextBelow((uint)(copy.Length - header) * 8);
        copy.Linear[header + (int)(bit >> 3)] ^= (byte)(1 << (int)(bit & 7));
        copy.Checksum = ChecksumState.Unverified;
        copy.Notes |= PacketNotes.ImpairmentCorruption;
        return copy;
    }

    /// <summary>
    /// Sends from <paramref name="start"/> on, which is when the packet before was through, however late a real clock calls. The part
    /// of a nanosecond that is left over is kept: the rate is exact in the long run.
    /// </summary>
    private void StartSending(Packet packet, MonoTime start)
    {
        _sending = packet;
        _sendingUntil = start;
        long rate = Settings.RateBitsPerSecond;
        if (rate > 0)
        {
            long bitNanoseconds = (packet.Length * 8_000_000_000L) + _rateRemainder;
            (long nanoseconds, _rateRemainder) = Math.DivRem(bitNanoseconds, rate);
            _sendingUntil = start + new Duration(nanoseconds);
        }

        _engine.Schedule(_sendingUntil, this, TransmissionDone);
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        if (cookie != TransmissionDone)
        {
            Packet arrived = _inFlight[cookie]!;
            _inFlight[cookie] = null;
            _freeSlots[_freeSlotCount++] = (int)cookie;
            Deliver(arrived, isScheduled: true);
            return;
        }

        Packet sent = _sending!;
        MonoTime departure = _sendingUntil;
        _sending = null;
        if (_queueCount > 0)
        {
            StartSending(Dequeue(), departure);
        }

        Launch(sent, departure, isScheduled: true);
    }

    /// <summary>The packet is on its way; it arrives after the delay.</summary>
    private void Launch(Packet packet, MonoTime departure, bool isScheduled)
    {
        Duration delay = Settings.Delay;
        long jitter = Settings.Jitter.Nanoseconds;
        if (jitter > 0)
        {
            long offset = (long)((_random.NextDouble() * 2 - 1) * jitter);
            delay = Duration.Max(Duration.Zero, delay + new Duration(offset));
        }

        MonoTime arrival = departure + delay;
        if (IsReordered())
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

    private bool IsReordered()
    {
        if (Settings.Reorder <= 0 || ++_sinceReorder < Settings.ReorderGap)
        {
            return false;
        }

        _sinceReorder = 0;
        return _random.NextChance(Settings.Reorder);
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

    private void Enqueue(Packet packet)
    {
        if (_queueCount == _queue.Length)
        {
            Packet?[] larger = new Packet?[_queue.Length * 2];
            for (int i = 0; i < _queueCount; i++)
            {
                larger[i] = _queue[(_queueHead + i) & (_queue.Length - 1)];
            }

            _queue = larger;
            _queueHead = 0;
        }

        _queue[(_queueHead + _queueCount++) & (_queue.Length - 1)] = packet;
        QueuedBytes += packet.Length;
    }

    private Packet Dequeue()
    {
        Packet packet = _queue[_queueHead]!;
        _queue[_queueHead] = null;
        _queueHead = (_queueHead + 1) & (_queue.Length - 1);
        _queueCount--;
        QueuedBytes -= packet.Length;
        return packet;
    }
}
