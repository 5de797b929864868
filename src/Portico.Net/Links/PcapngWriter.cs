using System.Buffers.Binary;
using System.Text;

namespace Portico.Net;

/// <summary>Settings of a <see cref="PcapngWriter"/>.</summary>
public sealed class PcapngOptions
{
    /// <summary>Bytes that are collected before they go to the stream; at least 128 KiB, so that any packet fits.</summary>
    public int BufferBytes { get; init; } = 256 * 1024;

    /// <summary>The longest file; packets beyond it are not recorded, but counted.</summary>
    public long FileBytesMax { get; init; } = long.MaxValue;

    /// <summary>The Unix time, in nanoseconds, of the engine's <see cref="MonoTime.Zero"/>.</summary>
    public long UnixNanosecondsAtZero { get; init; }

    /// <summary>Whether each batch of packets goes to the stream at once, for a reader that reads along (tcpdump's -U).</summary>
    public bool PacketBuffered { get; init; }

    /// <summary>What the file says of its maker.</summary>
    public string Application { get; init; } = "portico";
}

/// <summary>Which way a packet went, with the values of the flags word in a packet block.</summary>
public enum PcapngDirection
{
    /// <summary>Not known.</summary>
    Unknown = 0,

    /// <summary>It was received.</summary>
    Inbound = 1,

    /// <summary>It was sent.</summary>
    Outbound = 2,
}

/// <summary>
/// Writes a pcapng file (draft-ietf-opsawg-pcapng) to a stream from outside: interfaces with names, times in nanoseconds, directions
/// and comments. Allocates nothing per packet. A stream that fails stops the recording, never the engine.
/// </summary>
public sealed class PcapngWriter
{
    private const uint SectionHeaderBlock = 0x0A0D0D0A;
    private const uint InterfaceDescriptionBlock = 1;
    private const uint EnhancedPacketBlock = 6;
    private const ushort EndOfOptions = 0;
    private const ushort CommentOption = 1;
    private const ushort InterfaceNameOption = 2;
    private const ushort FlagsOption = 2;
    private const ushort ApplicationOption = 4;
    private const ushort TimeResolutionOption = 9;
    private const ushort LinkTypeEthernet = 1;
    private const ushort LinkTypeRaw = 101;
    private const int PacketBytesMax = 96 * 1024;
    private const int PacketBlockOverheadMax = 4096;

    private static readonly byte[][] s_comments =
    [
        "retransmission (timeout)"u8.ToArray(),
        "fast retransmission"u8.ToArray(),
        "tail loss probe"u8.ToArray(),
        "window probe"u8.ToArray(),
        "keep-alive"u8.ToArray(),
        "challenge ACK"u8.ToArray(),
        "dropped by impairment: loss"u8.ToArray(),
        "dropped by impairment: queue full"u8.ToArray(),
        "duplicated by impairment"u8.ToArray(),
        "corrupted by impairment"u8.ToArray(),
        "reordered by impairment"u8.ToArray(),
        "retransmission (partial acknowledgment)"u8.ToArray(),
        "retransmission (smaller path MTU)"u8.ToArray(),
        "dropped by impairment: partition"u8.ToArray(),
    ];

    private readonly Stream _stream;
    private readonly byte[] _buffer;
    private readonly long _fileBytesMax;
    private readonly long _epoch;
    private int _used;
    private int _interfaceCount;

    /// <summary>Where the packet block that was written last begins; -1 where it is no longer the last thing in the buffer.</summary>
    private int _lastPacket = -1;

    /// <summary>Begins a file on <paramref name="stream"/>, which stays the caller's to close, after <see cref="Flush"/>.</summary>
    public PcapngWriter(Stream stream, PcapngOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        options ??= new PcapngOptions();
        _stream = stream;
        _buffer = new byte[Math.Max(options.BufferBytes, 128 * 1024)];
        _fileBytesMax = options.FileBytesMax;
        _epoch = options.UnixNanosecondsAtZero;
        PacketBuffered = options.PacketBuffered;
        WriteSectionHeader(options.Application);
    }

    /// <summary>Whether each batch of packets goes to the stream at once.</summary>
    public bool PacketBuffered { get; }

    /// <summary>Packets recorded.</summary>
    public long Packets { get; private set; }

    /// <summary>Packets not recorded: the file was full, the stream had failed, or the packet was longer than 96 KiB.</summary>
    public long Drops { get; private set; }

    /// <summary>Bytes of file so far.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>What the stream threw, after which nothing more is written.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>Describes one more interface and returns its number.</summary>
    public int AddInterface(string name, LinkKind kind)
    {
        ArgumentNullException.ThrowIfNull(name);
        byte[] nameBytes = Encoding.UTF8.GetBytes(name);
        int start = Begin(InterfaceDescriptionBlock, 64 + nameBytes.Length);
        Put16(kind == LinkKind.Ethernet ? LinkTypeEthernet : LinkTypeRaw);
        Put16(0);
        Put32(0);
        PutOption(InterfaceNameOption, nameBytes);
        PutOption(TimeResolutionOption, [9]);
        PutOption(EndOfOptions, []);
        End(start);
        return _interfaceCount++;
    }

