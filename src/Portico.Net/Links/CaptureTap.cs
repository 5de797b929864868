using System.Globalization;
using System.Text.Unicode;

namespace Portico.Net;

/// <summary>A point at which packets are recorded: one interface of a capture file.</summary>
public sealed class CaptureTap
{
    private readonly Engine _engine;
    private readonly int _interfaceId;

    /// <summary>The packet that is on its way through the links behind this point, and its number in the file.</summary>
    private Packet? _open;
    private long _openNumber;

    /// <summary>Adds an interface of that name to the capture.</summary>
    public CaptureTap(Engine engine, PcapngWriter writer, string name, LinkKind kind)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(writer);
        _engine = engine;
        Writer = writer;
        _interfaceId = writer.AddInterface(name, kind);
    }

    /// <summary>Where it writes.</summary>
    public PcapngWriter Writer { get; }

    /// <summary>Whether packets are recorded at the moment.</summary>
    public bool IsEnabled { get; set; } = true;

    /// <summary>
    /// Whether each TCP segment with data that is sent gets a comment with the congestion window: "cwnd 14, ssthresh 7, MSS 1448".
    /// </summary>
    public bool NotesCongestionWindow { get; set; }

    /// <summary>Packets that could not be recorded for want of memory to complete their checksum in.</summary>
    public long MemoryDrops { get; private set; }

    /// <summary>
    /// Records a packet, which stays its owner's and as it is: a transport checksum that is yet to be filled in is filled in on a
    /// copy. A super-segment is recorded as the one packet that it travels as.
    /// </summary>
    public void Record(Packet packet, bool isInbound, PacketNotes notes = PacketNotes.None)
    {
        ArgumentNullException.ThrowIfNull(packet);
        if (!IsEnabled)
        {
            return;
        }

        if (packet == _open && _openNumber == Writer.Packets && Writer.AddComments(notes))
        {
            // Recorded a moment ago, as it was sent: only what has become of it is news.
            return;
        }

        PcapngDirection direction = isInbound ? PcapngDirection.Inbound : PcapngDirection.Outbound;
        notes |= packet.Notes;
        Span<byte> room = stackalloc byte[64];
        ReadOnlySpan<byte> comment = isInbound ? default : CongestionComment(packet, room);
        if (packet.Checksum != ChecksumState.Partial)
        {
            Writer.Write(_interfaceId, _engine.Now, packet, direction, notes, comment);
            return;
        }

        Packet? copy = _engine.Packets.Clone(packet);
        if (copy == null)
        {
            MemoryDrops++;
            return;
        }

        copy.GsoSize = 0;
        ChecksumOffload.Complete(copy);
        Writer.Write(_interfaceId, _engine.Now, copy, direction, notes, comment);
        copy.Release();
    }

    private ReadOnlySpan<byte> CongestionComment(Packet packet, Span<byte> room)
    {
        CongestionNote note = packet.Congestion;
        if (!NotesCongestionWindow || note.Mss == 0)
        {
            return default;
        }

        // Before the first loss ssthresh is a number that says nothing.
        bool isWritten = note.Ssthresh < int.MaxValue
            ? Utf8.TryWrite(room, CultureInfo.InvariantCulture, $"cwnd {note.Cwnd}, ssthresh {note.Ssthresh}, MSS {note.Mss}", out int length)
            : Utf8.TryWrite(room, CultureInfo.InvariantCulture, $"cwnd {note.Cwnd}, ssthresh -, MSS {note.Mss}", out length);
        return isWritten ? room[..length] : default;
    }

    /// <summary>
    /// Records a packet that is about to be sent: what is recorded of it before <see cref="Close"/>, such as that a link dropped it,
    /// becomes a comment on this record and not a record of its own.
    /// </summary>
    internal void RecordOpen(Packet packet)
    {
        long before = Writer.Packets;
        Record(packet, isInbound: false);
        _open = Writer.Packets > before ? packet : null;
        _openNumber = Writer.Packets;
    }

    /// <summary>The packet has been sent; its object may be another packet from now on.</summary>
    internal void Close() => _open = null;
}
