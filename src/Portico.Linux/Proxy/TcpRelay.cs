using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// A socket of the host and a connection of the stack, each other's continuation. Bytes go from one's memory to the other's; where one
/// does not take them nothing more is read from the other, so that back-pressure goes through. The end of either direction, resets
/// and the urgent mark are passed on as they come. Who opens what is the derived classes' story.
/// </summary>
internal abstract partial class TcpRelay : IPollHandler, ISocketOwner
{
    private protected enum Phase
    {
        /// <summary>One side is there, the other not yet: nothing is read from either.</summary>
        Opening,
        Open,
        Closed,
    }

    private readonly int _slot;
    private Phase _phase;
    private TcpHostEnd _host;
    private TcpStackEnd _stack;
    private TcpRelayDirection _toStack;
    private TcpRelayDirection _toHost;
    private bool _isDelivered;
    private bool _isBreaking;

    private protected TcpRelay(TcpProxy proxy, HostSocket host)
    {
        Proxy = proxy;
        _host = new TcpHostEnd { Socket = host };
        _stack = new TcpStackEnd { Tcp = proxy.Stack.Tcp };
        proxy.FlowCount++;
        proxy.UndeliveredCount++;
        _slot = proxy.Events.Add(host.Fd, this);
    }

    private protected TcpProxy Proxy { get; }

    private protected HostSocket Host => _host.Socket;

    private protected TcpHandle Handle
    {
        get => _stack.Handle;
        set => _stack.Handle = value;
    }

    /// <summary>Whether there is a connection of the stack to be closed in the end.</summary>
    private protected bool HasHandle { get; set; }

    /// <summary>The host's socket is ready for something, while one side is still missing.</summary>
    private protected abstract void OnHostOpening(SocketEvents events);

    /// <summary>The stack's connection is ready for something, while one side is still missing.</summary>
    private protected abstract void OnStackOpening(SocketEvents events);

    /// <summary>Something to tell an observer has happened on the host's side.</summary>
    private protected abstract void OnHostEvent(TcpProxyEventKind kind, Errno error);

    /// <summary>The relay is over.</summary>
    private protected virtual void OnClosed()
    {
    }

    /// <summary>Both sides are there.</summary>
    private protected void SetOptions()
    {
        Host.SetOption(LibC.IPPROTO_TCP, LibC.TCP_NODELAY, 1);
        Host.SetOption(LibC.SOL_SOCKET, LibC.SO_OOBINLINE, 1);
        _stack.Tcp.SetOption(Handle, TcpOption.TCP_NODELAY, 1);
        _stack.Tcp.SetOption(Handle, TcpOption.SO_OOBINLINE, 1);
    }

    /// <summary>Begins to carry bytes.</summary>
    private protected void BeginRelay() => _phase = Phase.Open;

    /// <inheritdoc/>
    public bool OnPoll(SocketEvents events)
    {
        _host.Remember(events);
        switch (_phase)
        {
            case Phase.Opening:
                OnHostOpening(events);
                return false;
            case Phase.Closed:
                return false;
        }

        bool more = false;
        if ((events & SocketEvents.Writable) != 0)
        {
            more |= PumpToHost();
        }

        if ((events & ~SocketEvents.Writable) != 0 && _phase == Phase.Open)
        {
            more |= PumpToStack();
        }

        return more;
    }

    /// <inheritdoc/>
    public void OnReady(SocketEvents events)
    {
        if (_phase == Phase.Opening)
        {
            OnStackOpening(events);
            if (_phase != Phase.Open)
            {
                return;
            }
        }

        if (_phase == Phase.Open && (events & SocketEvents.Error) != 0)
        {
            Break();
            return;
        }

        // Who has more than one turn's share comes back with the next events: its sender's acknowledgements bring some.
        while (_phase == Phase.Open && (events & ~SocketEvents.Writable) != 0 && PumpToHost())
        {
        }

        while (_phase == Phase.Open && (events & SocketEvents.Writable) != 0 && PumpToStack())
        {
        }
    }

    private void OnError<TEnd>(Errno error)
        where TEnd : struct, ITcpRelayEnd
    {
        if (TEnd.IsHost && !_isBreaking)
        {
            OnHostEvent(TcpProxyEventKind.Failed, error);
        }

        Break();
    }

    private void EndWhenDone()
    {
        if (_toStack.IsDone && _toHost.IsDone)
        {
            Proxy.Counters[ProxyCounter.TcpClosed]++;
            End(isReset: false);
        }
    }

    /// <summary>
    /// One side is gone: what it and the other had said before is still passed on, as far as it is taken at once, and then the other
    /// is told by a reset.
    /// </summary>
    private protected void Break()
    {
        if (_phase == Phase.Closed || _isBreaking)
        {
            return;
        }

        _isBreaking = true;
        if (_phase == Phase.Open)
        {
            PumpToStack();
            PumpToHost();
        }

        if (_phase != Phase.Closed)
        {
            Proxy.Counters[ProxyCounter.TcpReset]++;
            End(isReset: true);
        }
    }

    /// <summary>Gives both sides up, by a reset or in order.</summary>
    private protected void End(bool isReset)
    {
        if (_phase == Phase.Closed)
        {
            return;
        }

        _phase = Phase.Closed;
        Proxy.FlowCount--;
        MarkDelivered();
        Proxy.Events.Remove(_slot, Host.Fd);
        if (isReset)
        {
            Host.Reset();
        }
        else
        {
            Host.Close();
        }

        _toHost.Clear();
        _toStack.Clear();
        OnClosed();
        if (HasHandle && isReset)
        {
            _stack.Tcp.Abort(Handle);
        }
        else if (HasHandle)
        {
            _stack.Tcp.Close(Handle);
        }
    }

    private void MarkDelivered()
    {
        if (!_isDelivered)
        {
            _isDelivered = true;
            Proxy.UndeliveredCount--;
        }
    }
}
