using System.Buffers.Binary;
using System.Text;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A packet of a capture. <paramref name="Time"/> is in nanoseconds since the epoch of the file.</summary>
internal sealed record CapturedPacket(
    int Number, int Interface, long Time, PcapngDirection Direction, int LinkType, byte[] Bytes, IReadOnlyList<string> Comments);

/// <summary>
/// Reads capture files: pcapng (draft-ietf-opsawg-pcapng) and the older pcap, of either byte order. A file that ends in the middle of a
/// packet, as that of a run that was killed does, counts as far as it goes.
/// </summary>
internal sealed class CaptureFile
{
    private const uint SectionHeaderBlock = 0x0A0D0D0A;
    private const uint ByteOrderMagic = 0x1A2B3C4D;
    private const uint PcapMicroseconds = 0xA1B2C3D4;
    private const uint PcapNanoseconds = 0xA1B23C4D;
    private const int BlockBytesMax = 16 * 1024 * 1024;
    private const int PcapHeaderBytes = 24;

    private readonly ReadOnlyMemory<byte> _file;
    private readonly List<CapturedPacket> _packets = [];
    private readonly List<CaptureInterface> _interfaces = [];
    private int _sectionStart;
    private bool _isBigEndian;

    private CaptureFile(ReadOnlyMemory<byte> file) => _file = file;

    /// <summary>Where packets were recorded: a name, the kind of link, and how many nanoseconds a unit of its times stands for.</summary>
    public IReadOnlyList<CaptureInterface> Interfaces => _interfaces;

    /// <summary>The packets in the order of the file.</summary>
    public IReadOnlyList<CapturedPacket> Packets => _packets;

    /// <summary>Throws <see cref="InvalidDataException"/> with the offset of what is not as the format has it.</summary>
    public static CaptureFile Read(ReadOnlyMemory<byte> file)
    {
        CaptureFile capture = new(file);
        if (file.Length < 8)
        {
            throw new InvalidDataException("is no capture: it has fewer than 8 bytes");
        }

        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(file.Span);
        if (magic == SectionHeaderBlock)
        {
            capture.ReadBlocks();
        }
        else
        {
            capture.ReadPcap();
        }

        return capture;
    }

    private void ReadBlocks()
    {
        int position = 0;
        while (_file.Length - position >= 12)
        {
            ReadOnlySpan<byte> rest = _file.Span[position..];
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            if (type == SectionHeaderBlock)
            {
                BeginSection(rest, position);
            }

            int length = (int)Math.Min(Read32(rest[4..]), int.MaxValue);
            if (length < 12 || (length & 3) != 0 || length > BlockBytesMax)
            {
                throw Broken(position, $"a block of {length} bytes");
            }

            if (length > rest.Length)
            {
                return;
            }

            ReadBlock(_isBigEndian ? BinaryPrimitives.ReverseEndianness(type) : type, rest[8..(length - 4)], position);
            position += length;
        }
    }

    private void BeginSection(ReadOnlySpan<byte> block, int position)
    {
        uint order = BinaryPrimitives.ReadUInt32LittleEndian(block[8..]);
        _isBigEndian = order switch
        {
            ByteOrderMagic => false,
            _ when BinaryPrimitives.ReverseEndianness(order) == ByteOrderMagic => true,
            _ => throw Broken(position, "a section without its byte order"),
        };
        _sectionStart = _interfaces.Count;
    }

    private void ReadBlock(uint type, ReadOnlySpan<byte> body, int position)
    {
        switch (type)
        {
            case 1:
                ReadInterface(body, position);
                break;
            case 6:
                ReadEnhancedPacket(body, position);
                break;
            case 3:
                ReadSimplePacket(body, position);
                break;
        }
    }

    private void ReadInterface(ReadOnlySpan<byte> body, int position)
    {
        Need(body, 8, position);
        string name = $"interface {_interfaces.Count}";
        double unit = 1_000;
        foreach ((int code, Range value) in Options(body, 8))
        {
            switch (code)
            {
                case 2:
                    name = Encoding.UTF8.GetString(body[value]);
                    break;
                case 9 when body[value].Length > 0:
                    byte resolution = body[value][0];
                    unit = 1e9 / ((resolution & 0x80) != 0 ? Math.Pow(2, resolution & 0x7F) : Math.Pow(10, resolution));
                    break;
            }
        }

        _interfaces.Add(new CaptureInterface(name, Read16(body), unit));
    }

