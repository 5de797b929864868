using Portico.Net;

namespace Portico.Kernel;

// Reading and writing: what the engine takes and gives, behind what the socket itself has to say first (sendmsg(2), recvmsg(2)).
internal sealed partial class InetStreamSocket
{
    public override Errno Send(ref IoCursor source, ref SocketMessage message, out long count)
    {
        bool notifies = NotifiesOf(source, message);
        bool isContinued = source.Remaining < source.Total;
        if (notifies && !isContinued && !HasRoomForNotice)
        {
            count = 0;
            return Errno.ENOBUFS;
        }

        Errno error = SendBytes(ref source, ref message, notifies, out count);
        NoteSent(count, notifies, isContinued);
        return error;
    }

    private Errno SendBytes(ref IoCursor source, ref SocketMessage message, bool notifies, out long count)
    {
        count = 0;
        bool opens = (message.Flags & MessageFlags.MSG_FASTOPEN) != 0 || message.HasOpened || IsConnectDeferred;
        if (!HasConnection && !opens)
        {
            Errno left = TakeError();
            return left == Errno.None ? Errno.EPIPE : left;
        }

        IpSendControl control = new() { Timestamping = Generic.Timestamping & TimestampingFlags.SOF_TIMESTAMPING_TX_RECORD_MASK };
        if (!message.Control.IsEmpty)
        {
            Errno wrong = ReadGenericControl(message.Sender!, message.Control, ref control);
            if (wrong != Errno.None)
            {
                return wrong;
            }
        }

        if (opens)
        {
            Errno error = SendFastOpen(ref source, ref message, out count, out bool isOver);
            if (error != Errno.None || isOver || (source.Remaining == 0 && count > 0))
            {
                return error;
            }
        }

        bool isContinued = source.Remaining < source.Total;
        if (isContinued && (Tcp.Poll(_handle) & SocketEvents.Error) != 0)
        {
            // The call returns what it has sent before; the error is given once, to the next one.
            return Errno.EPIPE;
        }

        if (_stage == Stage.Connecting && (message.Flags & MessageFlags.MSG_DONTWAIT) == 0)
        {
            Tcp.NoteWritePending(_handle);
        }

        if (source.Lacks(source.Remaining))
        {
            Errno wrong = Tcp.Send(_handle, default, TcpSendFlags.Partial, out _);
            return wrong == Errno.None ? Errno.EFAULT : wrong;
        }

        TcpSendFlags flags = (message.Flags & MessageFlags.MSG_OOB) != 0 ? TcpSendFlags.OutOfBand : TcpSendFlags.None;
        flags |= (message.Flags & MessageFlags.MSG_MORE) != 0 ? TcpSendFlags.More : TcpSendFlags.None;
        flags |= (message.Flags & MessageFlags.MSG_EOR) != 0 ? TcpSendFlags.EndOfRecord : TcpSendFlags.None;
        int pieces = 0;
        do
        {
            Span<byte> piece = source.Next();
            TcpSendFlags now = piece.Length < source.Remaining ? TcpSendFlags.Partial : flags;
            if (notifies && ++pieces % ZeroCopyPiecesMax == 0)
            {
                now |= TcpSendFlags.EndOfRecord;
            }

            Errno error = Tcp.Send(_handle, piece, now, out int sent, control.Timestamping);
            source.Skip(sent);
            count += sent;
            if (error != Errno.None && count == 0)
            {
                return error;
            }

            if (sent < piece.Length || error != Errno.None)
            {
                break;
            }
        }
        while (source.Remaining > 0);
        if (source.Remaining > 0 && control.Timestamping != TimestampingFlags.None && (message.Flags & MessageFlags.MSG_DONTWAIT) != 0)
        {
            Tcp.StampWritten(_handle, control.Timestamping);
        }

        return Errno.None;
    }

    public override Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        message.AddressLength = 0;
        if ((message.Flags & MessageFlags.MSG_ERRQUEUE) != 0)
        {
            return ReceiveNotice(ref destination, ref message, out count);
        }

        if (!HasConnection)
        {
            return ReceiveUnconnected(message.Flags);
        }

        if ((message.Flags & (MessageFlags.MSG_TRUNC | MessageFlags.MSG_PEEK)) == MessageFlags.MSG_TRUNC)
        {
            return Discard(destination.Remaining, out count);
        }

        TcpReceiveFlags flags = (message.Flags & MessageFlags.MSG_PEEK) != 0 ? TcpReceiveFlags.Peek : TcpReceiveFlags.None;
        if ((message.Flags & MessageFlags.MSG_OOB) != 0)
        {
            flags |= TcpReceiveFlags.OutOfBand;
            message.ReturnedFlags |= MessageFlags.MSG_OOB;
        }
        else if (destination.Remaining == 0 && (Tcp.Poll(_handle) & SocketEvents.Readable) == 0)
        {
            return Errno.EAGAIN;
        }

