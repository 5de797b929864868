namespace Portico.Net;

/// <summary>
/// The times of sending that a connection is to tell, and its error queue that tells them (SO_TIMESTAMPING). Only connections that ask for
/// them have this. The times that are asked for are bounded by the segments of the send queue, one each, and what is told by SO_RCVBUF.
/// </summary>
internal sealed class SendTimestamps
{
    private (uint Key, TimestampingFlags Flags)[] _asked = new (uint, TimestampingFlags)[4];
    private int _head;
    private int _count;

    public TimestampingFlags Flags;

    /// <summary>The sequence number that numbers are counted from (Linux: sk_tskey).</summary>
    public uint Base;
    public DatagramErrors Errors;

    /// <summary>
    /// The segment that begins at <paramref name="start"/> and whose last byte is <paramref name="key"/> is to tell of it: a segment tells
    /// of the last send that ends in it, but has what any of them asked for.
    /// </summary>
    public void Ask(uint start, uint key, TimestampingFlags flags)
    {
        if (_count > 0 && Seq.Geq(At(_count - 1).Key, start))
        {
            ref (uint Key, TimestampingFlags Flags) last = ref At(_count - 1);
            last = (key, last.Flags | flags);
            return;
        }

        if (_count == _asked.Length)
        {
            (uint, TimestampingFlags)[] larger = new (uint, TimestampingFlags)[_count * 2];
            for (int i = 0; i < _count; i++)
            {
                larger[i] = At(i);
            }

            (_asked, _head) = (larger, 0);
        }

        At(_count++) = (key, flags);
    }

    /// <summary>What a segment is to tell; false for nothing.</summary>
    public bool TryFind(uint start, uint end, out uint key, out TimestampingFlags flags)
    {
        int low = 0;
        int high = _count;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Seq.Lt(At(middle).Key, start) ? (middle + 1, high) : (low, middle);
        }

        (key, flags) = low < _count ? At(low) : default;
        return low < _count && Seq.Lt(key, end);
    }

    /// <summary>Forgets what ends before <paramref name="una"/>.</summary>
    public void Forget(uint una)
    {
        while (_count > 0 && Seq.Lt(At(0).Key, una))
        {
            _head = (_head + 1) % _asked.Length;
            _count--;
        }
    }

    private ref (uint Key, TimestampingFlags Flags) At(int index) => ref _asked[(_head + index) % _asked.Length];
}

// Times of sending on the error queue: when a segment enters the queue of its link and leaves it, and when its last byte is acknowledged.
public sealed unsafe partial class TcpLayer : ITransmitStampClient
{
    private readonly Dictionary<uint, SendTimestamps> _timestamps = [];

