using System.Numerics;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// The bytes of a pipe (pipe(7)), in pages as Linux keeps them: a ring of slots with a page each. That decides what a write that does not fit
/// does, so that it is kept and not just a ring of bytes: one of at most PIPE_BUF bytes is put in whole or not at all, and where the
/// last page has no room for it, it needs a slot of its own.
/// </summary>
internal sealed partial class Pipe
{
    public const int PageBytes = 4096;
    public const int SlotsDefault = 16;

    private struct Slot
    {
        public byte[] Page;
        public int Offset;
        public int Length;

        /// <summary>A packet (O_DIRECT): read whole.</summary>
        public bool IsPacket;

        /// <summary>Whether a write may go on behind what is there: not in a packet, nor in a page that splice(2) has put in.</summary>
        public bool CanMerge;
    }

    private readonly PorticoKernel _kernel;
    private Slot[] _slots;
    private int _head;
    private int _used;

    public Pipe(PorticoKernel kernel, bool isPrivileged)
    {
        _kernel = kernel;
        long soft = kernel.Settings.pipe_user_pages_soft;
        bool isPoor = !isPrivileged && soft != 0 && kernel.Counters[KernelCounter.PipePages] + SlotsDefault > soft;
        kernel.Counters[KernelCounter.PipeSoftLimit] += isPoor ? 1 : 0;
        _slots = new Slot[isPoor ? 2 : SlotsDefault];
        kernel.Counters[KernelCounter.PipePages] += _slots.Length;
    }

    /// <summary>Descriptions open for reading.</summary>
    public int Readers { get; set; }

    /// <summary>Descriptions open for writing.</summary>
    public int Writers { get; set; }

    public bool IsEmpty => _used == 0;

    public bool IsFull => _used == _slots.Length;

    public long Capacity => (long)_slots.Length * PageBytes;

    /// <summary>Bytes to be read.</summary>
    public int Length
    {
        get
        {
            int length = 0;
            for (int i = 0; i < _used; i++)
            {
                length += At(i).Length;
            }

            return length;
        }
    }

    /// <summary>Takes what there is. Errors: EAGAIN where it is empty and may yet be written to.</summary>
    public Errno Read(ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining == 0)
        {
            return Errno.None;
        }

        while (_used > 0 && destination.Remaining > 0)
        {
            ref Slot slot = ref At(0);
            int taken = destination.Write(slot.Page.AsSpan(slot.Offset, (int)Math.Min(slot.Length, destination.Remaining)));
            count += taken;
            slot.Offset += taken;
            slot.Length = slot.IsPacket ? 0 : slot.Length - taken;
            bool packet = slot.IsPacket;
            if (slot.Length == 0)
            {
                Free(ref slot);
                DropFirst();
            }

            if (packet)
            {
                return Errno.None;
            }
        }

        return count > 0 || Writers == 0 ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>Puts in what fits. Errors: EPIPE without readers, EAGAIN where nothing fits.</summary>
    public Errno Write(ref IoCursor source, bool asPackets, out long count)
    {
        count = 0;
        if (source.Remaining == 0 || Readers == 0)
        {
            return source.Remaining == 0 ? Errno.None : Errno.EPIPE;
        }

        // The odd bytes go behind those of the last page where they all fit, so that the rest is whole pages.
        int odd = (int)(source.Remaining & (PageBytes - 1));
        if (odd > 0 && _used > 0)
        {
            ref Slot last = ref At(_used - 1);
            int end = last.Offset + last.Length;
            if (last.CanMerge && end + odd <= PageBytes)
            {
                source.Read(last.Page.AsSpan(end, odd));
                last.Length += odd;
                count += odd;
            }
        }

        while (source.Remaining > 0 && _used < _slots.Length)
        {
            int length = (int)Math.Min(source.Remaining, PageBytes);
            ref Slot slot = ref At(_used++);
            slot.Page = _kernel.Pages.Rent();
            slot.Offset = 0;
            slot.Length = source.Read(slot.Page.AsSpan(0, length));
            slot.IsPacket = asPackets;
            slot.CanMerge = !asPackets;
            count += length;
        }

        return count > 0 ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>
    /// F_SETPIPE_SZ: rounds up to a power of two of pages. Errors: EINVAL beyond 2^31, EPERM above fs.pipe-max-size, EBUSY where the bytes
    /// in it would not fit.
    /// </summary>
    public Errno Resize(long bytes, bool isPrivileged, out long result)
    {
        result = 0;
        if (bytes is < 0 or > 1L << 31)
        {
            return Errno.EINVAL;
        }

        long size = (long)BitOperations.RoundUpToPowerOf2((ulong)Math.Max(bytes, PageBytes));
        int slots = (int)(size / PageBytes);
        if (slots > _slots.Length && !isPrivileged && size > _kernel.Settings.pipe_max_size)
        {
            return Errno.EPERM;
        }

        if (_used > slots)
        {
            return Errno.EBUSY;
        }

        Slot[] resized = new Slot[slots];
        for (int i = 0; i < _used; i++)
        {
            resized[i] = At(i);
        }

        _kernel.Counters[KernelCounter.PipePages] += slots - _slots.Length;
        _slots = resized;
        _head = 0;
        result = Capacity;
        return Errno.None;
    }

    /// <summary>Both ends are gone.</summary>
    public void Destroy()
    {
        for (int i = 0; i < _used; i++)
        {
            Free(ref At(i));
        }

        _used = 0;
        _kernel.Counters[KernelCounter.PipePages] -= _slots.Length;
    }

    /// <summary>There are always a power of two of them.</summary>
    private ref Slot At(int index) => ref _slots[(_head + index) & (_slots.Length - 1)];

    private void Free(ref Slot slot)
    {
        _kernel.Pages.Return(slot.Page);
        slot.Page = null!;
    }
}
