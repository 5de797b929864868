using System.Runtime.CompilerServices;
using Portico.Net;

namespace Portico.Linux;

// How bytes get from one side to the other, without a copy between the stack's memory and the kernel's.
internal abstract partial class TcpRelay
{
    /// <summary>Fewer bytes than these are copied, so that a queue of small pieces does not hold large blocks.</summary>
    private const int InPlaceBytesMin = 16 * 1024;

    private const int SlicesMax = 32;

    /// <summary>
    /// Moves what the host has received into the stack; true where it stopped at its share. Bytes that fill a block are read straight
    /// into the stack's memory, fewer are copied together there. One read takes what one packet carries: more would leave a rest that
    /// goes out as a small packet.
    /// </summary>
    private bool PumpToStack()
    {
        int packetBytes = _stack.Tcp.PacketBytes(Handle);
        for (int budget = TcpProxy.BudgetBytes; budget > 0;)
        {
            if (!GiveKept(ref _stack, ref _toStack) || _toStack.HasEnded)
            {
                return false;
            }

            Errno room = _stack.Tcp.Reserve(Handle, packetBytes, out TcpSendLoan loan);
            if (room == Errno.EAGAIN)
            {
                return false;
            }

            Span<byte> buffer = room == Errno.None ? loan.Span : Proxy.Scratch;
            Errno error = _host.Receive(buffer, out int received, out bool isUrgent);
            budget -= received;
            bool goesOn;
            if (room == Errno.None && received >= InPlaceBytesMin && !isUrgent)
            {
                Proxy.Counters[ProxyCounter.TcpBytesIn] += received;
                error = _stack.Tcp.Commit(Handle, ref loan, received, TcpSendFlags.None);
                goesOn = error == Errno.None;
                if (!goesOn)
                {
                    OnError<TcpStackEnd>(error);
                }
            }
            else
            {
                goesOn = Pass<TcpHostEnd, TcpStackEnd>(ref _stack, ref _toStack, error, buffer[..received], isUrgent);
                _stack.Tcp.Return(ref loan);
            }

            if (!goesOn || !_host.MayHaveMore)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>
    /// Moves what the stack has received into the host's socket, from where it lies; true where it stopped at its share. What the host
    /// does not take stays in the stack's queue, and closes its window.
    /// </summary>
    private bool PumpToHost()
    {
        bool more = PumpToHostInPlace();
        if (_toHost.IsDone)
        {
            MarkDelivered();
        }

        return more;
    }

    [SkipLocalsInit]
    private bool PumpToHostInPlace()
    {
        Span<TcpReceivedSlice> slices = stackalloc TcpReceivedSlice[SlicesMax];
        for (int budget = TcpProxy.BudgetBytes; budget > 0;)
        {
            if (!GiveKept(ref _host, ref _toHost) || _toHost.HasEnded)
            {
                return false;
            }

            int count = _stack.Tcp.PeekReceived(Handle, slices);
            if (count == 0)
            {
                // Nothing, the end, an error, or something about the urgent mark.
                Errno state = _stack.Receive(Proxy.Scratch, out int received, out bool isUrgent);
                budget -= received;
                if (!Pass<TcpStackEnd, TcpHostEnd>(ref _host, ref _toHost, state, Proxy.Scratch.AsSpan(0, received), isUrgent))
                {
                    return false;
                }

                continue;
            }

            int offered = 0;
            for (int i = 0; i < count; i++)
            {
                offered += slices[i].Length;
            }

            Errno error = Host.Send(slices[..count], out int sent);
            if (error is not Errno.None and not Errno.EAGAIN)
            {
                OnError<TcpHostEnd>(error);
                return false;
            }

            budget -= sent;
            Proxy.Counters[ProxyCounter.TcpBytesOut] += sent;
            _stack.Tcp.SkipReceived(Handle, sent);
            if (sent < offered)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Gives what was kept; true where nothing is left of it.</summary>
    private bool GiveKept<TTo>(ref TTo to, ref TcpRelayDirection direction)
        where TTo : struct, ITcpRelayEnd
    {
        if (direction.IsEmpty)
        {
            return true;
        }

        if (!Send(ref to, direction.Kept, direction.IsUrgent, out int taken))
        {
            return false;
        }

        direction.Take(taken);
        return direction.IsEmpty;
    }

    /// <summary>Passes on what a read has returned: bytes, the end or an error; true where reading may go on.</summary>
    private bool Pass<TFrom, TTo>(ref TTo to, ref TcpRelayDirection direction, Errno error, ReadOnlySpan<byte> bytes, bool isUrgent)
        where TFrom : struct, ITcpRelayEnd
        where TTo : struct, ITcpRelayEnd
    {
        if (error == Errno.EAGAIN)
        {
            return false;
        }

        if (error != Errno.None)
        {
            OnError<TFrom>(error);
            return false;
        }

        if (bytes.IsEmpty)
        {
            if (_isBreaking)
            {
                // An error is reported once; after it even a reset connection reads as ended.
                return false;
            }

            direction.HasEnded = true;
            if (TFrom.IsHost)
            {
                OnHostEvent(TcpProxyEventKind.Ended, Errno.None);
            }

            to.ShutdownSend();
            EndWhenDone();
            return false;
        }

        Proxy.Counters[TFrom.IsHost ? ProxyCounter.TcpBytesIn : ProxyCounter.TcpBytesOut] += bytes.Length;
        if (!Send(ref to, bytes, isUrgent, out int sent))
        {
            return false;
        }

        if (sent < bytes.Length)
        {
            direction.Keep(bytes[sent..], isUrgent);
            return false;
        }

        return true;
    }

    /// <summary>False where the connection is gone; none taken is no failure.</summary>
    private bool Send<TTo>(ref TTo to, ReadOnlySpan<byte> bytes, bool isUrgent, out int sent)
        where TTo : struct, ITcpRelayEnd
    {
        Errno error = to.Send(bytes, isUrgent, out sent);
        if (error is Errno.None or Errno.EAGAIN)
        {
            return true;
        }

        OnError<TTo>(error);
        return false;
    }
}
