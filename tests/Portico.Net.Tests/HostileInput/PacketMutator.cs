using System.Buffers.Binary;

namespace Portico.Net.Tests.HostileInput;

/// <summary>Damages a valid packet where parsers look: lengths, counts, offsets, types and option lists.</summary>
public sealed class PacketMutator(RandomSource random)
{
    private static readonly byte[] s_bytes = [0, 1, 2, 3, 4, 7, 8, 15, 16, 40, 44, 59, 60, 0x7F, 0x80, 0xFE, 0xFF];
    private static readonly ushort[] s_words = 
    [
        0, 1, 4, 7, 8, 9, 19, 20, 21, 28, 40, 576, 1280, 1500, 0x1FFF, 0x2000, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF,
    ];

    /// <summary>Makes 1 to 4 changes, then mostly sums up again, so that the damage gets past the checksums.</summary>
    public void Mutate(HostileFrame frame)
    {
        uint changes = 1 + (random.NextBelow(4) == 0 ? random.NextBelow(4) : 0);
        for (uint i = 0; i < changes && frame.Length > 0; i++)
        {
            Change(frame);
        }

        if (random.NextBelow(16) != 0)
        {
            ChecksumFixer.Fix(frame);
        }
    }

    private void Change(HostileFrame frame)
    {
        switch (random.NextBelow(16))
        {
            case 0:
            case 1:
                frame.Buffer[Header(frame)] ^= (byte)(1 << (int)random.NextBelow(8));
                break;
            case 2:
            case 3:
            case 4:
                frame.Buffer[Header(frame)] = s_bytes[random.NextBelow((uint)s_bytes.Length)];
                break;
            case 5:
                frame.Buffer[Header(frame)] = (byte)random.NextUInt32();
                break;
            case 6:
            case 7:
                Put16(frame, Header(frame) & ~1, s_words[random.NextBelow((uint)s_words.Length)]);
                break;
            case 8:
                Put16(frame, Header(frame) & ~1, (ushort)(frame.Length - frame.TransportOffset + (int)random.NextBelow(5) - 2));
                break;
            case 9:
                Put32(frame, Header(frame) & ~3, random.NextBelow(2) == 0 ? random.NextUInt32() : 0x8000_0000u - random.NextBelow(2));
                break;
            case 10:
                ChangeLengthField(frame);
                break;
            case 11:
                frame.Length = (int)random.NextBelow((uint)frame.Length + 1);
                break;
            case 12:
                Fill(frame.Add((int)random.NextBelow(40)));
                break;
            case 13:
                CutOut(frame);
                break;
            case 14:
                WriteOptions(frame);
                break;
            default:
                frame.Buffer[(int)random.NextBelow((uint)frame.Length)] ^= (byte)(1 << (int)random.NextBelow(8));
                break;
        }
    }

    /// <summary>A position in the headers or shortly behind them.</summary>
    private int Header(HostileFrame frame)
    {
        int end = Math.Min(frame.Length, frame.PayloadOffset + 8);
        int begin = random.NextBelow(8) == 0 ? 0 : random.NextBelow(2) == 0 ? frame.NetworkOffset : frame.TransportOffset;
        return begin >= end ? (int)random.NextBelow((uint)frame.Length) : begin + (int)random.NextBelow((uint)(end - begin));
    }

    /// <summary>The fields that say how long something is, by their places in the headers.</summary>
    private void ChangeLengthField(HostileFrame frame)
    {
        int network = frame.NetworkOffset, transport = frame.TransportOffset;
        if (frame.Length < transport + 14 || frame.Length < network + 20)
        {
            return;
        }

        bool ipv4 = frame.Buffer[network] >> 4 == 4;
        switch (random.NextBelow(4))
        {
            case 0 when ipv4:
                frame.Buffer[network] = (byte)(0x40 | random.NextBelow(16));
                break;
            case 1 when ipv4:
                Put16(frame, network + 2, Nearly(frame.Length - network));
                break;
            case 1:
                Put16(frame, network + 4, Nearly(frame.Length - network - 40));
                break;
            case 2:
                frame.Buffer[transport + 12] = (byte)(random.NextBelow(16) << 4);
                break;
            default:
                Put16(frame, transport + 4, Nearly(frame.Length - transport));
                break;
        }
    }

    private ushort Nearly(int value) => random.NextBelow(3) == 0
        ? s_words[random.NextBelow((uint)s_words.Length)]
        : (ushort)(value + (int)random.NextBelow(9) - 4);

    private void CutOut(HostileFrame frame)
    {
        int at = Header(frame);
        int count = Math.Min((int)random.NextBelow(16), frame.Length - at);
        Buffer.BlockCopy(frame.Buffer, at + count, frame.Buffer, at, frame.Length - at - count);
        frame.Length -= count;
    }

    /// <summary>Lays kind-length-value options, some with wrong lengths, over bytes behind some header.</summary>
    private void WriteOptions(HostileFrame frame)
    {
        int at = Math.Min(random.NextBelow(2) == 0 ? frame.TransportOffset + 20 : frame.NetworkOffset + 20, frame.Length);
        int end = Math.Min(frame.Length, at + 40);
        while (at + 2 <= end)
        {
            frame.Buffer[at] = random.NextBelow(2) == 0 ? s_bytes[random.NextBelow((uint)s_bytes.Length)] : (byte)random.NextUInt32();
            int length = random.NextBelow(4) == 0 ? s_bytes[random.NextBelow((uint)s_bytes.Length)] : 2 + (int)random.NextBelow(10);
            frame.Buffer[at + 1] = (byte)length;
            at += Math.Max(1, length);
        }
    }

    private void Fill(Span<byte> bytes)
    {
        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)random.NextUInt32();
        }
    }

    private static void Put16(HostileFrame frame, int at, ushort value)
    {
        if (at >= 0 && at + 2 <= frame.Length)
        {
            BinaryPrimitives.WriteUInt16BigEndian(frame.Buffer.AsSpan(at), value);
        }
    }

    private static void Put32(HostileFrame frame, int at, uint value)
    {
        if (at >= 0 && at + 4 <= frame.Length)
        {
            BinaryPrimitives.WriteUInt32BigEndian(frame.Buffer.AsSpan(at), value);
        }
    }
}