    /// <summary>
    /// SO_TIMESTAMPING: what entries of the error queue tell. With SOF_TIMESTAMPING_OPT_ID anew, bytes are counted from the first that is not
    /// acknowledged, or with SOF_TIMESTAMPING_OPT_ID_TCP from the next to be written. Does nothing for a stale handle.
    /// </summary>
    public void SetTimestamping(TcpHandle handle, TimestampingFlags flags)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return;
        }

        SendTimestamps timestamps = NeedTimestamps(c);
        if ((flags & ~timestamps.Flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID) != 0)
        {
            timestamps.Base = (flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID_TCP) != 0 ? c->WriteSeq : c->SndUna;
        }

        timestamps.Flags = flags;
    }

    /// <summary>
    /// Asks for times of the bytes that were written last, where not all of a write could be taken and its call returns
    /// (SOF_TIMESTAMPING_TX_*); what has been sent already has none to tell. Does nothing for a stale handle.
    /// </summary>
    public void StampWritten(TcpHandle handle, TimestampingFlags flags)
    {
        Tcb* c = Find(handle);
        if (c != null)
        {
            StampTail(c, flags);
        }
    }

    /// <summary>Takes the oldest entry of the error queue (MSG_ERRQUEUE). Errors: EBADF, EAGAIN.</summary>
    public Errno ReceiveError(TcpHandle handle, out UdpErrorInfo info)
    {
        Tcb* c = Find(handle);
        info = default;
        return c == null ? Errno.EBADF : Has(c, TcbExtras.Timestamped) ? _timestamps[c->Index].Errors.Receive(out info) : Errno.EAGAIN;
    }

    private bool HasQueuedErrors(Tcb* c) => Has(c, TcbExtras.Timestamped) && _timestamps[c->Index].Errors.Count > 0;

    private SendTimestamps NeedTimestamps(Tcb* c)
    {
        if (!Has(c, TcbExtras.Timestamped))
        {
            SetExtra(c, TcbExtras.Timestamped, true);
            _timestamps[c->Index] = new SendTimestamps();
        }

        return _timestamps[c->Index];
    }

    private void FreeTimestamps(Tcb* c)
    {
        if (Has(c, TcbExtras.Timestamped))
        {
            _timestamps.Remove(c->Index);
        }
    }

    /// <summary>The last segment that has not been sent is to tell of its last byte (Linux: tcp_tx_timestamp).</summary>
    private void StampTail(Tcb* c, TimestampingFlags flags)
    {
        SendSegment* tail = c->UnsentTail;
        if (tail != null)
        {
            NeedTimestamps(c).Ask(tail->Node.Start, tail->Node.Start + PayloadLength(tail) - 1, flags);
        }
    }

    private void StampPacket(Tcb* c, Packet packet, SendSegment* segment)
    {
        if (_timestamps[c->Index].TryFind(segment->Node.Start, segment->Node.End, out uint key, out TimestampingFlags flags)
            && (flags & TransmitStamp.Told) != 0)
        {
            TcpHandle handle = HandleOf(c);
            packet.Stamp = new TransmitStamp { Client = this, Socket = handle.Index, Generation = handle.Generation, Flags = flags, Key = key };
        }
    }

    void ITransmitStampClient.OnTransmit(TransmitTime what, Packet packet, NetworkInterface output)
    {
        ref TransmitStamp stamp = ref packet.Stamp;
        Tcb* c = Find(new TcpHandle(stamp.Socket, stamp.Generation));
        if (c == null)
        {
            return;
        }

        SendTimestamps timestamps = _timestamps[c->Index];
        TransmitStampContext context = ContextOf(c, timestamps, stamp.Key);
        bool isTold = WithStatistics(timestamps)
            ? TryTell(c, timestamps, context, what, ackHopLimit: -1, Seq.Geq(stamp.Key, c->SndNxt) ? PayloadBytes(packet) : 0)
            : TransmitStamps.TryAdd(ref timestamps.Errors, context, what, packet, output);
        AfterTelling(c, isTold);
    }

    /// <summary>
    /// A segment, whose bytes before <paramref name="start"/> were acknowledged earlier, is acknowledged or a part of it is: tells so where
    /// that has the byte that is asked for.
    /// </summary>
    private void TellAcknowledged(Tcb* c, SendSegment* segment, uint start, byte hopLimit)
    {
        SendTimestamps timestamps = _timestamps[c->Index];
        if (!timestamps.TryFind(start, segment->Node.End, out uint key, out TimestampingFlags flags)
            || (flags & TimestampingFlags.SOF_TIMESTAMPING_TX_ACK) == 0 || Seq.Geq(key, c->SndUna))
        {
            return;
        }

        TransmitStampContext context = ContextOf(c, timestamps, key);
        if ((timestamps.Flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_TSONLY) != 0)
        {
            AfterTelling(c, TryTell(c, timestamps, context, TransmitTime.SCM_TSTAMP_ACK, hopLimit, leaving: 0));
            return;
        }

        // What is kept of a segment that was sent is its bytes alone.
        int length = (int)PayloadLength(segment);
        int trueSize = BufferSize.Of(length);
        bool isTold = timestamps.Errors.HasRoom(trueSize, context.MemoryUsed, context.MemoryMax);
        if (isTold)
        {
            CopyOut(segment, timestamps.Errors.Add(TransmitStamps.Entry(context, TransmitTime.SCM_TSTAMP_ACK), length, trueSize));
        }

        AfterTelling(c, isTold);
    }

    private void AfterTelling(Tcb* c, bool isTold)
    {
        if (isTold)
        {
            Notify(c, SocketEvents.Error);
        }
        else
        {
            ++Mib[TcpCounter.ErrorQueueDrops];
        }
    }

    private TransmitStampContext ContextOf(Tcb* c, SendTimestamps timestamps, uint key) => new()
    {
        Flags = timestamps.Flags,
        Id = key - timestamps.Base,
        Now = _engine.Now,
        MemoryUsed = c->RcvMemory,
        MemoryMax = c->RcvBuf,
    };

    private static bool WithStatistics(SendTimestamps timestamps) => (timestamps.Flags & TimestampingFlags.SOF_TIMESTAMPING_OPT_STATS) != 0;

    private static int PayloadBytes(Packet packet) =>
        packet.Length - (packet.TransportOffset - packet.Start) - ((packet.TransportHeader[12] >> 4) * 4);

    /// <summary>
    /// An entry without the packet; with measurements where they are asked for, in which the new bytes that are leaving now count as sent.
    /// </summary>
    private bool TryTell(Tcb* c, SendTimestamps timestamps, in TransmitStampContext context, TransmitTime what, int ackHopLimit, int leaving)
    {
        if (!timestamps.Errors.HasRoom(BufferSize.Small, context.MemoryUsed, context.MemoryMax))
        {
            return false;
        }

        UdpErrorInfo entry = TransmitStamps.Entry(context, what);
        if (!WithStatistics(timestamps))
        {
            timestamps.Errors.Add(entry, 0, BufferSize.Small);
            return true;
        }

        FillInfo(c, out TcpInfo info);
        info.BytesSent += (ulong)leaving;
        Span<byte> attributes = stackalloc byte[TimestampStatistics.BytesMax];
        int length = TimestampStatistics.Write(attributes, info, context.Now, ackHopLimit);
        attributes[..length].CopyTo(timestamps.Errors.Add(entry with { HasStatistics = true }, length, BufferSize.Small));
        return true;
    }

    private static void CopyOut(SendSegment* segment, Span<byte> destination)
    {
        uint seq = segment->Node.Start;
        for (Block* block = segment->Block; !destination.IsEmpty; block = block->Next)
        {
            int offset = block->Start + (int)(seq - block->Sequence);
            int count = Math.Min(destination.Length, block->End - offset);
            new ReadOnlySpan<byte>(Block.Data(block) + offset, count).CopyTo(destination);
            destination = destination[count..];
            seq += (uint)count;
        }
    }
}