    private void ReadEnhancedPacket(ReadOnlySpan<byte> body, int position)
    {
        Need(body, 20, position);
        long index = _sectionStart + Read32(body);
        if (index >= _interfaces.Count)
        {
            throw Broken(position, "a packet of an interface that was not described");
        }

        ulong ticks = ((ulong)Read32(body[4..]) << 32) | Read32(body[8..]);
        int captured = (int)Math.Min(Read32(body[12..]), int.MaxValue - 64);
        Need(body, 20 + captured, position);
        PcapngDirection direction = PcapngDirection.Unknown;
        List<string> comments = [];
        foreach ((int code, Range value) in Options(body, 20 + ((captured + 3) & ~3)))
        {
            switch (code)
            {
                case 1:
                    comments.Add(Encoding.UTF8.GetString(body[value]));
                    break;
                case 2 when body[value].Length >= 4:
                    direction = (PcapngDirection)(Read32(body[value]) & 3);
                    break;
            }
        }

        Add((int)index, (long)(ticks * _interfaces[(int)index].NanosecondsPerUnit), direction, body.Slice(20, captured), comments);
    }

    private void ReadSimplePacket(ReadOnlySpan<byte> body, int position)
    {
        Need(body, 4, position);
        if (_interfaces.Count == _sectionStart)
        {
            throw Broken(position, "a packet of an interface that was not described");
        }

        // It has no time of its own: the last packet's.
        int length = (int)Math.Min(Read32(body), (uint)(body.Length - 4));
        Add(_sectionStart, _packets.Count == 0 ? 0 : _packets[^1].Time, PcapngDirection.Unknown, body.Slice(4, length), []);
    }

    private void ReadPcap()
    {
        ReadOnlySpan<byte> file = _file.Span;
        uint magic = BinaryPrimitives.ReadUInt32LittleEndian(file);
        _isBigEndian = magic is not (PcapMicroseconds or PcapNanoseconds);
        magic = _isBigEndian ? BinaryPrimitives.ReverseEndianness(magic) : magic;
        if (magic is not (PcapMicroseconds or PcapNanoseconds) || file.Length < PcapHeaderBytes)
        {
            throw new InvalidDataException("is neither pcapng nor pcap");
        }

        long unit = magic == PcapNanoseconds ? 1 : 1_000;
        _interfaces.Add(new CaptureInterface("pcap", (int)(Read32(file[20..]) & 0xFFFF), unit));
        for (int position = PcapHeaderBytes; file.Length - position >= 16;)
        {
            ReadOnlySpan<byte> header = file.Slice(position, 16);
            uint captured = Read32(header[8..]);
            if (captured > BlockBytesMax)
            {
                throw Broken(position, $"a packet of {captured} bytes");
            }

            if (captured > file.Length - position - 16)
            {
                return;
            }

            long time = (Read32(header) * 1_000_000_000L) + (Read32(header[4..]) * unit);
            Add(0, time, PcapngDirection.Unknown, file.Slice(position + 16, (int)captured), []);
            position += 16 + (int)captured;
        }
    }

    private void Add(int index, long time, PcapngDirection direction, ReadOnlySpan<byte> bytes, IReadOnlyList<string> comments) =>
        _packets.Add(new CapturedPacket(
            _packets.Count + 1, index, time, direction, _interfaces[index].LinkType, bytes.ToArray(), comments));

    /// <summary>The options from <paramref name="start"/> on; what is cut off is left out.</summary>
    private List<(int Code, Range Value)> Options(ReadOnlySpan<byte> body, int start)
    {
        List<(int, Range)> options = [];
        while (body.Length - start >= 4)
        {
            int code = Read16(body[start..]);
            int length = Read16(body[(start + 2)..]);
            if (code == 0 || length > body.Length - start - 4)
            {
                break;
            }

            options.Add((code, (start + 4)..(start + 4 + length)));
            start += 4 + ((length + 3) & ~3);
        }

        return options;
    }

    private ushort Read16(ReadOnlySpan<byte> bytes) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes);

    private uint Read32(ReadOnlySpan<byte> bytes) =>
        _isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes);

    private static void Need(ReadOnlySpan<byte> body, int bytes, int position)
    {
        if (body.Length < bytes)
        {
            throw Broken(position, $"a block that is shorter than the {bytes + 12} bytes that it needs");
        }
    }

    private static InvalidDataException Broken(int position, string what) => new($"at byte {position}: {what}");
}

/// <summary>Where packets were recorded.</summary>
internal sealed record CaptureInterface(string Name, int LinkType, double NanosecondsPerUnit);
