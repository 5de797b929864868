namespace Portico.Net;

/// <summary>Something that the engine calls back at a time that it asked for.</summary>
public interface IScheduled
{
    /// <summary>The time has come; <paramref name="cookie"/> is what was given to <see cref="Engine.Schedule"/>.</summary>
    void OnTime(long cookie);
}

/// <summary>Timers that are kept outside of the engine, and can be cancelled there.</summary>
public interface ITimerSource
{
    /// <summary>When the first of them is due; <see cref="MonoTime.Never"/> for none.</summary>
    MonoTime NextDeadline { get; }

    /// <summary>Fires what is due.</summary>
    void Expire(MonoTime now);
}

/// <summary>Settings of an <see cref="Engine"/>.</summary>
public sealed class EngineOptions
{
    /// <summary>Where the engine's random numbers start; the same seed and inputs give the same packets.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>The most native memory that packets and buffers may hold, in bytes.</summary>
    public long BufferBytesMax { get; init; } = 4L << 30;

    /// <summary>The most packets that may wait for delivery inside the process; more are dropped and counted.</summary>
    public int PendingPacketsMax { get; init; } = 1 << 20;
}

/// <summary>
/// One writer's worth of protocol state: the stacks and links that share a clock, a seed, buffers and timers. Everything in it is
/// touched by one thread at a time, under the lock of whoever drives it. It has no clock, no thread and makes no system call:
/// <see cref="Advance"/> tells it the time.
/// </summary>
public sealed class Engine : IDisposable
{
    private readonly PendingQueue _pending;
    private readonly EventHeap _events = new();
    private readonly ReadyList _ready = new();
    private readonly List<ILink> _links = [];
    private readonly List<INativeMemory> _owned = [];
    private long _lastCookie;

    /// <summary>Makes an engine at time zero.</summary>
    public Engine(EngineOptions? options = null)
    {
        options ??= new EngineOptions();
        Random = new RandomSource(options.Seed);
        Blocks = new BlockPool(options.BufferBytesMax);
        Packets = new PacketPool(Blocks);
        _pending = new PendingQueue(options.PendingPacketsMax);
        Timers = new TimerWheel();
    }

    /// <summary>The time of the current entry.</summary>
    public MonoTime Now { get; private set; }

    /// <summary>The same in milliseconds: asked for many times in each entry, divided once. Wraps after 49 days.</summary>
    internal uint NowMillis { get; private set; }

    /// <summary>The seeded source of random numbers.</summary>
    public RandomSource Random { get; }

    /// <summary>Native memory for bytes.</summary>
    public BlockPool Blocks { get; }

    /// <summary>The packets.</summary>
    public PacketPool Packets { get; }

    /// <summary>Packets dropped because <see cref="EngineOptions.PendingPacketsMax"/> were waiting.</summary>
    public long PendingDrops => _pending.Drops;

    /// <summary>
    /// Bytes of native memory that the records of connections have, and the tables that find them; what is in <see cref="Blocks"/> is not
    /// counted.
    /// </summary>
    public long RecordBytes
    {
        get
        {
            long bytes = 0;
            foreach (INativeMemory owned in _owned)
            {
                bytes += owned.BytesReserved;
            }

            return bytes;
        }
    }

    /// <summary>Whether packets wait for delivery or owners for their notification.</summary>
    public bool HasPending => !_pending.IsEmpty || !_ready.IsEmpty;

    internal TimerWheel Timers { get; }

    /// <summary>When the engine next has something to do by itself; <see cref="MonoTime.Never"/> if nothing is scheduled.</summary>
    public MonoTime NextDeadline => HasPending ? Now : MonoTime.Min(MonoTime.Min(_events.NextTime, Timers.NextDeadline), TimerSource?.NextDeadline ?? MonoTime.Never);

    /// <summary>Where to ask for the time, for a driver that does not tell it in every entry; null where all do.</summary>
    public Func<MonoTime>? Clock { get; set; }

