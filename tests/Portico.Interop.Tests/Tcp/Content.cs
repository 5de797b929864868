using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Portico.Interop.Tests.Tcp;

/// <summary>An endless stream of bytes from a seed, in which no place is like another.</summary>
public sealed class Content(ulong seed)
{
    private ulong _state = (seed + 1) * 0x9E37_79B9_7F4A_7C15;

    /// <summary>The next bytes; a multiple of eight, except for the last.</summary>
    public void Fill(Span<byte> bytes)
    {
        Span<ulong> words = MemoryMarshal.Cast<byte, ulong>(bytes);
        for (int i = 0; i < words.Length; i++)
        {
            words[i] = Next();
        }

        if (bytes.Length % 8 != 0)
        {
            Span<byte> last = stackalloc byte[8];
            MemoryMarshal.Write(last, Next());
            last[..(bytes.Length % 8)].CopyTo(bytes[(words.Length * 8)..]);
        }
    }

    /// <summary>The first bytes.</summary>
    public static byte[] Bytes(ulong seed, int length)
    {
        byte[] bytes = new byte[length];
        new Content(seed).Fill(bytes);
        return bytes;
    }

    public static string Hash(ReadOnlySpan<byte> bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

    private ulong Next()
    {
        _state ^= _state << 13;
        _state ^= _state >> 7;
        _state ^= _state << 17;
        return _state;
    }
}
