using Portico.Net;

namespace Portico.Kernel;

/// <summary>What epoll_ctl(2) does.</summary>
public enum EpollOperation
{
#pragma warning disable CS1591, CA1707 // The names are those of epoll_ctl(2).
    EPOLL_CTL_ADD = 1,
    EPOLL_CTL_DEL = 2,
    EPOLL_CTL_MOD = 3,
#pragma warning restore CS1591, CA1707
}

/// <summary>Events and flags of epoll_ctl(2).</summary>
[Flags]
public enum EpollFlags : uint
{
#pragma warning disable CS1591, CA1707 // The names are those of epoll_ctl(2).
    EPOLLIN = 0x1,
    EPOLLPRI = 0x2,
    EPOLLOUT = 0x4,
    EPOLLERR = 0x8,
    EPOLLHUP = 0x10,
    EPOLLRDNORM = 0x40,
    EPOLLRDBAND = 0x80,
    EPOLLWRNORM = 0x100,
    EPOLLWRBAND = 0x200,
    EPOLLMSG = 0x400,
    EPOLLRDHUP = 0x2000,
    EPOLLEXCLUSIVE = 0x1000_0000,
    EPOLLWAKEUP = 0x2000_0000,
    EPOLLONESHOT = 0x4000_0000,
    EPOLLET = 0x8000_0000,
#pragma warning restore CS1591, CA1707
}

/// <summary>An interest, and what came of it (struct epoll_event).</summary>
/// <param name="Events">What is wanted, or what is ready.</param>
/// <param name="Data">The caller's own, given back as it was.</param>
public readonly record struct EpollEvent(EpollFlags Events, ulong Data);

/// <summary>An interest of an epoll instance in a description by one of its numbers.</summary>
internal sealed class EpollItem(EpollFile epoll, OpenFileDescription description, int fd) : Waiter
{
    public EpollFile Epoll { get; } = epoll;

    public OpenFileDescription Description { get; } = description;

    public int Fd { get; } = fd;

    /// <summary>Events and flags; after a one-shot has fired only the flags are left.</summary>
    public EpollFlags Wanted { get; set; }

    public ulong Data { get; set; }

    /// <summary>Whether it stands in the list of those that seem ready.</summary>
    public bool IsListed { get; set; }

    public EpollItem? NextReady { get; set; }

    public EpollItem? PreviousReady { get; set; }

    /// <summary>The next interest in the same description.</summary>
    public EpollItem? NextOfDescription { get; set; }

    /// <summary>Where nobody waits at the instance, the event is told to the next one as well, as in Linux (EPOLLEXCLUSIVE).</summary>
    internal override bool UsesUp => (Wanted & EpollFile.EventMask) != 0 && Epoll.Waiters.HasExclusive(SocketEvents.Readable);

    internal override void Notify(SocketEvents events, StackDriver driver)
    {
        // A one-shot that has fired wants nothing until it is armed again.
        if ((Wanted & EpollFile.EventMask) != 0)
        {
            Epoll.MarkReady(this);
        }
    }

    protected override void Wake()
    {
    }
}

/// <summary>
/// An epoll instance (epoll(7)): interests in open file descriptions, and the list of those that may be ready. An interest hangs in the
/// wait queue of its file and is put into the list by the file's events; whether it really is ready is asked when it is handed out, and
/// a level-triggered one goes back to the end of the list, so that all have their turn.
/// </summary>
internal sealed class EpollFile(PorticoKernel kernel) : AnonymousFile(kernel.Driver)
{
    public const EpollFlags EventMask = (EpollFlags)0xFFFF;
    private const EpollFlags ModeFlags = EpollFlags.EPOLLET | EpollFlags.EPOLLONESHOT | EpollFlags.EPOLLEXCLUSIVE | EpollFlags.EPOLLWAKEUP;

    /// <summary>What may go together with EPOLLEXCLUSIVE.</summary>
    private const EpollFlags ExclusiveAllowed = EpollFlags.EPOLLIN | EpollFlags.EPOLLOUT | EpollFlags.EPOLLERR | EpollFlags.EPOLLHUP
        | EpollFlags.EPOLLWAKEUP | EpollFlags.EPOLLET | EpollFlags.EPOLLEXCLUSIVE;

