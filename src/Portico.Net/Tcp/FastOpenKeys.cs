using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>A Fast Open cookie as it stands in a SYN (RFC 7413 4.1.1).</summary>
internal struct FastOpenCookie
{
    /// <summary>Bytes of the shortest cookie.</summary>
    public const int BytesMin = 4;

    /// <summary>Bytes of the longest one.</summary>
    public const int BytesMax = 16;

    /// <summary>Bytes of those that this stack makes.</summary>
    public const int BytesOwn = 8;

    [InlineArray(BytesMax)]
    private struct Storage
    {
        private byte _first;
    }

    private Storage _bytes;

    public FastOpenCookie(ReadOnlySpan<byte> bytes, bool isExperimental)
    {
        bytes.CopyTo(_bytes);
        Length = (sbyte)bytes.Length;
        IsExperimental = isExperimental;
    }

    /// <summary>No option at all.</summary>
    public static FastOpenCookie Absent => new() { Length = -1 };

    /// <summary>Bytes of the cookie: 0 asks for one, -1 stands for no option.</summary>
    public sbyte Length { get; set; }

    /// <summary>Whether it is in the experimental option: kind 254 with the number 0xF989 (RFC 6994).</summary>
    public bool IsExperimental { get; set; }

    [UnscopedRef]
    public readonly ReadOnlySpan<byte> Bytes => ((ReadOnlySpan<byte>)_bytes)[..Math.Max(0, (int)Length)];
}

/// <summary>The server's one or two keys (tcp_fastopen_key, TCP_FASTOPEN_KEY): cookies are made with the first and accepted from both.</summary>
internal struct FastOpenKeys
{
    public const int KeyBytes = 16;
    private SipKey _primary;
    private SipKey _backup;

    /// <summary>One key or two, of 16 bytes each.</summary>
    public FastOpenKeys(ReadOnlySpan<byte> keys)
    {
        _primary = Read(keys);
        Count = keys.Length / KeyBytes;
        _backup = Count > 1 ? Read(keys[KeyBytes..]) : default;
    }

    public static FastOpenKeys From(RandomSource random) => new() { _primary = SipKey.From(random), Count = 1 };

    /// <summary>How many keys there are; 0 before there is any.</summary>
    public int Count { get; private set; }

    /// <summary>SipHash-2-4 of source and destination of the SYN, as Linux makes cookies.</summary>
    public readonly FastOpenCookie Make(in IpAddress source, in IpAddress destination) => Make(_primary, source, destination);

    /// <summary>
    /// Whether a cookie is ours: 1 for one of the first key, 2 for one of the second, which is to be replaced, and 0 otherwise.
    /// </summary>
    public readonly int Check(in FastOpenCookie cookie, in IpAddress source, in IpAddress destination) =>
        cookie.Bytes.SequenceEqual(Make(_primary, source, destination).Bytes) ? 1
        : Count > 1 && cookie.Bytes.SequenceEqual(Make(_backup, source, destination).Bytes) ? 2
        : 0;

    /// <summary>The text of the setting: four words of hexadecimal digits for each key.</summary>
    public override readonly string ToString() =>
        Count > 1 ? $"{Format(_primary)},{Format(_backup)}" : Format(_primary);

    /// <summary>Reads that text. False where it is not one.</summary>
    public static bool TryParse(string text, out FastOpenKeys keys)
    {
        keys = default;
        Span<byte> bytes = stackalloc byte[2 * KeyBytes];
        string[] parts = text.Trim().Split(',');
        if (parts.Length > 2)
        {
            return false;
        }

        for (int i = 0; i < parts.Length; i++)
        {
            string[] words = parts[i].Split('-');
            if (words.Length != 4)
            {
                return false;
            }

            for (int j = 0; j < words.Length; j++)
            {
                if (!uint.TryParse(words[j], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint word))
                {
                    return false;
                }

                BinaryPrimitives.WriteUInt32LittleEndian(bytes[((i * KeyBytes) + (j * sizeof(uint)))..], word);
            }
        }

        keys = new FastOpenKeys(bytes[..(parts.Length * KeyBytes)]);
        return true;
    }

    private static SipKey Read(ReadOnlySpan<byte> key) =>
        new(BinaryPrimitives.ReadUInt64LittleEndian(key), BinaryPrimitives.ReadUInt64LittleEndian(key[8..]));

    private static FastOpenCookie Make(in SipKey key, in IpAddress source, in IpAddress destination)
    {
        Span<byte> message = stackalloc byte[32];
        Span<byte> cookie = stackalloc byte[FastOpenCookie.BytesOwn];
        int length = 8;
        if (source.IsIpv4)
        {
            source.WriteIpv4(message);
            destination.WriteIpv4(message[4..]);
        }
        else
        {
            source.WriteIpv6(message);
            destination.WriteIpv6(message[16..]);
            length = 32;
        }

        BinaryPrimitives.WriteUInt64LittleEndian(cookie, SipHash.Hash24(key, message[..length]));
        return new FastOpenCookie(cookie, isExperimental: false);
    }

    private static string Format(in SipKey key) => string.Create(
        CultureInfo.InvariantCulture,
        $"{(uint)key.K0:x8}-{(uint)(key.K0 >> 32):x8}-{(uint)key.K1:x8}-{(uint)(key.K1 >> 32):x8}");
}
