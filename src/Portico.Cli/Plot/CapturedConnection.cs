using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// A segment of a connection. <paramref name="Start"/> and <paramref name="End"/> count bytes of the stream of the side that sent it,
/// <paramref name="Acknowledged"/> and <paramref name="WindowEnd"/> those of the other; -1 where it says nothing of them.
/// </summary>
internal sealed record CapturedSegment(
    double Seconds, bool IsFromFirst, long Start, long End, TcpFlags Flags, long Acknowledged, long WindowEnd,
    IReadOnlyList<(long Left, long Right)> Sacks, IReadOnlyList<string> Comments);

/// <summary>
/// A TCP connection in a capture: its two ends, of which the first is the one that opened it, or was seen first, and its segments as one
/// interface saw them.
/// </summary>
internal sealed class CapturedConnection
{
    private readonly List<CapturedSegment> _segments = [];
    private readonly Side _fromFirst = new();
    private readonly Side _fromSecond = new();

    /// <summary>Made of its first segment; a SYN that is an answer comes from the second end.</summary>
    public CapturedConnection(int number, int interfaceId, Endpoint source, Endpoint destination, TcpFlags flags)
    {
        Number = number;
        InterfaceId = interfaceId;
        bool isAnswer = (flags & (TcpFlags.Syn | TcpFlags.Ack)) == (TcpFlags.Syn | TcpFlags.Ack);
        (First, Second) = isAnswer ? (destination, source) : (source, destination);
    }

    /// <summary>Its place among the connections of the capture, from 1.</summary>
    public int Number { get; }

    /// <summary>Where it was recorded.</summary>
    public int InterfaceId { get; }

    /// <summary>The end that opened the connection.</summary>
    public Endpoint First { get; }

    /// <summary>The other end.</summary>
    public Endpoint Second { get; }

    /// <summary>In the order of the capture.</summary>
    public IReadOnlyList<CapturedSegment> Segments => _segments;

    /// <summary>Bytes of the stream of the first end that were seen.</summary>
    public long BytesFromFirst => _fromFirst.Highest;

    /// <summary>Bytes of the stream of the second end that were seen.</summary>
    public long BytesFromSecond => _fromSecond.Highest;

    /// <summary>Whether the recorder stood beside that end: it saw what the end sent as going out.</summary>
    public bool IsBeside(bool first) => (first ? _fromFirst : _fromSecond).IsOutbound;

    /// <summary>Whether a SYN of its own says that these ports have begun a new connection.</summary>
    public bool IsOver(Endpoint source, TcpFlags flags, uint sequence) =>
        (flags & (TcpFlags.Syn | TcpFlags.Ack)) == TcpFlags.Syn && (source == First ? _fromFirst : _fromSecond).IsAnother(sequence);

    /// <summary>Adds a segment that was seen <paramref name="seconds"/> after the start of the capture.</summary>
    public void Add(double seconds, Endpoint source, in TcpHeader header, int payload, PcapngDirection direction, IReadOnlyList<string> comments)
    {
        bool isFromFirst = source == First;
        Side own = isFromFirst ? _fromFirst : _fromSecond;
        Side other = isFromFirst ? _fromSecond : _fromFirst;
        TcpFlags flags = header.Flags;
        TcpOptions.Parse(header.OptionBytes, out TcpOptions options);
        own.IsOutbound |= direction == PcapngDirection.Outbound;
        if ((flags & TcpFlags.Syn) != 0)
        {
            own.Begin(header.Sequence, options.WindowScale);
        }

        long start = own.Place(header.Sequence + ((flags & TcpFlags.Syn) != 0 ? 1u : 0u));
        long end = start + payload;
        if (payload > 0)
        {
            // Not the number of an ACK: behind a FIN that is one more than there are bytes.
            own.Highest = Math.Max(own.Highest, end);
        }

        long acknowledged = -1, windowEnd = -1;
        List<(long, long)> sacks = [];
        if ((flags & TcpFlags.Ack) != 0)
        {
            acknowledged = other.Place(header.Acknowledgment);

            // RFC 7323 2.2: the window of a SYN is not scaled; scaling needs both ends' consent.
            bool isScaled = (flags & TcpFlags.Syn) == 0 && own.Shift >= 0 && other.Shift >= 0;
            windowEnd = acknowledged + ((long)header.Window << (isScaled ? own.Shift : 0));
            for (int i = 0; i < options.SackCount; i++)
            {
                sacks.Add((other.Place(options.Sacks[i].Left), other.Place(options.Sacks[i].Right)));
            }
        }

        _segments.Add(new CapturedSegment(seconds, isFromFirst, start, end, flags, acknowledged, windowEnd, sacks, comments));
    }

    /// <summary>What is known of the stream of one end.</summary>
    private sealed class Side
    {
        private bool _isPlaced;
        private uint _base;
        private long _last;

        public long Highest { get; set; }

        public bool IsOutbound { get; set; }

        /// <summary>The shift of its window; -1 until its SYN offers one.</summary>
        public int Shift { get; private set; } = -1;

        public void Begin(uint iss, int shift)
        {
            (_isPlaced, _base, _last) = (true, iss + 1, 0);
            Shift = shift;
        }

        public bool IsAnother(uint iss) => _isPlaced && _base != iss + 1;

        /// <summary>A sequence number as an offset in the stream, near the last one; the numbers wrap, the offsets do not.</summary>
        public long Place(uint sequence)
        {
            if (!_isPlaced)
            {
                (_isPlaced, _base) = (true, sequence);
            }

            long offset = _last + (int)(sequence - _base - (uint)_last);
            _last = Math.Max(_last, offset);
            return offset;
        }
    }
}
