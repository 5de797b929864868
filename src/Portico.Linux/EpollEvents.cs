using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Linux;

/// <summary>Whoever has a descriptor in <see cref="EpollEvents"/>.</summary>
public interface IPollHandler
{
    /// <summary>
    /// The descriptor has become ready; called under the driver's lock. Edges are reported: read or write until EAGAIN. Return true
    /// to be called again soon with the same events, after others have had their turn.
    /// </summary>
    bool OnPoll(SocketEvents events);
}

/// <summary>A driver's descriptors, polled by one epoll(7) instance.</summary>
public sealed unsafe class EpollEvents : IDriverEvents
{
    private const int BatchMax = 128;

    // struct epoll_event is packed on x86-64 and on no other architecture.
    private static readonly int s_stride = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;
    private static readonly int s_dataOffset = s_stride - 8;

    private struct Slot
    {
        public IPollHandler? Handler;
        public int Generation;
        public int NextFree;
    }

    private readonly int _epoll;
    private readonly int _wakeFd;
    private readonly byte* _batch;
    private int _batchCount;
    private Slot[] _slots = new Slot[16];
    private int _slotCount = 1;
    private int _freeSlot;
    private ulong[] _again = new ulong[16];
    private ulong[] _againNow = new ulong[16];
    private int _againCount;
    private bool _hasWait2 = true;
    private bool _disposed;

    /// <summary>Makes an instance without descriptors.</summary>
    public EpollEvents()
    {
        _epoll = LibC.EpollCreate(LibC.EPOLL_CLOEXEC);
        if (_epoll < 0)
        {
            throw LinuxException.Last("epoll_create1");
        }

        _wakeFd = LibC.EventFd(0, LibC.EFD_CLOEXEC | LibC.EFD_NONBLOCK);
        if (_wakeFd < 0)
        {
            throw LinuxException.Last("eventfd");
        }

        _batch = (byte*)NativeMemory.AllocZeroed((nuint)(BatchMax * 16));

        // Slot 0 is the wake-up's. Each write to it is an edge of its own, so nobody needs to read the count back.
        Control(LibC.EPOLL_CTL_ADD, _wakeFd, SocketEvents.Readable, 0);
    }

    /// <summary>
    /// Watches a descriptor for reading, writing and hang-up; the result is what <see cref="Remove"/> wants. Under the lock.
    /// </summary>
    public int Add(int fd, IPollHandler handler)
    {
        int slot = _freeSlot;
        if (slot != 0)
        {
            _freeSlot = _slots[slot].NextFree;
        }
        else
        {
            slot = _slotCount++;
            if (slot == _slots.Length)
            {
                Array.Resize(ref _slots, slot * 2);
            }
        }

        _slots[slot].Handler = handler;
        ulong data = (uint)slot | ((ulong)(uint)_slots[slot].Generation << 32);
        const SocketEvents Interest = SocketEvents.Readable | SocketEvents.Writable | SocketEvents.Priority | SocketEvents.ReadHangUp;
        if (!Control(LibC.EPOLL_CTL_ADD, fd, Interest, data))
        {
            LinuxException error = LinuxException.Last("epoll_ctl");
            Free(slot);
            throw error;
        }

        return slot;
    }

    /// <summary>
    /// Forgets a descriptor, which the caller closes afterwards; events already collected for it are dropped. Under the lock.
    /// </summary>
    public void Remove(int slot, int fd)
    {
        Control(LibC.EPOLL_CTL_DEL, fd, SocketEvents.None, 0);
        Free(slot);
    }

    /// <inheritdoc/>
    public bool Wait(Duration timeout)
    {
        int count;
        if (_hasWait2)
        {
            LibC.TimeSpec time = new() { Seconds = timeout.Nanoseconds / 1_000_000_000, Nanoseconds = timeout.Nanoseconds % 1_000_000_000 };
            count = LibC.EpollWait2(_epoll, _batch, BatchMax, timeout == Duration.Infinite ? null : &time);
            _hasWait2 = count >= 0 || Marshal.GetLastPInvokeError() != (int)Errno.ENOSYS;
        }
        else
        {
            long milliseconds = timeout == Duration.Infinite ? -1 : Math.Min((timeout.Nanoseconds + 999_999) / 1_000_000, int.MaxValue);
            count = LibC.EpollWait(_epoll, _batch, BatchMax, (int)milliseconds);
        }

        _batchCount = Math.Max(count, 0);
        return _batchCount != 0;
    }

    /// <inheritdoc/>
    public void Wake()
    {
        ulong one = 1;
        LibC.Write(_wakeFd, &one, 8);
    }

    /// <inheritdoc/>
    public bool Dispatch()
    {
        (_again, _againNow) = (_againNow, _again);
        int againCount = _againCount;
        _againCount = 0;
        for (int i = 0; i < _batchCount; i++)
        {
            byte* entry = _batch + (i * s_stride);
            Call(*(ulong*)(entry + s_dataOffset), *(uint*)entry);
        }

        _batchCount = 0;
        for (int i = 0; i < againCount; i += 2)
        {
            Call(_againNow[i], (uint)_againNow[i + 1]);
        }

        return _againCount > 0;
    }

    private void Call(ulong data, uint events)
    {
        uint slot = (uint)data;
        IPollHandler? handler = _slots[slot].Handler;
        if (handler == null || _slots[slot].Generation != (int)(data >> 32) || !handler.OnPoll((SocketEvents)events))
        {
            return;
        }

        if (_againCount + 2 > _again.Length)
        {
            Array.Resize(ref _again, _again.Length * 2);
        }

        _again[_againCount++] = data;
        _again[_againCount++] = events;
    }

    private bool Control(int operation, int fd, SocketEvents interest, ulong data)
    {
        byte* change = stackalloc byte[16];
        *(uint*)change = (uint)interest | LibC.EPOLLET;
        *(ulong*)(change + s_dataOffset) = data;
        return LibC.EpollControl(_epoll, operation, fd, change) == 0;
    }

    private void Free(int slot)
    {
        _slots[slot].Handler = null;
        _slots[slot].Generation++;
        _slots[slot].NextFree = _freeSlot;
        _freeSlot = slot;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        LibC.Close(_epoll);
        LibC.Close(_wakeFd);
        NativeMemory.Free(_batch);
    }
}
