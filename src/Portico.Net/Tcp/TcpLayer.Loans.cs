using System.Runtime.CompilerServices;

namespace Portico.Net;

// The same as Send and Receive, in two halves, so that whoever holds a lock around the engine can copy the bytes without it: take
// memory, copy, give it back. The memory is the caller's in between, whatever becomes of the connection.

/// <summary>Empty blocks for bytes to be sent; see <see cref="TcpLayer.Reserve"/>.</summary>
public unsafe struct TcpSendLoan
{
    internal Block* Block;

    /// <summary>Bytes that fit.</summary>
    public int Length { get; internal set; }

    /// <summary>Where they go.</summary>
    public readonly Span<byte> Span => new(Net.Block.Data(Block), Length);
}

/// <summary>Received bytes that have left the stream already; see <see cref="TcpLayer.TryTakeReceived"/>.</summary>
public unsafe struct TcpReceiveLoan
{
    internal const int SlicesMax = 16;

    [InlineArray(SlicesMax)]
    internal struct SliceArray
    {
        private Slice _first;
    }

    internal SliceArray Slices;
    internal int Count;

    /// <summary>All bytes.</summary>
    public int Length { get; internal set; }

    /// <summary>Copies the bytes to a buffer that is long enough.</summary>
    public readonly void CopyTo(Span<byte> destination)
    {
        for (int i = 0; i < Count; i++)
        {
            Slices[i].Span.CopyTo(destination);
            destination = destination[Slices[i].Length..];
        }
    }
}

public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Takes memory for at most <paramref name="bytes"/> bytes, as many as fit in the send buffer. The caller fills it and calls
    /// <see cref="Commit(TcpHandle, ref TcpSendLoan, TcpSendFlags)"/>. Errors: as <see cref="Send"/>.
    /// </summary>
    public Errno Reserve(TcpHandle handle, int bytes, out TcpSendLoan loan)
    {
        loan = default;
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        Errno error = CheckSend(c);
        if (error != Errno.None)
        {
            return error;
        }

        int length = Math.Min(Math.Min(SendRoom(c), bytes), BlockPool.LargeBytes);
        length = NotSentLow(c) == uint.MaxValue ? length : Math.Min(length, AppendRoom(c, SegmentGoal(c, TcpSendFlags.None)));
        if (length <= 0)
        {
            return RefuseWrite(c, Errno.EAGAIN);
        }

        loan.Block = _engine.Blocks.Rent(length);
        if (loan.Block == null)
        {
            ++Mib[TcpCounter.TCPMemoryPressures];
            return RefuseWrite(c, Errno.ENOBUFS);
        }

        loan.Length = length;
        return Errno.None;
    }

    /// <summary>Sends what a loan was filled with; the memory is the stack's again in any case. Errors: as <see cref="Send"/>.</summary>
    public Errno Commit(TcpHandle handle, ref TcpSendLoan loan, TcpSendFlags flags) => Commit(handle, ref loan, loan.Length, flags);

    /// <summary>As the other, where only the first <paramref name="length"/> bytes were filled, one at least.</summary>
    public Errno Commit(TcpHandle handle, ref TcpSendLoan loan, int length, TcpSendFlags flags)
    {
        if (length <= 0 || length > loan.Length)
        {
            throw new ArgumentOutOfRangeException(nameof(length));
        }

        Block* block = loan.Block;
        loan = default;
        Tcb* c = Find(handle);
        Errno error = c == null ? Errno.EBADF : CheckSend(c);
        if (error != Errno.None)
        {
            _engine.Blocks.Release(block);
            return error;
        }

        NoteAppLimited(c);
        Block* last = c->SndBlockTail;
        int lastEnd = last == null ? 0 : last->End;
        LinkBlock(c, block, c->WriteSeq);
        block->End = length;
        if (!QueueWritten(c, block, (uint)length, SegmentGoal(c, flags), false, flags))
        {
            DropCopied(c, last, lastEnd);
            return RefuseWrite(c, Errno.ENOBUFS);
        }

        AfterAppend(c, flags, false);
        return Errno.None;
    }

    /// <summary>Gives a loan back unused.</summary>
    public void Return(ref TcpSendLoan loan)
    {
        if (loan.Block != null)
        {
            _engine.Blocks.Release(loan.Block);
            loan = default;
        }
    }

    /// <summary>
    /// Takes at most <paramref name="bytes"/> received bytes out of the stream, to be copied and then given back by
    /// <see cref="ReturnReceived"/>. False, with an empty loan, where there are fewer than <paramref name="bytesMin"/>, or where their
    /// limits need <see cref="Receive"/>.
    /// </summary>
    public bool TryTakeReceived(TcpHandle handle, int bytes, int bytesMin, out TcpReceiveLoan loan)
    {
        Unsafe.SkipInit(out loan);
        loan.Count = 0;
        loan.Length = 0;
        Tcb* c = Find(handle);

        // Urgent data has its own rules about what may be read together.
        if (c == null || c->RxHead == null || c->Urgent != UrgentState.None || c->RcvNxt - c->CopiedSeq < (uint)bytesMin)
        {
            return false;
        }

        for (RxSegment* segment = c->RxHead; segment != null && loan.Length < bytes && loan.Count < TcpReceiveLoan.SlicesMax; segment = c->RxHead)
        {
            int offset = (int)(c->CopiedSeq - segment->Node.Start);
            int count = Math.Min(segment->Data.Length - offset, bytes - loan.Length);
            if (count > 0)
            {
                BlockPool.AddReference(segment->Data.Block);
                loan.Slices[loan.Count++] = new Slice { Block = segment->Data.Block, Offset = segment->Data.Offset + offset, Length = count };
                loan.Length += count;
                c->CopiedSeq += (uint)count;
            }

            if (Seq.Lt(c->CopiedSeq, segment->Node.End))
            {
                break;
            }

            DropFirstReceived(c);
        }

        return loan.Length > 0;
    }

    /// <summary>Gives the memory of a loan back and lets the peer know that there is room again. The connection may be gone.</summary>
    public void ReturnReceived(TcpHandle handle, ref TcpReceiveLoan loan)
    {
        for (int i = 0; i < loan.Count; i++)
        {
            _engine.Blocks.Release(loan.Slices[i].Block);
        }

        Tcb* c = Find(handle);
        if (c != null && loan.Length > 0)
        {
            AfterRead(c, loan.Length);
            Reap();
        }

        loan.Count = 0;
    }
}
