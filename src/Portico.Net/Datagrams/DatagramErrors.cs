namespace Portico.Net;

/// <summary>
/// The errors of a socket: the pending one (SO_ERROR), and its error queue (MSG_ERRQUEUE), which ICMP, the host itself and times of sending
/// go into. Like what waits to be read it is bounded by the socket's receive buffer.
/// </summary>
internal struct DatagramErrors
{
    private const int EntriesMin = 4;

    /// <summary>What is kept of a buffer's memory when its entry has been read; larger ones go.</summary>
    private const int BufferBytesKept = 2048;

    private struct Entry
    {
        public UdpErrorInfo Info;
        public byte[]? Buffer;
        public int TrueSize;
    }

    private Entry[]? _queue;
    private int _head;

    public Errno Pending { get; set; }

    public int Count { get; private set; }

    /// <summary>Memory that the entries take.</summary>
    public int Memory { get; private set; }

    public readonly bool IsAny => Pending != Errno.None || Count > 0;

    /// <summary>Reads and clears the pending error.</summary>
    public Errno Take()
    {
        Errno error = Pending;
        Pending = Errno.None;
        return error;
    }

    /// <summary>Whether an entry may be added to a socket whose unread packets use so much of its receive buffer (sock_queue_err_skb).</summary>
    public readonly bool HasRoom(int trueSize, int used, int max) => (long)used + Memory + trueSize < max;

    /// <summary>Puts an entry at the end; the memory of its payload is the caller's to fill.</summary>
    public Span<byte> Add(in UdpErrorInfo info, int payloadBytes, int trueSize)
    {
        if (_queue == null || Count == _queue.Length)
        {
            Grow();
        }

        ref Entry entry = ref _queue![(_head + Count++) % _queue.Length];
        if (payloadBytes > 0 && (entry.Buffer == null || entry.Buffer.Length < payloadBytes))
        {
            entry.Buffer = new byte[Math.Max(BufferBytesKept, payloadBytes)];
        }

        entry.Info = payloadBytes == 0 ? info : info with { Payload = entry.Buffer.AsMemory(0, payloadBytes) };
        entry.TrueSize = trueSize;
        Memory += trueSize;
        return payloadBytes == 0 ? [] : entry.Buffer.AsSpan(0, payloadBytes);
    }

    /// <summary>Adds an entry with a copy of what it quotes; false where there is no room.</summary>
    public bool TryAdd(in UdpErrorInfo info, ReadOnlySpan<byte> payload, int used, int max)
    {
        int trueSize = BufferSize.Of(payload.Length);
        bool hasRoom = HasRoom(trueSize, used, max);
        if (hasRoom)
        {
            payload.CopyTo(Add(info, payload.Length, trueSize));
        }

        return hasRoom;
    }

    /// <summary>Takes the oldest entry, whose payload is good until the next is added. Errors: EAGAIN.</summary>
    public Errno Receive(out UdpErrorInfo info)
    {
        if (Count == 0)
        {
            info = default;
            return Errno.EAGAIN;
        }

        ref Entry entry = ref _queue![_head];
        info = entry.Info;
        Memory -= entry.TrueSize;
        entry.Info = default;
        entry.Buffer = entry.Buffer is { Length: > BufferBytesKept } ? null : entry.Buffer;
        _head = (_head + 1) % _queue.Length;
        Count--;

        // An entry of ICMP that comes next becomes the pending error (sock_dequeue_err_skb).
        bool isNextOfIcmp = Count > 0 && IsOfIcmp(_queue[_head].Info);
        if (isNextOfIcmp)
        {
            Pending = _queue[_head].Info.Error;
        }
        else if (IsOfIcmp(info))
        {
            Pending = Errno.None;
        }

        return Errno.None;
    }

    /// <summary>Throws the queue away, as Linux does where the option is taken back.</summary>
    public void Clear() => _head = Count = Memory = 0;

    private static bool IsOfIcmp(in UdpErrorInfo info) => info.Origin is UdpErrorOrigin.Icmp or UdpErrorOrigin.Icmpv6;

    private void Grow()
    {
        Entry[] larger = new Entry[Math.Max(EntriesMin, Count * 2)];
        for (int i = 0; i < Count; i++)
        {
            larger[i] = _queue![(_head + i) % _queue.Length];
        }

        _queue = larger;
        _head = 0;
    }
}
