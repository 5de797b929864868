using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// MSG_ZEROCOPY: sends are numbered, and the error queue tells of those whose bytes have been acknowledged. The bytes are copied all the
// same, which the notices say (SO_EE_CODE_ZEROCOPY_COPIED), as those of Linux do where the packets stay on the machine.
internal sealed partial class InetStreamSocket
{
    private const byte SO_EE_ORIGIN_ZEROCOPY = 5;
    private const byte SO_EE_CODE_ZEROCOPY_COPIED = 1;

    /// <summary>Sends that have not been acknowledged, at most; one more is ENOBUFS, as where Linux reaches net.core.optmem_max.</summary>
    private const int NumberedSendsMax = 4096;

    /// <summary>
    /// Pieces of memory that go into one segment: Linux would refer to each of them (MAX_SKB_FRAGS), and a program sees by the segments that
    /// there are no more.
    /// </summary>
    private const int ZeroCopyPiecesMax = 17;

    /// <summary>What a socket has of this that has sent so once.</summary>
    private sealed class NumberedSends
    {
        /// <summary>The bytes that have been sent since the first of them.</summary>
        public long Written { get; set; }

        /// <summary>The number that the next one gets.</summary>
        public uint NextNumber { get; set; }

        /// <summary>Those that wait for their acknowledgment, with the position of the byte behind them.</summary>
        public Queue<(uint Number, long End)> Pending { get; } = new();

        /// <summary>The last one that has been told of, or is about to be.</summary>
        public uint? LastTold { get; set; }

        /// <summary>Those that have been acknowledged and that nobody has been told of; their numbers follow one another.</summary>
        public (uint First, uint Last)? Notice { get; set; }
    }

    private NumberedSends? _numbered;

    /// <summary>Whether nothing but an urgent byte is there to read.</summary>
    internal bool IsHeldUpByUrgentByte => HasConnection && Tcp.IsHeldUpByUrgentByte(_handle);

    private bool HasNotice => _numbered != null && UpdateNotice().Notice != null;

    private bool HasRoomForNotice => _numbered == null || UpdateNotice().Pending.Count < NumberedSendsMax;

    private bool NotifiesOf(in IoCursor source, in SocketMessage message) =>
        (message.Flags & MessageFlags.MSG_ZEROCOPY) != 0 && Generic.Has(GenericFlags.ZeroCopy) && source.Remaining > 0;

    /// <summary>So much has been sent; a call that waited for room goes on with the number that it has.</summary>
    private void NoteSent(long count, bool notifies, bool isContinued)
    {
        if (count == 0 || (_numbered == null && !notifies))
        {
            return;
        }

        NumberedSends numbered = _numbered ??= new NumberedSends();
        numbered.Written += count;
        if (!notifies)
        {
            return;
        }

        numbered.NextNumber += isContinued ? 0u : 1u;
        numbered.Pending.Enqueue((numbered.NextNumber - 1, numbered.Written));
        Tcp.TellOfAcknowledgment(_handle);
    }

    /// <summary>Looks what has been acknowledged meanwhile; with the connection all of it is over.</summary>
    private NumberedSends UpdateNotice()
    {
        NumberedSends numbered = _numbered!;
        bool isOpening = _stage == Stage.Connecting && !IsDead() && !NoteConnected();
        long acknowledged = isOpening ? 0
            : HasConnection && !IsDead() ? numbered.Written - Tcp.UnacknowledgedBytes(_handle)
            : numbered.Written;
        while (numbered.Pending.TryPeek(out (uint Number, long End) first) && first.End <= acknowledged)
        {
            numbered.Pending.Dequeue();

            // A call that waits for room and goes on has its number several times. It is told of once, perhaps before it returns.
            bool isLast = !numbered.Pending.TryPeek(out (uint Number, long End) next) || next.Number != first.Number;
            if (isLast && first.Number != numbered.LastTold)
            {
                numbered.Notice = (numbered.Notice?.First ?? first.Number, first.Number);
                numbered.LastTold = first.Number;
            }
        }

        return numbered;
    }

    protected override void OnReady(SocketEvents events)
    {
        if (_numbered != null && (events & SocketEvents.Error) != 0)
        {
            NumberedSends numbered = UpdateNotice();
            if (numbered.Pending.Count > 0)
            {
                Tcp.TellOfAcknowledgment(_handle);
            }

            // What was acknowledged may be a part of a send, of which nobody is to hear yet.
            bool isError = numbered.Notice != null || (PollStage() & SocketEvents.Error) != 0;
            events &= isError ? ~SocketEvents.None : ~SocketEvents.Error;
        }

        base.OnReady(events);
    }

    /// <summary>MSG_ERRQUEUE: a time of sending, or a notice of MSG_ZEROCOPY. Errors: EAGAIN where there is nothing to tell.</summary>
    private Errno ReceiveNotice(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        return HasConnection && Tcp.ReceiveError(_handle, out UdpErrorInfo told) == Errno.None
            ? ReceiveError(ref destination, ref message, told, out count)
            : TakeNotice(ref message);
    }

    private Errno TakeNotice(ref SocketMessage message)
    {
        if (!HasNotice)
        {
            return Errno.EAGAIN;
        }

        (uint first, uint last) = _numbered!.Notice!.Value;
        _numbered.Notice = null;
        message.ReturnedFlags |= MessageFlags.MSG_ERRQUEUE;
        Span<byte> bytes = stackalloc byte[ExtendedErrorBytes + SocketAddress.Ipv6Bytes];
        bytes.Clear();
        bytes[4] = SO_EE_ORIGIN_ZEROCOPY;
        bytes[6] = SO_EE_CODE_ZEROCOPY_COPIED;
        MemoryMarshal.Write(bytes[8..], first);
        MemoryMarshal.Write(bytes[12..], last);
        PutExtendedError(ref message.ReceivedControl, bytes);
        return Errno.None;
    }
}
