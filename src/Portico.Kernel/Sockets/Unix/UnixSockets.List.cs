namespace Portico.Kernel;

// All unix sockets in the order in which they were made, for /proc/net/unix.
internal sealed partial class UnixSockets
{
    private UnixSocket? _last;
    private long _serial;

    public UnixSocket? First { get; private set; }

    /// <summary>The one behind a socket, which may be gone by now.</summary>
    public UnixSocket? After(UnixSocket socket)
    {
        if (!socket.IsDead)
        {
            return socket.NextOfAll;
        }

        UnixSocket? next = First;
        while (next != null && next.Serial < socket.Serial)
        {
            next = next.NextOfAll;
        }

        return next;
    }

    public void OnMade(UnixSocket socket)
    {
        socket.Serial = ++_serial;
        socket.PreviousOfAll = _last;
        if (_last == null)
        {
            First = socket;
        }
        else
        {
            _last.NextOfAll = socket;
        }

        _last = socket;
        Kernel.Counters[KernelCounter.UnixSockets]++;
    }

    public void OnEnded(UnixSocket socket)
    {
        if (socket.PreviousOfAll == null)
        {
            First = socket.NextOfAll;
        }
        else
        {
            socket.PreviousOfAll.NextOfAll = socket.NextOfAll;
        }

        if (socket.NextOfAll == null)
        {
            _last = socket.PreviousOfAll;
        }
        else
        {
            socket.NextOfAll.PreviousOfAll = socket.PreviousOfAll;
        }

        socket.PreviousOfAll = socket.NextOfAll = null;
        Kernel.Counters[KernelCounter.UnixSockets]--;
    }
}
