using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>MD5 (RFC 1321), for TCP's signatures (RFC 2385) alone: nothing else should rely on it.</summary>
internal struct Md5
{
    public const int HashBytes = 16;
    private const int BlockBytes = 64;

    private static ReadOnlySpan<byte> Shifts => [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];

    /// <summary>floor(2^32 * |sin(i + 1)|).</summary>
    private static readonly uint[] s_sines = [.. Enumerable.Range(1, 64).Select(static i => (uint)(4294967296.0 * Math.Abs(Math.Sin(i))))];

    [InlineArray(BlockBytes)]
    private struct BlockBuffer
    {
        private byte _first;
    }

    private BlockBuffer _block;
    private ulong _length;
    private uint _a;
    private uint _b;
    private uint _c;
    private uint _d;

    public Md5()
    {
        _a = 0x67452301;
        _b = 0xEFCDAB89;
        _c = 0x98BADCFE;
        _d = 0x10325476;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        Span<byte> block = _block;
        int used = (int)(_length % BlockBytes);
        _length += (ulong)bytes.Length;
        if (used > 0)
        {
            int count = Math.Min(BlockBytes - used, bytes.Length);
            bytes[..count].CopyTo(block[used..]);
            bytes = bytes[count..];
            if (used + count < BlockBytes)
            {
                return;
            }

            Compress(block);
        }

        for (; bytes.Length >= BlockBytes; bytes = bytes[BlockBytes..])
        {
            Compress(bytes);
        }

        bytes.CopyTo(block);
    }

    public void Finish(Span<byte> hash)
    {
        Span<byte> block = _block;
        int used = (int)(_length % BlockBytes);
        block[used++] = 0x80;
        block[used..].Clear();
        if (used > BlockBytes - sizeof(ulong))
        {
            Compress(block);
            block.Clear();
        }

        BinaryPrimitives.WriteUInt64LittleEndian(block[(BlockBytes - sizeof(ulong))..], _length * 8);
        Compress(block);
        BinaryPrimitives.WriteUInt32LittleEndian(hash, _a);
        BinaryPrimitives.WriteUInt32LittleEndian(hash[4..], _b);
        BinaryPrimitives.WriteUInt32LittleEndian(hash[8..], _c);
        BinaryPrimitives.WriteUInt32LittleEndian(hash[12..], _d);
    }

    private void Compress(ReadOnlySpan<byte> block)
    {
        uint a = _a;
        uint b = _b;
        uint c = _c;
        uint d = _d;
        for (int i = 0; i < BlockBytes; i++)
        {
            // Four rounds of 16 steps, each with its function and its order of the words.
            (uint mixed, int word) = (i >> 4) switch
            {
                0 => ((b & c) | (~b & d), i),
                1 => ((d & b) | (~d & c), ((5 * i) + 1) & 15),
                2 => (b ^ c ^ d, ((3 * i) + 5) & 15),
                _ => (c ^ (b | ~d), (7 * i) & 15),
            };
            uint sum = a + mixed + s_sines[i] + BinaryPrimitives.ReadUInt32LittleEndian(block[(4 * word)..]);
            (a, d, c, b) = (d, c, b, b + BitOperations.RotateLeft(sum, Shifts[((i >> 4) * 4) + (i & 3)]));
        }

        _a += a;
        _b += b;
        _c += c;
        _d += d;
    }
}
