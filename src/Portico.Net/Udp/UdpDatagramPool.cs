namespace Portico.Net;

/// <summary>A datagram that waits to be read.</summary>
internal struct UdpDatagram
{
    /// <summary>The payload alone.</summary>
    public Packet Packet;
    public Endpoint Source;
    public Endpoint Destination;
    public int InterfaceIndex;

    /// <summary>Memory that it holds, which is more than its bytes.</summary>
    public int TrueSize;
    public int Next;
    public byte HopLimit;
    public byte TrafficClass;
    public uint FlowLabel;

    /// <summary>An empty one that has been peeked at, which a peek with SO_PEEK_OFF then passes over.</summary>
    public bool IsPeeked;

    /// <summary>What the socket had dropped when this one came in.</summary>
    public uint Drops;
}

/// <summary>The unread datagrams of all sockets of a stack: reused records, linked by index from 1.</summary>
internal sealed class UdpDatagramPool
{
    private UdpDatagram[] _records = new UdpDatagram[16];
    private int _count = 1;
    private int _free;

    public ref UdpDatagram At(int index) => ref _records[index];

    public int Rent()
    {
        int index = _free;
        if (index != 0)
        {
            _free = _records[index].Next;
            return index;
        }

        if (_count == _records.Length)
        {
            Array.Resize(ref _records, _count * 2);
        }

        return _count++;
    }

    public void Return(int index)
    {
        _records[index] = default;
        _records[index].Next = _free;
        _free = index;
    }
}

/// <summary>How much memory a queued packet holds, and ways to hold less.</summary>
internal static unsafe class UdpMemory
{
    /// <summary>
    /// The packet object and its own bytes: what a datagram costs whatever its length (Linux charges 768 for a small one).
    /// </summary>
    public const int PacketBytes = 640;

    public static int TrueSize(Packet packet)
    {
        int size = PacketBytes;
        Block* linear = packet.LinearBlock;
        if (linear != null)
        {
            size += linear->Capacity + Block.HeaderBytes;
        }

        Block* last = linear;
        for (int i = 0; i < packet.FragmentCount; i++)
        {
            // Neighbouring fragments of one block hold it once.
            Block* block = packet.Fragment(i).Block;
            if (block != last)
            {
                size += block->Capacity + Block.HeaderBytes;
                last = block;
            }
        }

        return size;
    }

    /// <summary>
    /// A packet with the same bytes that holds at most half the memory, where one can be made: a few bytes must not keep a large
    /// block. Otherwise the packet itself.
    /// </summary>
    public static Packet Condense(Packet packet, PacketPool pool, ref int trueSize)
    {
        int length = packet.Length;
        int needed = PacketBytes;
        if (length > Packet.OwnBytes)
        {
            int capacity = length + Packet.Headroom;
            needed += (capacity <= BlockPool.SmallBytes ? BlockPool.SmallBytes : capacity <= BlockPool.MediumBytes ? BlockPool.MediumBytes
                : BlockPool.LargeBytes) + Block.HeaderBytes;
        }

        if (needed * 2 > trueSize)
        {
            return packet;
        }

        Packet? smaller = length > Packet.OwnBytes ? pool.RentLinear(length) : pool.Rent();
        if (smaller == null)
        {
            return packet;
        }

        if (length <= Packet.OwnBytes)
        {
            smaller.SetHeadroom(0);
        }

        packet.CopyTo(smaller.Append(length));
        smaller.Timestamp = packet.Timestamp;
        smaller.GsoSize = packet.GsoSize;
        packet.Release();
        trueSize = needed;
        return smaller;
    }

    /// <summary>Another packet with the same bytes, by reference where they are in blocks; null when memory is short.</summary>
    public static Packet? Share(Packet packet, PacketPool pool)
    {
        Block* linear = packet.LinearBlock;
        if (packet.FragmentCount + (linear == null ? 0 : 1) > Packet.FragmentsMax)
        {
            return pool.Clone(packet);
        }

        Packet shared = pool.Rent();
        shared.SetHeadroom(0);
        if (linear == null)
        {
            packet.Linear.CopyTo(shared.Append(packet.LinearLength));
        }
        else if (packet.LinearLength > 0)
        {
            shared.TryAddFragment(linear, (int)(packet.LinearPointer - Block.Data(linear)), packet.LinearLength);
        }

        for (int i = 0; i < packet.FragmentCount; i++)
        {
            ref Slice slice = ref packet.Fragment(i);
            shared.TryAddFragment(slice.Block, slice.Offset, slice.Length);
        }

        shared.Timestamp = packet.Timestamp;
        shared.GsoSize = packet.GsoSize;
        return shared;
    }

    /// <summary>Copies as many bytes as fit and says how many.</summary>
    public static int CopyPrefix(Packet packet, Span<byte> destination) => packet.CopyTo(0, destination);
}
