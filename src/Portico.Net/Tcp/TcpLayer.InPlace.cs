namespace Portico.Net;

/// <summary>Received bytes where they lie; see <see cref="TcpLayer.PeekReceived"/>.</summary>
public readonly unsafe struct TcpReceivedSlice
{
    internal TcpReceivedSlice(byte* start, int length)
    {
        Start = start;
        Length = length;
    }

    /// <summary>The first byte.</summary>
    public byte* Start { get; }

    /// <summary>How many there are.</summary>
    public int Length { get; }
}

// Receiving without a copy, for whoever hands the bytes on before anybody else enters the engine.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Lists received bytes without taking them, and returns how many slices there are. They are valid until the next call of this
    /// layer. 0 where there are none, and where urgent data limits what may be read together, which is <see cref="Receive"/>'s business.
    /// </summary>
    public int PeekReceived(TcpHandle handle, Span<TcpReceivedSlice> slices)
    {
        Tcb* c = Find(handle);
        if (c == null || c->Urgent != UrgentState.None)
        {
            return 0;
        }

        int count = 0;
        uint seq = c->CopiedSeq;
        for (RxSegment* segment = c->RxHead; segment != null && count < slices.Length; segment = segment->Next)
        {
            int offset = (int)(seq - segment->Node.Start);
            int length = segment->Data.Length - offset;
            if (length > 0)
            {
                slices[count++] = new TcpReceivedSlice(segment->Data.Pointer + offset, length);
                seq += (uint)length;
            }
        }

        return count;
    }

    /// <summary>Takes bytes that <see cref="PeekReceived"/> has listed out of the stream.</summary>
    public void SkipReceived(TcpHandle handle, int bytes)
    {
        Tcb* c = Find(handle);
        if (c == null || bytes <= 0)
        {
            return;
        }

        int left = bytes;
        for (RxSegment* segment = c->RxHead; segment != null && left > 0; segment = c->RxHead)
        {
            int offset = (int)(c->CopiedSeq - segment->Node.Start);
            int count = Math.Min(segment->Data.Length - offset, left);
            c->CopiedSeq += (uint)count;
            left -= count;
            if (Seq.Lt(c->CopiedSeq, segment->Node.End))
            {
                break;
            }

            DropFirstReceived(c);
        }

        AfterRead(c, bytes - left);
        Reap();
    }
}
