namespace Portico.Net;

/// <summary>What a datagram that waits to be read consists of; <typeparamref name="TInfo"/> is what its kind of socket tells of it.</summary>
internal struct QueuedDatagram<TInfo>
    where TInfo : struct
{
    public Packet Packet;
    public TInfo Info;

    /// <summary>Memory that it holds, which is more than its bytes.</summary>
    public int TrueSize;
    public int Next;

    /// <summary>What the socket had dropped when this one came in.</summary>
    public uint Drops;
}

/// <summary>A socket's unread datagrams, oldest first: indexes into a <see cref="DatagramPool{TInfo}"/>.</summary>
internal struct DatagramQueue
{
    internal int Head;
    internal int Tail;

    /// <summary>How many there are.</summary>
    public int Count { get; internal set; }

    /// <summary>Memory that they hold (sk_rmem_alloc).</summary>
    public int Memory { get; internal set; }
}

/// <summary>The unread datagrams of all sockets of one kind in a stack: reused records, linked by index from 1.</summary>
internal sealed class DatagramPool<TInfo>
    where TInfo : struct
{
    private QueuedDatagram<TInfo>[] _records = new QueuedDatagram<TInfo>[16];
    private int _count = 1;
    private int _free;

    /// <summary>Memory of all of them.</summary>
    public long Bytes { get; private set; }

    /// <summary>The oldest of a queue that is not empty.</summary>
    public ref QueuedDatagram<TInfo> First(in DatagramQueue queue) => ref _records[queue.Head];

    /// <summary>The one behind another; false where that is the last.</summary>
    public bool TryNext(ref int index, in DatagramQueue queue)
    {
        index = index == 0 ? queue.Head : _records[index].Next;
        return index != 0;
    }

    public ref QueuedDatagram<TInfo> At(int index) => ref _records[index];

    /// <summary>Puts a packet at the end of a queue; the caller fills in what is told of it.</summary>
    public ref TInfo Add(ref DatagramQueue queue, Packet packet, int trueSize, long drops)
    {
        int index = Rent();
        ref QueuedDatagram<TInfo> record = ref _records[index];
        record.Packet = packet;
        record.TrueSize = trueSize;
        record.Drops = (uint)drops;
        record.Next = 0;
        if (queue.Count++ == 0)
        {
            queue.Head = index;
        }
        else
        {
            _records[queue.Tail].Next = index;
        }

        queue.Tail = index;
        queue.Memory += trueSize;
        Bytes += trueSize;
        return ref record.Info;
    }

    /// <summary>Takes the oldest out of a queue that is not empty; the packet is the caller's.</summary>
    public Packet Take(ref DatagramQueue queue)
    {
        int index = queue.Head;
        ref QueuedDatagram<TInfo> record = ref _records[index];
        Packet packet = record.Packet;
        queue.Head = record.Next;
        queue.Memory -= record.TrueSize;
        queue.Count--;
        Bytes -= record.TrueSize;
        record = default;
        record.Next = _free;
        _free = index;
        Invariant.Check(queue.Memory >= 0);
        Invariant.Check(queue.Count > 0 || queue.Memory == 0);
        return packet;
    }

    /// <summary>Throws a queue's datagrams away.</summary>
    public void Clear(ref DatagramQueue queue)
    {
        while (queue.Count > 0)
        {
            Take(ref queue).Release();
        }
    }

    private int Rent()
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
}
