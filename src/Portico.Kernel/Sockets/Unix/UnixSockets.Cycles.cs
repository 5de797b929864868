namespace Portico.Kernel;

// Sockets in each other's queues. A socket whose last descriptor was closed lives on in the messages that carry it; where all of those
// are in queues that nobody can read any more, it is garbage, which the references alone do not tell. Linux collects such cycles when
// the next unix socket is closed; here they are found when the last way to them is lost.
internal sealed partial class UnixSockets
{
    private readonly List<UnixSocket> _reached = [];
    private int _searches;

    /// <summary>
    /// A socket is held by nothing but messages now. Where it cannot be reached any more, it is emptied, with all that hold it; the
    /// references that their messages had then end what they can.
    /// </summary>
    public void OnOnlyInFlight(UnixSocket socket)
    {
        bool isGarbage = !LeadsToOneInUse(socket);
        if (isGarbage)
        {
            Kernel.Counters[KernelCounter.CollectedUnixSockets] += _reached.Count;
            bool wasReleasing = _isReleasing;
            _isReleasing = true;
            foreach (UnixSocket garbage in _reached)
            {
                garbage.DropMessages();
            }

            _isReleasing = wasReleasing;
        }

        _reached.Clear();
        ReleaseAll();
    }

    /// <summary>
    /// Looks backwards, from a socket to those whose queues hold it, for one that a process has open: most often that is the first one it
    /// comes to. Where there is none, all that it has come to is garbage.
    /// </summary>
    private bool LeadsToOneInUse(UnixSocket socket)
    {
        _searches++;
        Reach(socket);
        for (int i = 0; i < _reached.Count; i++)
        {
            UnixSocket reached = _reached[i];
            if (reached.Listener is { } listener && !Reach(listener))
            {
                return true;
            }

            for (UnixHold? hold = reached.FirstHold; hold != null; hold = hold.Next)
            {
                if (!Reach(hold.Receiver))
                {
                    return true;
                }
            }
        }

        return false;
    }

    /// <summary>False where somebody can still use the socket.</summary>
    private bool Reach(UnixSocket socket)
    {
        if (socket.IsInUse)
        {
            return false;
        }

        if (socket.LastSearch != _searches)
        {
            socket.LastSearch = _searches;
            _reached.Add(socket);
        }

        return true;
    }
}
