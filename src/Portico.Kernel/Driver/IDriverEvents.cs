using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// What a driver's thread waits on: the descriptors of devices and host sockets. A driver without any waits on
/// <see cref="ParkingEvents"/>; <c>Portico.Linux</c> has one over epoll.
/// </summary>
public interface IDriverEvents : IDisposable
{
    /// <summary>
    /// Returns when something is ready, when <see cref="Wake"/> was called since the last wait, or after <paramref name="timeout"/>
    /// (<see cref="Duration.Infinite"/> for no limit): false where only the time was up. Called by the driver's thread without the lock.
    /// </summary>
    bool Wait(Duration timeout);

    /// <summary>Ends the wait that is going on, or else the next one. Called by any thread.</summary>
    void Wake();

    /// <summary>
    /// Handles what the last wait found ready, a bounded share of it. Called by the driver's thread under the lock, the clock read.
    /// True when more is ready already, so that the driver comes back without waiting.
    /// </summary>
    bool Dispatch();

    /// <summary>
    /// Whether there may be packets that only <see cref="Dispatch"/> delivers: timers then fire after it, not in other scopes.
    /// </summary>
    bool HasDevices => true;
}

/// <summary>Work that needs the lock no longer, such as completing a waiter; see <see cref="StackDriver.QueueAfter"/>.</summary>
public interface IAfterScope
{
    /// <summary>Called once for each time that it was queued, by the thread that left the scope, without the lock.</summary>
    void RunAfterScope();
}

/// <summary>Waits for time and <see cref="Wake"/> only: for stacks that have no device.</summary>
public sealed class ParkingEvents : IDriverEvents
{
    private readonly AutoResetEvent _wake = new(false);

    /// <inheritdoc/>
    public bool Wait(Duration timeout)
    {
        // The BCL waits in whole milliseconds: rounded up, since too early would only mean to come back and wait again.
        long milliseconds = timeout == Duration.Infinite
            ? Timeout.Infinite
            : Math.Min((timeout.Nanoseconds + 999_999) / 1_000_000, int.MaxValue);
        return _wake.WaitOne((int)milliseconds);
    }

    /// <inheritdoc/>
    public void Wake() => _wake.Set();

    /// <inheritdoc/>
    public bool Dispatch() => false;

    /// <inheritdoc/>
    public bool HasDevices => false;

    /// <inheritdoc/>
    public void Dispose() => _wake.Dispose();
}