    /// <summary>Instances that may watch each other in a chain (EP_MAX_NESTS).</summary>
    private const int NestsMax = 4;

    private readonly Dictionary<(OpenFileDescription Description, int Fd), EpollItem> _items = [];
    private OpenFileDescription? _own;
    private EpollItem? _firstReady;
    private EpollItem? _lastReady;

    internal override string ShownName => "anon_inode:[eventpoll]";

    internal override bool HasRead => false;

    internal override bool HasWrite => false;

    public override SocketEvents Poll()
    {
        // What is listed may not be ready any more: asked, as Linux does, so that a nested epoll does not fire for nothing.
        while (_firstReady is { } item)
        {
            if (ReadyEvents(item) != 0)
            {
                return SocketEvents.Readable | SocketEvents.ReadNormal;
            }

            Unlist(item);
        }

        return SocketEvents.None;
    }

    /// <summary>EPOLL_CTL_ADD. Errors: EEXIST, EINVAL, ELOOP, ENOSPC at fs.epoll.max_user_watches.</summary>
    public Errno Add(OpenFileDescription description, int fd, in EpollEvent wanted)
    {
        bool exclusive = (wanted.Events & EpollFlags.EPOLLEXCLUSIVE) != 0;
        if (exclusive && (description.File is EpollFile || (wanted.Events & ~ExclusiveAllowed) != 0))
        {
            return Errno.EINVAL;
        }

        if (description.File is EpollFile inner && (inner.DepthBelow(this, 0) + DepthAbove(0) + 1 > NestsMax))
        {
            return Errno.ELOOP;
        }

        if (_items.ContainsKey((description, fd)))
        {
            return Errno.EEXIST;
        }

        if (kernel.Counters[KernelCounter.EpollWatches] >= kernel.Settings.max_user_watches)
        {
            return Errno.ENOSPC;
        }

        kernel.Counters[KernelCounter.EpollWatches]++;
        EpollItem item = new(this, description, fd)
        {
            IsExclusive = exclusive,
            NextOfDescription = description.EpollItems,
        };
        description.EpollItems = item;
        _items.Add((description, fd), item);
        if (exclusive)
        {
            description.File.Waiters.Add(item);
        }
        else
        {
            description.File.Waiters.AddFirst(item);
        }

        Arm(item, wanted);
        return Errno.None;
    }

    /// <summary>EPOLL_CTL_MOD: an edge-triggered interest hears of what is ready already once more. Errors: ENOENT, EINVAL.</summary>
    public Errno Modify(OpenFileDescription description, int fd, in EpollEvent wanted)
    {
        if ((wanted.Events & EpollFlags.EPOLLEXCLUSIVE) != 0)
        {
            return Errno.EINVAL;
        }

        if (!_items.TryGetValue((description, fd), out EpollItem? item))
        {
            return Errno.ENOENT;
        }

        if ((item.Wanted & EpollFlags.EPOLLEXCLUSIVE) != 0)
        {
            return Errno.EINVAL;
        }

        Arm(item, wanted);
        return Errno.None;
    }

    /// <summary>EPOLL_CTL_DEL. Errors: ENOENT.</summary>
    public Errno Delete(OpenFileDescription description, int fd)
    {
        if (!_items.TryGetValue((description, fd), out EpollItem? item))
        {
            return Errno.ENOENT;
        }

        Remove(item);
        return Errno.None;
    }

    /// <summary>Takes an interest away, from its description, its file and this instance.</summary>
    public void Remove(EpollItem item)
    {
        Unlist(item);
        item.Description.File.Waiters.RemoveQuietly(item);
        _items.Remove((item.Description, item.Fd));
        kernel.Counters[KernelCounter.EpollWatches]--;
        if (item.Description.EpollItems == item)
        {
            item.Description.EpollItems = item.NextOfDescription;
            return;
        }

        EpollItem before = item.Description.EpollItems!;
        while (before.NextOfDescription != item)
        {
            before = before.NextOfDescription!;
        }

        before.NextOfDescription = item.NextOfDescription;
    }

