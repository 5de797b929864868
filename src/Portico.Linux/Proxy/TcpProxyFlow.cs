using System.Buffers;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// One forwarded connection: a socket of the host and a connection of the stack, each other's ends. Bytes pass through a buffer
/// that they all share; what the other side does not take at once is kept here, and then nothing more is read, so that
/// back-pressure goes through.
/// </summary>
internal sealed class TcpProxyFlow : IPollHandler, ISocketOwner
{
    private enum Phase
    {
        /// <summary>The host connects; the program's SYN waits.</summary>
        Connecting,

        /// <summary>The host is connected; the program has its SYN-ACK.</summary>
        Accepted,
        Open,
        Closed,
    }

    /// <summary>Bytes that one side has given and the other has not taken yet.</summary>
    private struct Remainder
    {
        private byte[]? _bytes;
        private int _start;
        private int _end;

        public readonly bool IsEmpty => _bytes == null;

        public readonly ReadOnlySpan<byte> Span => _bytes.AsSpan(_start, _end - _start);

        public void Keep(ReadOnlySpan<byte> bytes)
        {
            _bytes = ArrayPool<byte>.Shared.Rent(bytes.Length);
            bytes.CopyTo(_bytes);
            _start = 0;
            _end = bytes.Length;
        }

        public void Take(int count)
        {
            _start += count;
            if (_start == _end)
            {
                Clear();
            }
        }

        public void Clear()
        {
            if (_bytes != null)
            {
                ArrayPool<byte>.Shared.Return(_bytes);
                _bytes = null;
            }
        }
    }

    private readonly TcpProxy _proxy;
    private readonly TcpLayer _tcp;
    private readonly HostSocket _host;
    private readonly TcpForwardRequest _request;
    private readonly Endpoint _target;
    private readonly int _slot;
    private Phase _phase;
    private TcpHandle _handle;
    private Remainder _toStack;
    private Remainder _toHost;
    private bool _hostEnded;
    private bool _stackEnded;
    private bool _isDelivered;

    public TcpProxyFlow(TcpProxy proxy, in TcpForwardRequest request, in Endpoint target, HostSocket host)
    {
        _proxy = proxy;
        _tcp = proxy.Stack.Tcp;
        _request = request;
        _target = target;
        _host = host;
        proxy.FlowCount++;
        proxy.UndeliveredCount++;
        _slot = proxy.Events.Add(host.Fd, this);
    }

    /// <summary>The host's socket is ready for something.</summary>
    public bool OnPoll(SocketEvents events)
    {
        if (_phase == Phase.Connecting)
        {
            if ((events & (SocketEvents.Writable | SocketEvents.Error | SocketEvents.HangUp)) == 0)
            {
                return false;
            }

            FinishConnect();
            return false;
        }

        if (_phase != Phase.Open)
        {
            return false;
        }

        bool more = false;
        if ((events & SocketEvents.Writable) != 0)
        {
            more |= PumpToHost();
        }

        if ((events & ~SocketEvents.Writable) != 0)
        {
            more |= PumpToStack();
        }

        return more;
    }

    /// <summary>The stack's connection is ready for something.</summary>
    public void OnReady(SocketEvents events)
    {
        if (_phase == Phase.Accepted && (events & (SocketEvents.Writable | SocketEvents.Readable)) != 0)
        {
            _phase = Phase.Open;
        }

        if ((events & SocketEvents.Error) != 0 && _phase is Phase.Accepted or Phase.Open)
        {
            // What the program had sent before its reset has been passed on as it came; the reset is what is left.
            _proxy.Counters[ProxyCounter.TcpReset]++;
            End(resetHost: true, abortStack: true);
            return;
        }

        // Who has more than one turn's share comes back with the next events: its sender's acknowledgements bring some.
        while (_phase == Phase.Open && PumpToHost())
        {
        }

        while (_phase == Phase.Open && PumpToStack())
        {
        }
    }

    private void FinishConnect()
    {
        Errno error = _host.TakeError();
        Report(error == Errno.None ? TcpProxyEventKind.Connected : TcpProxyEventKind.ConnectFailed, error);
        TcpForwardVerdict verdict = error == Errno.None ? TcpForwardVerdict.Accept : _proxy.VerdictOf(error);
        Errno result = _tcp.CompleteForward(_request.Id, verdict, verdict == TcpForwardVerdict.Accept ? this : null, out _handle);
        if (verdict != TcpForwardVerdict.Accept || result != Errno.None)
        {
            if (verdict == TcpForwardVerdict.Accept)
            {
                _proxy.Counters[ProxyCounter.TcpExpired]++;
            }

            End(resetHost: true, abortStack: false);
            return;
        }

        _proxy.Counters[ProxyCounter.TcpAccepted]++;
        _phase = Phase.Accepted;
        _host.SetOption(LibC.IPPROTO_TCP, LibC.TCP_NODELAY, 1);
        _host.SetOption(LibC.SOL_SOCKET, LibC.SO_OOBINLINE, 1);
        _tcp.SetOption(_handle, TcpOption.TCP_NODELAY, 1);
        _tcp.SetOption(_handle, TcpOption.SO_OOBINLINE, 1);
    }