    /// <summary>Records a packet as it is, with its notes and <paramref name="comment"/> (UTF-8, at most 1 KiB) as comments.</summary>
    public void Write(
        int interfaceId, MonoTime time, Packet packet, PcapngDirection direction, PacketNotes notes = PacketNotes.None,
        ReadOnlySpan<byte> comment = default)
    {
        ArgumentNullException.ThrowIfNull(packet);
        int length = packet.Length;
        if (Failure != null || length > PacketBytesMax || comment.Length > 1024 || BytesWritten + length + 64 > _fileBytesMax)
        {
            Drops++;
            return;
        }

        int start = Begin(EnhancedPacketBlock, length + PacketBlockOverheadMax);
        ulong timestamp = (ulong)(time.Nanoseconds + _epoch);
        Put32((uint)interfaceId);
        Put32((uint)(timestamp >> 32));
        Put32((uint)timestamp);
        Put32((uint)length);
        Put32((uint)length);
        packet.CopyTo(_buffer.AsSpan(_used, length));
        _used += length;
        Pad();
        PutOptionHeader(FlagsOption, 4);
        Put32((uint)direction);
        if (notes != PacketNotes.None)
        {
            PutNotes(notes);
        }

        if (!comment.IsEmpty)
        {
            PutOption(CommentOption, comment);
        }

        PutOption(EndOfOptions, []);
        End(start);
        _lastPacket = start;
        Packets++;
    }

    /// <summary>
    /// Adds a comment (UTF-8, at most 1 KiB) to the packet that was recorded last, as what becomes of a packet is known only later.
    /// False where it has gone to the stream already.
    /// </summary>
    public bool AddComment(ReadOnlySpan<byte> comment)
    {
        const int EndBytes = 8;
        if (_lastPacket < 0 || comment.Length > 1024 || _used + comment.Length + EndBytes > _buffer.Length)
        {
            return false;
        }

        BytesWritten -= _used - _lastPacket;
        _used -= EndBytes;
        PutOption(CommentOption, comment);
        PutOption(EndOfOptions, []);
        End(_lastPacket);
        return true;
    }

    /// <summary>Hands what has been collected to the stream, and flushes that.</summary>
    public void Flush()
    {
        WriteOut();
        if (Failure == null)
        {
            try
            {
                _stream.Flush();
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or NotSupportedException)
            {
                Failure = e;
            }
        }
    }

    /// <summary>The same for notes.</summary>
    internal bool AddComments(PacketNotes notes)
    {
        bool all = true;
        for (int i = 0; i < s_comments.Length; i++)
        {
            all &= ((int)notes >> i & 1) == 0 || AddComment(s_comments[i]);
        }

        return all;
    }

    private void WriteOut()
    {
        if (_used > 0 && Failure == null)
        {
            try
            {
                _stream.Write(_buffer.AsSpan(0, _used));
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException or NotSupportedException)
            {
                Failure = e;
            }
        }

        _used = 0;
        _lastPacket = -1;
    }

    private void WriteSectionHeader(string application)
    {
        byte[] applicationBytes = Encoding.UTF8.GetBytes(application);
        int start = Begin(SectionHeaderBlock, 64 + applicationBytes.Length);
        Put32(0x1A2B3C4D);
        Put16(1);
        Put16(0);
        Put32(uint.MaxValue);
        Put32(uint.MaxValue);
        PutOption(ApplicationOption, applicationBytes);
        PutOption(EndOfOptions, []);
        End(start);
    }

    private void PutNotes(PacketNotes notes)
    {
        for (int i = 0; i < s_comments.Length; i++)
        {
            if (((int)notes >> i & 1) != 0)
            {
                PutOption(CommentOption, s_comments[i]);
            }
        }
    }

    /// <summary>What notes say, as the comments have it.</summary>
    public static IEnumerable<string> CommentsOf(PacketNotes notes) =>
        Enumerable.Range(0, s_comments.Length).Where(i => ((int)notes >> i & 1) != 0).Select(i => Encoding.UTF8.GetString(s_comments[i]));

    private int Begin(uint type, int bytesMax)
    {
        if (_used + bytesMax > _buffer.Length)
        {
            WriteOut();
        }

        _lastPacket = -1;
        int start = _used;
        Put32(type);
        Put32(0);
        return start;
    }

    private void End(int start)
    {
        int length = _used + 4 - start;
        Put32((uint)length);
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(start + 4), (uint)length);
        BytesWritten += length;
    }

    private void PutOption(ushort code, ReadOnlySpan<byte> value)
    {
        PutOptionHeader(code, value.Length);
        value.CopyTo(_buffer.AsSpan(_used));
        _used += value.Length;
        Pad();
    }

    private void PutOptionHeader(ushort code, int length)
    {
        Put16(code);
        Put16((ushort)length);
    }

    private void Pad()
    {
        while ((_used & 3) != 0)
        {
            _buffer[_used++] = 0;
        }
    }

    private void Put16(ushort value)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(_buffer.AsSpan(_used), value);
        _used += 2;
    }

    private void Put32(uint value)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(_buffer.AsSpan(_used), value);
        _used += 4;
    }
}
