namespace Portico.Net;

/// <summary>A packet that waits, the channel that it goes on with, and its random numbers.</summary>
internal readonly record struct WaitingPacket(Packet Packet, ImpairmentChannel Channel, PacketChoices Choices);

/// <summary>
/// A rate and the bounded queue in front of it. Several channels may send through one, as the paths to several destinations lead
/// through one access line; the packets go on with the channel that they came with.
/// </summary>
internal sealed class ImpairmentQueue(Engine engine, ImpairmentChannel owner) : IScheduled
{
    private WaitingPacket[] _ring = new WaitingPacket[16];
    private int _head;
    private int _count;
    private WaitingPacket _sending;
    private MonoTime _sendingUntil;
    private long _rateRemainder;

    // An event cannot be taken back: one of an earlier number than this is no longer meant.
    private long _sendings;

    /// <summary>Packets that wait, the one being sent included.</summary>
    public int Packets => _count + (_sending.Packet == null ? 0 : 1);

    /// <summary>Bytes that wait, without the packet being sent.</summary>
    public long Bytes { get; private set; }

    /// <summary>Whether a packet may go on at once, for want of a rate and of packets before it.</summary>
    public bool IsOpen => _sending.Packet == null && owner.Settings.RateBitsPerSecond == 0;

    /// <summary>Sends a packet, now or after those before it; false, and nothing done, where the queue is full.</summary>
    public bool TrySubmit(in WaitingPacket waiting)
    {
        if (_sending.Packet == null)
        {
            _rateRemainder = 0;
            StartSending(waiting, engine.Now);
            return true;
        }

        Impairment settings = owner.Settings;
        if (_count >= settings.QueuePacketsMax || Bytes + waiting.Packet.Length > settings.QueueBytesMax)
        {
            return false;
        }

        Enqueue(waiting);
        return true;
    }

    /// <summary>
    /// Sends from <paramref name="start"/> on, which is when the packet before was through, however late a real clock calls. The part
    /// of a nanosecond that is left over is kept: the rate is exact in the long run.
    /// </summary>
    private void StartSending(in WaitingPacket waiting, MonoTime start)
    {
        _sending = waiting;
        _sendingUntil = start + TimeToSend(waiting.Packet);
        engine.Schedule(_sendingUntil, this, ++_sendings);
    }

    private Duration TimeToSend(Packet packet)
    {
        long rate = owner.Settings.RateBitsPerSecond;
        if (rate == 0)
        {
            return Duration.Zero;
        }

        long bitNanoseconds = (packet.Length * 8_000_000_000L) + _rateRemainder;
        (long nanoseconds, _rateRemainder) = Math.DivRem(bitNanoseconds, rate);
        return new Duration(nanoseconds);
    }

    /// <summary>
    /// The rate may have changed: the packet that is being sent is through no later than if it began now. Without this a packet that
    /// was begun at a few bits per second would hold up all others long after the rate has been lifted.
    /// </summary>
    public void Hasten()
    {
        if (_sending.Packet == null)
        {
            return;
        }

        _rateRemainder = 0;
        MonoTime until = engine.Now + TimeToSend(_sending.Packet);
        if (until < _sendingUntil)
        {
            _sendingUntil = until;
            engine.Schedule(until, this, ++_sendings);
        }
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        if (cookie != _sendings)
        {
            return;
        }

        WaitingPacket sent = _sending;
        MonoTime departure = _sendingUntil;
        _sending = default;
        if (_count > 0)
        {
            StartSending(Dequeue(), departure);
        }

        sent.Channel.Launch(sent.Packet, sent.Choices, departure, isScheduled: true);
    }

    private void Enqueue(in WaitingPacket waiting)
    {
        if (_count == _ring.Length)
        {
            WaitingPacket[] larger = new WaitingPacket[_ring.Length * 2];
            for (int i = 0; i < _count; i++)
            {
                larger[i] = _ring[(_head + i) & (_ring.Length - 1)];
            }

            _ring = larger;
            _head = 0;
        }

        _ring[(_head + _count++) & (_ring.Length - 1)] = waiting;
        Bytes += waiting.Packet.Length;
    }

    private WaitingPacket Dequeue()
    {
        WaitingPacket first = _ring[_head];
        _ring[_head] = default;
        _head = (_head + 1) & (_ring.Length - 1);
        _count--;
        Bytes -= first.Packet.Length;
        return first;
    }
}
