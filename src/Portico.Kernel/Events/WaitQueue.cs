using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// Who waits for one file, in order of arrival. The one mechanism under blocking calls, ValueTasks, poll and epoll.
/// Guarded by the lock of the <see cref="StackDriver"/>.
/// </summary>
internal struct WaitQueue
{
    private const SocketEvents ForEverybody = SocketEvents.Error | SocketEvents.HangUp;

    /// <summary>Its <see cref="Waiter.Previous"/> is the last, so that a file with nobody waiting has one reference for its queue.</summary>
    private Waiter? _first;

    public readonly bool IsEmpty => _first == null;

    /// <summary>Whether somebody came first who will use up what the caller wants; a newcomer queues behind.</summary>
    public readonly bool HasExclusive(SocketEvents interest)
    {
        for (Waiter? waiter = _first; waiter != null; waiter = waiter.Next)
        {
            if (waiter.IsExclusive && (waiter.Interest & interest) != 0)
            {
                return true;
            }
        }

        return false;
    }

    public void Add(Waiter waiter)
    {
        waiter.IsQueued = true;
        waiter.IsNotified = false;
        waiter.Next = null;
        if (_first == null)
        {
            _first = waiter;
        }
        else
        {
            Waiter last = _first.Previous!;
            last.Next = waiter;
            waiter.Previous = last;
        }

        _first.Previous = waiter;
    }

    /// <summary>Adds a waiter that does not use events up in front, so that the last one to come is told first, as in Linux.</summary>
    public void AddFirst(Waiter waiter)
    {
        waiter.IsQueued = true;
        waiter.IsNotified = false;
        waiter.Next = _first;
        waiter.Previous = _first == null ? waiter : _first.Previous;
        if (_first != null)
        {
            _first.Previous = waiter;
        }

        _first = waiter;
    }

    /// <summary>
    /// Takes a waiter out. If it was exclusive, the next in line is told to look: what this one left would otherwise wait for an
    /// event that has already been.
    /// </summary>
    public void Remove(Waiter waiter, StackDriver driver)
    {
        Unlink(waiter);
        if (waiter.IsExclusive && _first != null)
        {
            NotifyFirst(waiter.Interest, driver);
        }
    }

    /// <summary>Takes a waiter out that was never about to use an event up itself: nobody is told, as in Linux (EPOLL_CTL_DEL).</summary>
    public void RemoveQuietly(Waiter waiter) => Unlink(waiter);

    /// <summary>Tells those whom the events concern.</summary>
    public readonly void Notify(SocketEvents events, StackDriver driver)
    {
        bool everybody = (events & ForEverybody) != 0;
        SocketEvents taken = SocketEvents.None;
        for (Waiter? waiter = _first; waiter != null; waiter = waiter.Next)
        {
            SocketEvents wanted = waiter.Interest & events;
            if (!everybody && (wanted == 0 || (waiter.IsExclusive && (wanted & ~taken) == 0)))
            {
                continue;
            }

            if (waiter.IsExclusive && waiter.UsesUp)
            {
                taken |= wanted;
            }

            waiter.Notify(events, driver);
        }
    }

    /// <summary>Tells all whom the events concern, those too that use events up: each of them may wait for something else.</summary>
    public readonly void NotifyEach(SocketEvents events, StackDriver driver)
    {
        for (Waiter? waiter = _first; waiter != null; waiter = waiter.Next)
        {
            if ((waiter.Interest & events) != 0)
            {
                waiter.Notify(events, driver);
            }
        }
    }

    /// <summary>Tells everyone: the file is being closed.</summary>
    public readonly void NotifyAll(StackDriver driver) => Notify(ForEverybody, driver);

    private readonly void NotifyFirst(SocketEvents interest, StackDriver driver)
    {
        for (Waiter? waiter = _first; waiter != null; waiter = waiter.Next)
        {
            if (waiter.IsExclusive && (waiter.Interest & interest) != 0)
            {
                waiter.Notify(interest, driver);
                return;
            }
        }
    }

    private void Unlink(Waiter waiter)
    {
        if (waiter == _first)
        {
            _first = waiter.Next;
        }
        else
        {
            waiter.Previous!.Next = waiter.Next;
        }

        // The one behind, or else the first of those that are left, has what this one had before it.
        if ((waiter.Next ?? _first) is { } other)
        {
            other.Previous = waiter.Previous;
        }

        waiter.Next = null;
        waiter.Previous = null;
        waiter.IsQueued = false;
    }
}
