using Portico.Net;

namespace Portico.Kernel;

// Closes that wait (SO_LINGER of socket(7)): outside of the lock, after everything else that the call has to do.
public sealed partial class Process
{
    private struct LingerCall(InetStreamSocket socket) : IFileCall<long>
    {
        public readonly Errno TryPerform(out long result)
        {
            result = 0;
            return socket.IsClosing ? Errno.EAGAIN : Errno.None;
        }
    }

    /// <summary>Under the lock: what is closed until <see cref="EndClosing"/> may have to be waited for.</summary>
    private void BeginClosing() => Kernel.MayLinger = true;

    private InetStreamSocket[] EndClosing()
    {
        Kernel.MayLinger = false;
        if (Kernel.Lingering.Count == 0)
        {
            return [];
        }

        InetStreamSocket[] lingering = [.. Kernel.Lingering];
        Kernel.Lingering.Clear();
        return lingering;
    }

    /// <summary>Waits for the end of each, one after the other; a signal ends a wait as the time does, and nobody is told.</summary>
    private void Linger(InetStreamSocket[] sockets)
    {
        foreach (InetStreamSocket socket in sockets)
        {
            LingerCall call = new(socket);
            BlockingWaiter? waiter = null;
            using (Driver.Enter())
            {
                if (socket.IsClosing && !HasExited)
                {
                    waiter = BeginWait(ref socket.Waiters, isRestartable: false);
                    waiter.Interest = SocketEvents.Writable;
                }
            }

            waiter?.WaitFor(ref socket.Waiters, Driver, ref call, Driver.DeadlineAfter(socket.LingerTime), out long _);
            using (Driver.Enter())
            {
                socket.EndLinger();
            }
        }
    }
}