    private void Report(TcpProxyEventKind kind, Errno error = Errno.None) => _proxy.Report(kind, _request, _target, error);

    /// <summary>Moves what the host has received into the stack; true where it stopped at its share.</summary>
    private bool PumpToStack()
    {
        int budget = TcpProxy.BudgetBytes;
        while (budget > 0)
        {
            if (!_toStack.IsEmpty)
            {
                if (!SendToStack(_toStack.Span, out int taken))
                {
                    return false;
                }

                _toStack.Take(taken);
                if (!_toStack.IsEmpty)
                {
                    return false;
                }
            }

            if (_hostEnded)
            {
                return false;
            }

            Errno error = _host.Receive(_proxy.Scratch, out int received);
            if (error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.None)
            {
                Report(TcpProxyEventKind.Failed, error);
                _proxy.Counters[ProxyCounter.TcpReset]++;
                End(resetHost: true, abortStack: true);
                return false;
            }

            if (received == 0)
            {
                _hostEnded = true;
                Report(TcpProxyEventKind.Ended);
                _tcp.Shutdown(_handle, TcpShutdown.Send);
                EndWhenDone();
                return false;
            }

            budget -= received;
            _proxy.Counters[ProxyCounter.TcpBytesIn] += received;
            ReadOnlySpan<byte> bytes = _proxy.Scratch.AsSpan(0, received);
            if (!SendToStack(bytes, out int sent))
            {
                return false;
            }

            if (sent < received)
            {
                _toStack.Keep(bytes[sent..]);
                return false;
            }
        }

        return true;
    }

    /// <summary>False where the connection is gone; none taken is no failure.</summary>
    private bool SendToStack(ReadOnlySpan<byte> bytes, out int sent)
    {
        Errno error = _tcp.Send(_handle, bytes, TcpSendFlags.None, out sent);
        if (error is Errno.None or Errno.EAGAIN)
        {
            return true;
        }

        _proxy.Counters[ProxyCounter.TcpReset]++;
        End(resetHost: true, abortStack: true);
        return false;
    }

    /// <summary>Moves what the stack has received into the host's socket; true where it stopped at its share.</summary>
    private bool PumpToHost()
    {
        int budget = TcpProxy.BudgetBytes;
        while (budget > 0)
        {
            if (!_toHost.IsEmpty)
            {
                if (!SendToHost(_toHost.Span, out int taken))
                {
                    return false;
                }

                _toHost.Take(taken);
                if (!_toHost.IsEmpty)
                {
                    return false;
                }
            }

            if (_stackEnded)
            {
                return false;
            }

            Errno error = _tcp.Receive(_handle, _proxy.Scratch, TcpReceiveFlags.None, out int received);
            if (error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.None)
            {
                _proxy.Counters[ProxyCounter.TcpReset]++;
                End(resetHost: true, abortStack: true);
                return false;
            }

            if (received == 0)
            {
                _stackEnded = true;
                _host.ShutdownSend();
                MarkDelivered();
                EndWhenDone();
                return false;
            }

            budget -= received;
            _proxy.Counters[ProxyCounter.TcpBytesOut] += received;
            ReadOnlySpan<byte> bytes = _proxy.Scratch.AsSpan(0, received);
            if (!SendToHost(bytes, out int sent))
            {
                return false;
            }

            if (sent < received)
            {
                _toHost.Keep(bytes[sent..]);
            }
        }

        return true;
    }

    private bool SendToHost(ReadOnlySpan<byte> bytes, out int sent)
    {
        Errno error = _host.Send(bytes, out sent);
        if (error is Errno.None or Errno.EAGAIN)
        {
            return true;
        }

        Report(TcpProxyEventKind.Failed, error);

        // The other side is gone; what it said before is still to be passed on.
        if (_phase == Phase.Open && !_hostEnded)
        {
            PumpToStack();
        }

        _proxy.Counters[ProxyCounter.TcpReset]++;
        End(resetHost: true, abortStack: true);
        return false;
    }

    private void MarkDelivered()
    {
        if (!_isDelivered)
        {
            _isDelivered = true;
            _proxy.UndeliveredCount--;
        }
    }

    private void EndWhenDone()
    {
        if (_hostEnded && _stackEnded && _toStack.IsEmpty && _toHost.IsEmpty)
        {
            _proxy.Counters[ProxyCounter.TcpClosed]++;
            End(resetHost: false, abortStack: false);
        }
    }

    private void End(bool resetHost, bool abortStack)
    {
        if (_phase == Phase.Closed)
        {
            return;
        }

        Phase was = _phase;
        _phase = Phase.Closed;
        _proxy.FlowCount--;
        MarkDelivered();
        _proxy.Events.Remove(_slot, _host.Fd);
        if (resetHost)
        {
            _host.Reset();
        }
        else
        {
            _host.Close();
        }

        _toHost.Clear();
        _toStack.Clear();
        if (was is Phase.Accepted or Phase.Open)
        {
            if (abortStack)
            {
                _tcp.Abort(_handle);
            }
            else
            {
                _tcp.Close(_handle);
            }
        }
    }
}