    /// <summary>Hands out what is ready, at most as much as fits; EAGAIN where nothing is.</summary>
    public Errno Take(Span<EpollEvent> events, out long count)
    {
        count = 0;

        // What goes back to the end of the list is not looked at again in this call.
        EpollItem? stop = _lastReady;
        while (_firstReady is { } item && count < events.Length)
        {
            Unlist(item);
            EpollFlags ready = ReadyEvents(item);
            if (ready != 0)
            {
                events[(int)count++] = new EpollEvent(ready, item.Data);
                if ((item.Wanted & EpollFlags.EPOLLONESHOT) != 0)
                {
                    item.Wanted &= ModeFlags;
                }
                else if ((item.Wanted & EpollFlags.EPOLLET) == 0)
                {
                    List(item);
                }
            }

            if (item == stop)
            {
                break;
            }
        }

        return count > 0 ? Errno.None : Errno.EAGAIN;
    }

    internal void MarkReady(EpollItem item)
    {
        if (!item.IsListed)
        {
            List(item);
        }

        Waiters.Notify(SocketEvents.Readable | SocketEvents.ReadNormal, Driver);
    }

    internal override void WriteDetails(ProcText text)
    {
        const EpollFlags Always = EpollFlags.EPOLLERR | EpollFlags.EPOLLHUP;
        foreach (EpollItem item in _items.Values)
        {
            EpollFlags wanted = (item.Wanted & EventMask) == 0 ? item.Wanted : item.Wanted | Always;
            FileStatus status = item.Description.Status;
            text.Add($"tfd: {item.Fd,8} events: {(uint)wanted,8:x} data: {item.Data,16:x} ");
            text.Add($" pos:{item.Description.Offset} ino:{status.Inode:x} sdev:{status.FileSystem:x}\n");
        }
    }

    internal override void OnOpened(OpenFileDescription description) => _own = description;

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument) => Errno.EINVAL;

    internal override void OnReleased(OpenFileDescription description)
    {
        foreach (EpollItem item in (EpollItem[])[.. _items.Values])
        {
            Remove(item);
        }
    }

    private void Arm(EpollItem item, in EpollEvent wanted)
    {
        item.Wanted = wanted.Events | EpollFlags.EPOLLERR | EpollFlags.EPOLLHUP;
        item.Data = wanted.Data;
        item.Interest = (SocketEvents)item.Wanted & item.Description.File.HeardBy(item.Description);
        if (!item.IsListed && ReadyEvents(item) != 0)
        {
            MarkReady(item);
        }
    }

    private static EpollFlags ReadyEvents(EpollItem item) =>
        (EpollFlags)item.Description.File.Poll(item.Description) & item.Wanted & EventMask;

    /// <summary>Instances below this one in the deepest chain; beyond every limit where <paramref name="outer"/> is among them.</summary>
    private int DepthBelow(EpollFile outer, int depth)
    {
        if (this == outer || depth > NestsMax)
        {
            return NestsMax + 1;
        }

        int deepest = depth;
        foreach (EpollItem item in _items.Values)
        {
            if (item.Description.File is EpollFile inner)
            {
                deepest = Math.Max(deepest, inner.DepthBelow(outer, depth + 1));
            }
        }

        return deepest;
    }

    /// <summary>Instances above this one in the longest chain.</summary>
    private int DepthAbove(int depth)
    {
        int highest = depth;
        for (EpollItem? item = _own?.EpollItems; item != null && depth <= NestsMax; item = item.NextOfDescription)
        {
            highest = Math.Max(highest, item.Epoll.DepthAbove(depth + 1));
        }

        return highest;
    }

    private void List(EpollItem item)
    {
        item.IsListed = true;
        item.NextReady = null;
        item.PreviousReady = _lastReady;
        if (_lastReady == null)
        {
            _firstReady = item;
        }
        else
        {
            _lastReady.NextReady = item;
        }

        _lastReady = item;
    }

    private void Unlist(EpollItem item)
    {
        if (!item.IsListed)
        {
            return;
        }

        item.IsListed = false;
        if (item.PreviousReady == null)
        {
            _firstReady = item.NextReady;
        }
        else
        {
            item.PreviousReady.NextReady = item.NextReady;
        }

        if (item.NextReady == null)
        {
            _lastReady = item.PreviousReady;
        }
        else
        {
            item.NextReady.PreviousReady = item.PreviousReady;
        }

        item.NextReady = null;
        item.PreviousReady = null;
    }
}
