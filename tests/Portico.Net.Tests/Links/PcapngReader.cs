using System.Buffers.Binary;
using System.Text;

namespace Portico.Net.Tests.Links;

/// <summary>Reads back what PcapngWriter writes; fails on anything that the format does not allow.</summary>
internal sealed class PcapngReader
{
    public sealed record Interface(string Name, int LinkType, int TimeResolution);

    public sealed record Record(int InterfaceId, ulong Time, byte[] Data, uint Flags, string[] Comments);

    public List<Interface> Interfaces { get; } = [];

    public List<Record> Packets { get; } = [];

    public string Application { get; private set; } = "";

    public static PcapngReader Read(byte[] file)
    {
        PcapngReader reader = new();
        int position = 0;
        bool isFirst = true;
        while (position < file.Length)
        {
            ReadOnlySpan<byte> rest = file.AsSpan(position);
            uint type = BinaryPrimitives.ReadUInt32LittleEndian(rest);
            int length = BinaryPrimitives.ReadInt32LittleEndian(rest[4..]);
            Assert.Equal(0, length & 3);
            Assert.Equal(length, BinaryPrimitives.ReadInt32LittleEndian(rest[(length - 4)..]));
            Assert.Equal(isFirst, type == 0x0A0D0D0A);
            isFirst = false;
            reader.ReadBlock(type, rest[8..(length - 4)]);
            position += length;
        }

        return reader;
    }

    private void ReadBlock(uint type, ReadOnlySpan<byte> body)
    {
        if (type == 0x0A0D0D0A)
        {
            Assert.Equal(0x1A2B3C4Du, BinaryPrimitives.ReadUInt32LittleEndian(body));
            Assert.Equal(1, BinaryPrimitives.ReadUInt16LittleEndian(body[4..]));
            Application = Encoding.UTF8.GetString(Options(body[16..]).Single(o => o.Code == 4).Value);
        }
        else if (type == 1)
        {
            List<(int Code, byte[] Value)> options = Options(body[8..]);
            Interfaces.Add(new Interface(
                Encoding.UTF8.GetString(options.Single(o => o.Code == 2).Value),
                BinaryPrimitives.ReadUInt16LittleEndian(body),
                options.Single(o => o.Code == 9).Value[0]));
        }
        else
        {
            Assert.Equal(6u, type);
            ulong high = BinaryPrimitives.ReadUInt32LittleEndian(body[4..]);
            ulong time = (high << 32) | BinaryPrimitives.ReadUInt32LittleEndian(body[8..]);
            int captured = BinaryPrimitives.ReadInt32LittleEndian(body[12..]);
            Assert.Equal(captured, BinaryPrimitives.ReadInt32LittleEndian(body[16..]));
            List<(int Code, byte[] Value)> options = Options(body[(20 + ((captured + 3) & ~3))..]);
            Packets.Add(new Record(
                BinaryPrimitives.ReadInt32LittleEndian(body),
                time,
                body.Slice(20, captured).ToArray(),
                BinaryPrimitives.ReadUInt32LittleEndian(options.Single(o => o.Code == 2).Value),
                [.. options.Where(o => o.Code == 1).Select(o => Encoding.UTF8.GetString(o.Value))]));
        }
    }

    private static List<(int Code, byte[] Value)> Options(ReadOnlySpan<byte> bytes)
    {
        List<(int Code, byte[] Value)> options = [];
        while (true)
        {
            int code = BinaryPrimitives.ReadUInt16LittleEndian(bytes);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(bytes[2..]);
            if (code == 0)
            {
                Assert.Equal(4, bytes.Length);
                return options;
            }

            options.Add((code, bytes.Slice(4, length).ToArray()));
            bytes = bytes[(4 + ((length + 3) & ~3))..];
        }
    }
}
