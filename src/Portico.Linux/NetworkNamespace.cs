using System.Runtime.ExceptionServices;
using System.Runtime.InteropServices;

namespace Portico.Linux;

/// <summary>
/// A new network namespace, held by a thread that lives in it. What is made on that thread (sockets, devices, child processes)
/// belongs to the namespace, whoever uses it later; the rest of the process stays where it was.
/// </summary>
public sealed class NetworkNamespace : IDisposable
{
    private readonly Queue<Action> _work = [];
    private readonly Thread _thread;
    private bool _ended;

    /// <summary>
    /// Makes the namespace; with <paramref name="mounts"/> the thread also gets a mount namespace of its own, from which nothing
    /// propagates back. Needs CAP_SYS_ADMIN in the current user namespace.
    /// </summary>
    public NetworkNamespace(bool mounts = false)
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "portico namespace" };
        _thread.Start();
        try
        {
            Invoke(() => Unshare(mounts));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The namespace's path, for nsenter(1) and setns(2), as long as this object lives.</summary>
    public string Path { get; private set; } = "";

    /// <summary>Runs something on the namespace's thread and waits for it; its exception becomes the caller's.</summary>
    public void Invoke(Action action)
    {
        Invoke(() =>
        {
            action();
            return 0;
        });
    }

    /// <summary>Runs something on the namespace's thread and returns its result.</summary>
    public TResult Invoke<TResult>(Func<TResult> function)
    {
        ArgumentNullException.ThrowIfNull(function);
        if (Thread.CurrentThread == _thread)
        {
            return function();
        }

        TResult? result = default;
        ExceptionDispatchInfo? failure = null;
        bool done = false;
        lock (_work)
        {
            ObjectDisposedException.ThrowIf(_ended, this);
            _work.Enqueue(() =>
            {
                try
                {
                    result = function();
                }
                catch (Exception e)
                {
                    failure = ExceptionDispatchInfo.Capture(e);
                }

                lock (_work)
                {
                    done = true;
                    Monitor.PulseAll(_work);
                }
            });
            Monitor.PulseAll(_work);
            while (!done)
            {
                Monitor.Wait(_work);
            }
        }

        failure?.Throw();
        return result!;
    }

    private void Unshare(bool mounts)
    {
        if (LibC.Unshare(LibC.CLONE_NEWNET | (mounts ? LibC.CLONE_NEWNS : 0)) != 0)
        {
            Net.Errno error = (Net.Errno)Marshal.GetLastPInvokeError();
            throw new LinuxException(
                error == Net.Errno.EPERM
                    ? "cannot make a network namespace: CAP_SYS_ADMIN is missing (run as root, or in a user namespace)"
                    : $"cannot make a network namespace: {Marshal.GetPInvokeErrorMessage((int)error)}",
                error);
        }

        Path = $"/proc/{Environment.ProcessId}/task/{LibC.ThreadId()}/ns/net";
        if (mounts && LibC.Mount(null, "/", null, LibC.MS_REC | LibC.MS_PRIVATE, null) != 0)
        {
            throw LinuxException.Last("mount --make-rprivate /");
        }
    }

    // No BlockingCollection: it spins before it waits, and the other threads have work for the processors.
    private void Run()
    {
        while (true)
        {
            Action? action;
            lock (_work)
            {
                while (!_work.TryDequeue(out action))
                {
                    if (_ended)
                    {
                        return;
                    }

                    Monitor.Wait(_work);
                }
            }

            action();
        }
    }

    /// <summary>Ends the thread; the namespace goes with the last socket, device or process that is in it.</summary>
    public void Dispose()
    {
        lock (_work)
        {
            _ended = true;
            Monitor.PulseAll(_work);
        }

        if (Thread.CurrentThread != _thread)
        {
            _thread.Join();
        }
    }
}
