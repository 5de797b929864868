using System.Buffers;

namespace Portico.Kernel;

/// <summary>Bytes on their way between unix sockets: a datagram, or a piece of a stream, with what goes with it.</summary>
internal sealed class UnixMessage
{
    private byte[] _bytes = [];
    private int _length;

    /// <summary>Who sent it: its memory is charged to the sender, whose address the receiver is told.</summary>
    public UnixSocket Sender { get; private set; } = null!;

    public UnixMessage? Next { get; set; }

    public UnixMessage? Previous { get; set; }

    /// <summary>Descriptors that go with it (SCM_RIGHTS).</summary>
    public UnixRights? Rights { get; set; }

    public UnixCredentials Credentials { get; set; }

    /// <summary>What the sender is charged, in bytes.</summary>
    public int TrueSize { get; private set; }

    /// <summary>Bytes of a stream that have been read.</summary>
    public int Consumed { get; set; }

    /// <summary>Whether a peek has seen it: an empty datagram is passed over then, where peeks have an offset.</summary>
    public bool IsPeeked { get; set; }

    /// <summary>Bytes that have not been read.</summary>
    public int Remaining => _length - Consumed;

    public ReadOnlySpan<byte> Unread => _bytes.AsSpan(Consumed, _length - Consumed);

    /// <summary>Begins a message of the next bytes of <paramref name="source"/>.</summary>
    public void Fill(UnixSocket sender, ref IoCursor source, int length, int trueSize)
    {
        Sender = sender;
        TrueSize = trueSize;
        _length = length;
        _bytes = length == 0 ? [] : ArrayPool<byte>.Shared.Rent(length);
        source.Read(_bytes.AsSpan(0, length));
    }

    public void Clear()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }

        _bytes = [];
        Sender = null!;
        Rights = null;
        Credentials = UnixCredentials.None;
        IsPeeked = false;
        Next = Previous = null;
        _length = Consumed = TrueSize = 0;
    }
}

/// <summary>Messages in order, linked through themselves.</summary>
internal struct UnixMessageQueue
{
    private UnixMessage? _last;

    public UnixMessage? First { get; private set; }

    public int Count { get; private set; }

    public readonly bool IsEmpty => First == null;

    public void Add(UnixMessage message)
    {
        message.Previous = _last;
        message.Next = null;
        if (_last == null)
        {
            First = message;
        }
        else
        {
            _last.Next = message;
        }

        _last = message;
        Count++;
    }

    public void Remove(UnixMessage message)
    {
        if (message.Previous == null)
        {
            First = message.Next;
        }
        else
        {
            message.Previous.Next = message.Next;
        }

        if (message.Next == null)
        {
            _last = message.Previous;
        }
        else
        {
            message.Next.Previous = message.Previous;
        }

        message.Next = message.Previous = null;
        Count--;
    }
}
