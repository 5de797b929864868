namespace Portico.Net;

/// <summary>The errors of a socket that sends datagrams: the pending one (SO_ERROR), and the queue of IP_RECVERR.</summary>
internal struct DatagramErrors
{
    private UdpErrorInfo[]? _queue;
    private int _head;

    public Errno Pending { get; set; }

    public int Count { get; private set; }

    public readonly bool IsAny => Pending != Errno.None || Count > 0;

    /// <summary>Reads and clears the pending error.</summary>
    public Errno Take()
    {
        Errno error = Pending;
        Pending = Errno.None;
        return error;
    }

    /// <summary>Puts an error into the queue; false where it is full.</summary>
    public bool TryAdd(in UdpErrorInfo info, int max)
    {
        _queue ??= new UdpErrorInfo[Math.Max(1, max)];
        if (Count == _queue.Length)
        {
            return false;
        }

        _queue[(_head + Count++) % _queue.Length] = info;
        return true;
    }

    /// <summary>Takes the oldest entry. Errors: EAGAIN.</summary>
    public Errno Receive(out UdpErrorInfo info)
    {
        if (Count == 0)
        {
            info = default;
            return Errno.EAGAIN;
        }

        info = _queue![_head];
        _queue[_head] = default;
        _head = (_head + 1) % _queue.Length;
        Count--;

        // An entry of ICMP that comes next becomes the pending error (sock_dequeue_err_skb).
        bool isNextOfIcmp = Count > 0 && _queue[_head].Origin != UdpErrorOrigin.Local;
        if (isNextOfIcmp)
        {
            Pending = _queue[_head].Error;
        }
        else if (info.Origin != UdpErrorOrigin.Local)
        {
            Pending = Errno.None;
        }

        return Errno.None;
    }

    /// <summary>Throws the queue away, as Linux does where the option is taken back.</summary>
    public void Clear() => _head = Count = 0;
}