        if (destination.Lacks(destination.Remaining))
        {
            int readable = Tcp.ReadableBytes(_handle);
            Span<byte> any = stackalloc byte[1];
            if (readable == 0 || destination.Lacks(readable))
            {
                // What is wrong with the connection, or that there is nothing, comes before the memory.
                return readable == 0 ? Tcp.Receive(_handle, any, flags, out _) : Errno.EFAULT;
            }

            destination.Limit(destination.Present);
        }

        if (flags == TcpReceiveFlags.Peek && (Generic.PeekOffset >= 0 || destination.Next().Length < destination.Remaining))
        {
            return PeekPieces(ref destination, out count);
        }

        while (true)
        {
            Span<byte> piece = destination.Next();
            Errno error = Tcp.Receive(_handle, piece, flags, out int received);
            destination.Skip(received);
            count += received;
            if (error != Errno.None || received < piece.Length || destination.Remaining == 0 || flags != TcpReceiveFlags.None)
            {
                error = count > 0 ? Errno.None : error;
                if (flags == TcpReceiveFlags.None && count > 0)
                {
                    MovePeekOffset(-(int)count);
                    bool isEnough = destination.Total - destination.Remaining >= Math.Min(Generic.ReceiveLow, destination.Total);
                    bool mayWait = (message.Flags & (MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_WAITALL)) == 0;
                    if (!isEnough && mayWait && IsBelowLow(WithNormal(Tcp.Poll(_handle))))
                    {
                        return Errno.EAGAIN;
                    }
                }

                if (error == Errno.None && Options.Tcp is { TellsQueueLength: true })
                {
                    PutQueueLength(ref message.ReceivedControl);
                }

                return error;
            }
        }
    }

    /// <summary>A look that goes into several pieces of memory, or at what is behind what has been looked at (SO_PEEK_OFF).</summary>
    private Errno PeekPieces(ref IoCursor destination, out long count)
    {
        int offset = Math.Max(0, Generic.PeekOffset);
        int wanted = (int)Math.Min(destination.Remaining, Math.Max(0, Tcp.ReadableBytes(_handle) - offset));
        byte[] seen = System.Buffers.ArrayPool<byte>.Shared.Rent(Math.Max(1, offset + wanted));
        Errno error = Tcp.Receive(_handle, seen.AsSpan(0, Math.Max(1, offset + wanted)), TcpReceiveFlags.Peek, out int received);
        count = error == Errno.None && received > offset ? destination.Write(seen.AsSpan(offset, Math.Min(wanted, received - offset))) : 0;
        System.Buffers.ArrayPool<byte>.Shared.Return(seen);
        bool isEnd = (Tcp.Poll(_handle) & (SocketEvents.ReadHangUp | SocketEvents.HangUp)) != 0;
        if (Generic.PeekOffset >= 0)
        {
            OwnGeneric.PeekOffset = offset + (int)count;
        }

        return error != Errno.None || count > 0 || isEnd ? error : Errno.EAGAIN;
    }

    /// <summary>TCP_INQ: what is left to be read; 1 where that is the end.</summary>
    private void PutQueueLength(ref ControlWriter control)
    {
        int left = Tcp.ReadableBytes(_handle);
        bool isEnd = left == 0 && (Tcp.Poll(_handle) & SocketEvents.ReadHangUp) != 0;
        control.PutInt((int)SocketLevel.IPPROTO_TCP, (int)TcpOptionNumber.TCP_INQ, isEnd ? 1 : left);
    }

    private Errno ReceiveUnconnected(MessageFlags flags)
    {
        if (_stage == Stage.Listening)
        {
            return Errno.ENOTCONN;
        }

        if ((flags & MessageFlags.MSG_OOB) != 0)
        {
            return Errno.EINVAL;
        }

        Errno left = TakeError();
        return left != Errno.None ? left : (_shutdown & 1) != 0 ? Errno.None : Errno.ENOTCONN;
    }

    /// <summary>MSG_TRUNC: bytes are taken and go nowhere (tcp(7)).</summary>
    private Errno Discard(long most, out long count)
    {
        count = 0;
        byte[] scratch = System.Buffers.ArrayPool<byte>.Shared.Rent((int)Math.Min(most, 64 * 1024));
        Errno error;
        int received;
        do
        {
            error = Tcp.Receive(_handle, scratch.AsSpan(0, (int)Math.Min(most - count, scratch.Length)), TcpReceiveFlags.None, out received);
            count += received;
        }
        while (error == Errno.None && received > 0 && count < most);
        System.Buffers.ArrayPool<byte>.Shared.Return(scratch);
        return count > 0 ? Errno.None : error;
    }
}
