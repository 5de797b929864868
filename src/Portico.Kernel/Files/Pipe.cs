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

    /// <summary>What is left for a pipe beyond fs.pipe-user-pages-soft.</summary>
    private const int SlotsMin = 2;

    /// <summary>From so many pages on a write gets them side by side, since one long copy is faster than many short ones.</summary>
    private const int LargePagesMin = 4;

    private struct Slot
    {
        public PageBlock Block;

        /// <summary>Where in the block's bytes what is left begins.</summary>
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
        bool isPoor = !isPrivileged && IsBeyond(kernel, kernel.Settings.pipe_user_pages_soft, SlotsDefault);
        kernel.Counters[KernelCounter.PipeSoftLimit] += isPoor ? 1 : 0;
        _slots = new Slot[isPoor ? SlotsMin : SlotsDefault];
        kernel.Counters[KernelCounter.PipePages] += _slots.Length;
    }

    /// <summary>Whether fs.pipe-user-pages-hard has room for one more, which gets fewer pages where the soft limit has none.</summary>
    public static bool HasRoom(PorticoKernel kernel, bool isPrivileged)
    {
        int slots = IsBeyond(kernel, kernel.Settings.pipe_user_pages_soft, SlotsDefault) ? SlotsMin : SlotsDefault;
        bool isRefused = !isPrivileged && IsBeyond(kernel, kernel.Settings.pipe_user_pages_hard, slots);
        kernel.Counters[KernelCounter.PipeHardLimit] += isRefused ? 1 : 0;
        return !isRefused;
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
            int run = RunOfWholePages(Math.Min(destination.Remaining, destination.Present));
            if (run > 1)
            {
                count += destination.Write(At(0).Block.Bytes.AsSpan(At(0).Offset, run * PageBytes));
                DropRun(run);
                continue;
            }

            // What a page has goes into memory whole, or stays.
            ref Slot slot = ref At(0);
            if (destination.Lacks(slot.Length))
            {
                return count > 0 ? Errno.None : Errno.EFAULT;
            }

            int taken = destination.Write(slot.Block.Bytes.AsSpan(slot.Offset, (int)Math.Min(slot.Length, destination.Remaining)));
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
            int inPage = (last.Offset & (PageBytes - 1)) + last.Length;
            if (last.CanMerge && inPage + odd <= PageBytes)
            {
                if (source.Lacks(odd))
                {
                    return Errno.EFAULT;
                }

                source.Read(last.Block.Bytes.AsSpan(last.Offset + last.Length, odd));
                last.Length += odd;
                count += odd;
            }
        }

        if (source.Lacks(long.MaxValue) && _used < _slots.Length)
        {
            // A page whose bytes are not all there is not put in.
            source.Limit(source.Present / PageBytes * PageBytes);
            if (source.Remaining == 0)
            {
                return count > 0 ? Errno.None : Errno.EFAULT;
            }
        }

        while (source.Remaining > 0 && _used < _slots.Length)
        {
            int pages = (int)Math.Min(Math.Min(source.Remaining / PageBytes, _slots.Length - _used), PagePool.LargePages);
            if (pages >= LargePagesMin)
            {
                PageBlock large = _kernel.Pages.RentLarge(pages);
                count += source.Read(large.Bytes.AsSpan(0, pages * PageBytes));
                for (int i = 0; i < pages; i++)
                {
                    Put(large, i * PageBytes, PageBytes, asPackets);
                }

                continue;
            }

            PageBlock block = _kernel.Pages.Rent();
            int length = source.Read(block.Bytes.AsSpan(0, (int)Math.Min(source.Remaining, PageBytes)));
            Put(block, 0, length, asPackets);
            count += length;
        }

        return count > 0 ? Errno.None : Errno.EAGAIN;
    }

    /// <summary>
    /// F_SETPIPE_SZ: rounds up to a power of two of pages. Errors: EINVAL beyond 2^31, EPERM above fs.pipe-max-size and for more than
    /// fs.pipe-user-pages-soft and -hard have left, EBUSY where the bytes in it would not fit.
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
        if (slots > _slots.Length && !isPrivileged)
        {
            int more = slots - _slots.Length;
            bool isRefused = IsBeyond(_kernel, _kernel.Settings.pipe_user_pages_soft, more) || IsBeyond(_kernel, _kernel.Settings.pipe_user_pages_hard, more);
            if (size > _kernel.Settings.pipe_max_size || isRefused)
            {
                _kernel.Counters[KernelCounter.PipeHardLimit] += isRefused ? 1 : 0;
                return Errno.EPERM;
            }
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

    private static bool IsBeyond(PorticoKernel kernel, long limit, int more) => limit != 0 && kernel.Counters[KernelCounter.PipePages] + more > limit;

    /// <summary>There are always a power of two of them.</summary>
    private ref Slot At(int index) => ref _slots[(_head + index) & (_slots.Length - 1)];

    private void Put(PageBlock block, int offset, int length, bool isPacket)
    {
        ref Slot slot = ref At(_used++);
        slot.Block = block;
        slot.Offset = offset;
        slot.Length = length;
        slot.IsPacket = isPacket;
        slot.CanMerge = !isPacket;
    }

    /// <summary>How many of the first pages are whole, lie side by side and fit into so much room: they are copied in one go.</summary>
    private int RunOfWholePages(long room)
    {
        int most = (int)Math.Min(_used, room / PageBytes);
        int run = 0;
        while (run < most && At(run) is { Length: PageBytes, IsPacket: false } slot && slot.Block == At(0).Block && slot.Offset == At(0).Offset + (run * PageBytes))
        {
            run++;
        }

        return run;
    }

    private void DropRun(int pages)
    {
        _kernel.Pages.Return(At(0).Block, pages);
        for (int i = 0; i < pages; i++)
        {
            At(0).Block = null!;
            DropFirst();
        }
    }

    private void Free(ref Slot slot)
    {
        _kernel.Pages.Return(slot.Block);
        slot.Block = null!;
    }
}
