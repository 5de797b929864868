namespace Portico.Kernel;

// What splice(2), tee(2) and vmsplice(2) do with the pages.
internal sealed partial class Pipe
{
    /// <summary>Pages that can still be put in.</summary>
    public int FreeSlots => _slots.Length - _used;

    /// <summary>Copies what comes next, out of at most so many pages, and leaves it there.</summary>
    public int Peek(Span<byte> destination, int pagesMax)
    {
        int copied = 0;
        for (int i = 0; i < Math.Min(_used, pagesMax) && copied < destination.Length; i++)
        {
            ref Slot slot = ref At(i);
            int length = Math.Min(slot.Length, destination.Length - copied);
            slot.Block.Bytes.AsSpan(slot.Offset, length).CopyTo(destination[copied..]);
            copied += length;
        }

        return copied;
    }

    /// <summary>Takes bytes that have been looked at out, and says whether that has made a page free.</summary>
    public bool Consume(long count)
    {
        int before = _used;
        while (count > 0)
        {
            ref Slot slot = ref At(0);
            int taken = (int)Math.Min(slot.Length, count);
            slot.Offset += taken;
            slot.Length -= taken;
            count -= taken;
            if (slot.Length == 0)
            {
                Free(ref slot);
                DropFirst();
            }
        }

        return _used < before;
    }

    /// <summary>Puts a page of the kernel's in, which is the pipe's from now on; there must be room for it.</summary>
    public void Append(PageBlock page, int length) => At(_used++) = new Slot { Block = page, Length = length };

    /// <summary>Moves pages as they are into another pipe, and of the last one as much as is wanted; how many bytes.</summary>
    public long MoveTo(Pipe target, ulong count)
    {
        long moved = 0;
        while (count > 0 && !IsEmpty && !target.IsFull)
        {
            ref Slot slot = ref At(0);
            int length = slot.Length;
            if (count >= (ulong)length)
            {
                target.At(target._used++) = slot;
                slot.Block = null!;
                DropFirst();
            }
            else
            {
                length = (int)count;
                target.AppendCopy(slot, length);
                slot.Offset += length;
                slot.Length -= length;
            }

            moved += length;
            count -= (ulong)length;
        }

        return moved;
    }

    /// <summary>Puts the same bytes into another pipe, page by page; how many.</summary>
    public long CopyTo(Pipe target, ulong count)
    {
        long copied = 0;
        for (int i = 0; i < _used && count > 0 && !target.IsFull; i++)
        {
            int length = (int)Math.Min((ulong)At(i).Length, count);
            target.AppendCopy(At(i), length);
            copied += length;
            count -= (ulong)length;
        }

        return copied;
    }

    /// <summary>Where Linux lets two pipes refer to one page, each has a page of its own here; neither is written to any more.</summary>
    private void AppendCopy(in Slot slot, int length)
    {
        PageBlock page = _kernel.Pages.Rent();
        slot.Block.Bytes.AsSpan(slot.Offset, length).CopyTo(page.Bytes);
        At(_used++) = new Slot { Block = page, Length = length, IsPacket = slot.IsPacket };
    }

    private void DropFirst()
    {
        _head = (_head + 1) & (_slots.Length - 1);
        _used--;
    }
}
