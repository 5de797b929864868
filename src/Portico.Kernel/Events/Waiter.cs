using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// Somebody who waits for a file to become ready: a blocked thread, an asynchronous operation, a poll, an epoll's interest. Its links
/// and flags are guarded by the lock of the <see cref="StackDriver"/>; it hears <see cref="Wake"/> outside of that lock.
/// </summary>
/// <remarks>
/// A waiter that was notified always gets its <see cref="Wake"/>, and is not queued or reused before it came.
/// </remarks>
public abstract class Waiter : IAfterScope
{
    internal Waiter? Next;
    internal Waiter? Previous;

    /// <summary>What it waits for. Errors and hang-ups reach every waiter.</summary>
    internal SocketEvents Interest;

    /// <summary>Whether only the first such waiter is told of an event, as for reads and writes, which use the event up.</summary>
    internal bool IsExclusive;

    /// <summary>Whether it is in a queue.</summary>
    internal bool IsQueued;

    /// <summary>Whether it has been told and has not yet looked again.</summary>
    internal bool IsNotified;

    /// <summary>Whether an exclusive waiter that is told of an event will look, so that nobody else has to.</summary>
    internal virtual bool UsesUp => true;

    /// <summary>Under the lock: the file has become ready for these events. By default sees to it that <see cref="Wake"/> is called.</summary>
    internal virtual void Notify(SocketEvents events, StackDriver driver)
    {
        if (!IsNotified)
        {
            IsNotified = true;
            driver.QueueAfter(this);
        }
    }

    /// <summary>The file has become ready, or seems so: look again. Called outside of the lock, once for each notification.</summary>
    protected abstract void Wake();

    void IAfterScope.RunAfterScope() => Wake();
}
