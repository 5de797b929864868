namespace Portico.Simulation.Scripts;

/// <summary>The thread that makes the calls which block, one at a time, while the script's own thread goes on.</summary>
internal sealed class CallThread : IDisposable
{
    private readonly object _gate = new();
    private Thread? _thread;
    private Action? _work;
    private bool _isEnding;

    /// <summary>Whether no call is being made.</summary>
    public bool IsIdle
    {
        get
        {
            lock (_gate)
            {
                return _work == null;
            }
        }
    }

    /// <summary>Has the thread make a call. None may be going on.</summary>
    public void Start(Action work)
    {
        lock (_gate)
        {
            _work = work;
            if (_thread == null)
            {
                _thread = new Thread(Run) { IsBackground = true, Name = "script call" };
                _thread.Start();
            }

            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Ends the thread; the call that it makes must have been ended.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _isEnding = true;
            Monitor.PulseAll(_gate);
        }

        _thread?.Join();
    }

    private void Run()
    {
        while (true)
        {
            Action work;
            lock (_gate)
            {
                while (_work == null && !_isEnding)
                {
                    Monitor.Wait(_gate);
                }

                if (_work == null)
                {
                    return;
                }

                work = _work;
            }

            work();
            lock (_gate)
            {
                _work = null;
            }
        }
    }
}
