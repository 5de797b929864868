namespace Portico.Simulation.Scripts;

// System calls, on this thread or on the one for those that block; and what their descriptors stand for.
internal sealed partial class ScriptRun
{
    private void Run(CallEvent call)
    {
        Clock.Settle(_thread);
        WaitForEvent();
        CallFrame frame = new(this, call);
        if (!call.IsBlocking)
        {
            ScriptCalls.Make(frame);
            return;
        }

        if (!_thread.IsIdle)
        {
            throw new ScriptFailure(call.Position, "a call that blocks is made while another one is blocked");
        }

        // The end's time is relative to now where the start's is: both were, before the start had come.
        long start = _eventStart;
        long end = call.EndTime + (call.Time.IsRelative ? start - call.Time.Start : 0);
        _blockedUntil = end;
        _thread.Start(() => MakeBlocking(frame, start, end));
        Clock.Settle(_thread);
    }

    private void MakeBlocking(CallFrame frame, long start, long end)
    {
        try
        {
            ScriptCalls.Make(frame);
            if (Clock.Check(frame.Call.Time, end, end, frame.ReturnTime, start, $"return of {frame.Call.Name}") is { } wrong)
            {
                throw new ScriptFailure(frame.Call.Position, wrong);
            }
        }
        catch (ScriptFailure failure)
        {
            Volatile.Write(ref _failureOfThread, failure);
        }
        catch (Exception error) when (IsOfKernel(error))
        {
            Volatile.Write(ref _failureOfThread, OfKernel(frame.Call.Position, error));
        }
    }

    /// <summary>Whether an exception is one that no kernel may throw, and is the script's result.</summary>
    public static bool IsOfKernel(Exception error) => error is not (ScriptFailure or ScriptSyntaxException or OutOfMemoryException);

    public static ScriptFailure OfKernel(ScriptPosition position, Exception error) =>
        new(position, $"the kernel has thrown {error.GetType().Name}: {error.Message} {error.StackTrace?.Split('\n')[0].Trim()}");

    public int ToLiveFd(CallFrame frame, int scriptFd) =>
        _fds.TryGetValue(scriptFd, out int fd) ? fd : throw frame.Fail($"the script has opened no descriptor {scriptFd}");

    /// <summary>The socket that a descriptor of the script stands for; null for none.</summary>
    public ScriptSocket? FindSocket(int scriptFd) => _sockets.Find(socket => socket.ScriptFd == scriptFd && !socket.IsClosed);

    /// <summary>The connection that has come in and that accept gives.</summary>
    public ScriptSocket? FindAccepted() =>
        _sockets.Find(static socket => socket.State is ScriptSocketState.PassiveSynAckSent or ScriptSocketState.PassiveEstablished);

    public void AddFd(CallFrame frame, int scriptFd, int fd, ScriptSocket? socket = null)
    {
        if (socket != null && _sockets.Contains(socket))
        {
            // What accept gives may have the number of one that is open, as in packetdrill: the later one is meant from then on.
            _fds[scriptFd] = fd;
        }
        else if (!_fds.TryAdd(scriptFd, fd))
        {
            throw frame.Fail($"the script has descriptor {scriptFd} open already");
        }

        if (socket == null)
        {
            return;
        }

        socket.ScriptFd = scriptFd;
        socket.Fd = fd;
        if (!_sockets.Contains(socket))
        {
            _sockets.Insert(0, socket);
            _underTest = socket;
        }
    }

    public void ForgetFd(int scriptFd)
    {
        _fds.Remove(scriptFd);
        if (FindSocket(scriptFd) is { } socket)
        {
            socket.IsClosed = true;
        }
    }
}