    /// <summary>Timers that a kernel keeps and that expire with the engine's own; null for none.</summary>
    public ITimerSource? TimerSource { get; set; }

    /// <summary>A number that is given out once: for sockets and stacks that are asked for one (SO_COOKIE, SO_NETNS_COOKIE).</summary>
    public long TakeCookie() => ++_lastCookie;

    /// <summary>Makes links flush at the end of each batch.</summary>
    public void AddLink(ILink link) => _links.Add(link);

    /// <summary>The link is gone.</summary>
    public void RemoveLink(ILink link) => _links.Remove(link);

    /// <summary>Sets the time of the entry that begins. Time never goes back: an earlier reading is ignored.</summary>
    public void EnterAt(MonoTime now)
    {
        if (now > Now)
        {
            Now = now;
            NowMillis = (uint)(now.Nanoseconds / 1_000_000);
        }
    }

    /// <summary>The entry has been told no time, and what is done now depends on it.</summary>
    internal void CatchUp()
    {
        if (Clock != null)
        {
            EnterAt(Clock());
        }
    }

    /// <summary>
    /// Tells the time, fires what has come due, and delivers what waits, at most <paramref name="workLimit"/> packets. True if some
    /// still wait.
    /// </summary>
    public bool Advance(MonoTime now, int workLimit = int.MaxValue)
    {
        EnterAt(now);
        while (_events.TryTakeDue(Now, out IScheduled? target, out long cookie))
        {
            target.OnTime(cookie);
        }

        Timers.Expire(Now);
        TimerSource?.Expire(Now);
        return RunPending(workLimit);
    }

    /// <summary>Delivers at most <paramref name="workLimit"/> waiting packets, then lets the links flush. True if some still wait.</summary>
    public bool RunPending(int workLimit)
    {
        while (workLimit-- > 0 && _pending.TryTake(out Packet? packet))
        {
            ILinkClient target = packet.Target!;
            packet.Target = null;
            target.HandleFrame(packet);
        }

        foreach (ILink link in _links)
        {
            link.Flush();
        }

        return !_pending.IsEmpty;
    }

    /// <summary>Notifies owners whose sockets have become ready, each once; called at the end of a batch by the driver.</summary>
    public void DispatchReady() => _ready.Dispatch();

    /// <summary>Hands a packet to a link's client later in this batch, in order; a packet over the limit is dropped and counted.</summary>
    public void Post(ILinkClient target, Packet packet)
    {
        packet.Target = target;
        if (!_pending.TryAdd(packet))
        {
            packet.Release();
        }
    }

    /// <summary>
    /// Calls <paramref name="target"/> at <paramref name="time"/>, exactly. Cannot be cancelled: the target checks whether it still
    /// cares. For links and slow protocol timers; TCP's timers are in the wheel.
    /// </summary>
    public void Schedule(MonoTime time, IScheduled target, long cookie) => _events.Add(time, target, cookie);

    internal int RegisterOwner(ISocketOwner owner) => _ready.Register(owner);

    internal ISocketOwner? OwnerAt(int slot) => _ready.OwnerAt(slot);

    internal void UnregisterOwner(int slot) => _ready.Unregister(slot);

    internal void Notify(int ownerSlot, SocketEvents events) => _ready.Notify(ownerSlot, events);

    /// <summary>Native memory of a stack that goes back when the engine does. Returns what it was given.</summary>
    internal T Own<T>(T owned)
        where T : INativeMemory
    {
        _owned.Add(owned);
        return owned;
    }

    /// <summary>Gives all memory back; nothing of the engine, its stacks or links may be used any more.</summary>
    public void Dispose()
    {
        Packets.Dispose();
        Blocks.Dispose();
        foreach (INativeMemory owned in _owned)
        {
            owned.Dispose();
        }

        _owned.Clear();
    }
}
