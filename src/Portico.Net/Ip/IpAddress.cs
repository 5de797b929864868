using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>
/// An IPv4 or IPv6 address in 16 bytes. IPv4 addresses are held in their IPv4-mapped form (RFC 4291 2.5.5.2), so that one code path
/// and one table serve both families.
/// </summary>
public readonly struct IpAddress : IEquatable<IpAddress>, IComparable<IpAddress>, ISpanFormattable
{
    private const ulong MappedPrefix = 0x0000_FFFF_0000_0000;
    private readonly ulong _high;
    private readonly ulong _low;

    /// <summary>Makes an address from the two halves of its 128 bits, most significant first.</summary>
    public IpAddress(ulong high, ulong low)
    {
        _high = high;
        _low = low;
    }

    /// <summary>The unspecified IPv6 address, <c>::</c>.</summary>
    public static IpAddress AnyIpv6 => default;

    /// <summary>The unspecified IPv4 address, <c>0.0.0.0</c>.</summary>
    public static IpAddress AnyIpv4 => FromIpv4(0);

    /// <summary>127.0.0.1.</summary>
    public static IpAddress LoopbackIpv4 => FromIpv4(0x7F00_0001);

    /// <summary>::1.</summary>
    public static IpAddress LoopbackIpv6 => new(0, 1);

    /// <summary>255.255.255.255.</summary>
    public static IpAddress BroadcastIpv4 => FromIpv4(0xFFFF_FFFF);

    /// <summary>The most significant 64 bits.</summary>
    public ulong High => _high;

    /// <summary>The least significant 64 bits.</summary>
    public ulong Low => _low;

    /// <summary>Whether this is an IPv4 address (held as ::ffff:a.b.c.d).</summary>
    public bool IsIpv4 => _high == 0 && (_low >> 32) == 0xFFFF;

    /// <summary>The 32 bits of an IPv4 address, in host order; meaningless for IPv6.</summary>
    public uint Ipv4Value => (uint)_low;

    /// <summary>Whether this is 0.0.0.0 or ::.</summary>
    public bool IsUnspecified => _high == 0 && (_low == 0 || _low == MappedPrefix);

    /// <summary>Whether this is in 127.0.0.0/8 or is ::1.</summary>
    public bool IsLoopback => IsIpv4 ? (_low & 0xFF00_0000) == 0x7F00_0000 : _high == 0 && _low == 1;

    /// <summary>Whether this is in 224.0.0.0/4 or ff00::/8.</summary>
    public bool IsMulticast => IsIpv4 ? (_low & 0xF000_0000) == 0xE000_0000 : (_high >> 56) == 0xFF;

    /// <summary>Whether this is in 169.254.0.0/16 or fe80::/10.</summary>
    public bool IsLinkLocal => IsIpv4 ? (_low & 0xFFFF_0000) == 0xA9FE_0000 : (_high >> 54) == 0x3FA;

    /// <summary>Whether this is the limited broadcast address 255.255.255.255.</summary>
    public bool IsLimitedBroadcast => IsIpv4 && Ipv4Value == 0xFFFF_FFFF;

    /// <summary>Length of the address on the wire: 4 or 16.</summary>
    public int WireLength => IsIpv4 ? 4 : 16;

    /// <summary>Makes an IPv4 address from its 32 bits in host order.</summary>
    public static IpAddress FromIpv4(uint value) => new(0, MappedPrefix | value);

    /// <summary>Makes an IPv4 address from its four bytes.</summary>
    public static IpAddress FromIpv4(byte a, byte b, byte c, byte d) => FromIpv4(((uint)a << 24) | ((uint)b << 16) | ((uint)c << 8) | d);

    /// <summary>Reads 4 bytes of an IPv4 header.</summary>
    public static IpAddress ReadIpv4(ReadOnlySpan<byte> bytes) => FromIpv4(BinaryPrimitives.ReadUInt32BigEndian(bytes));

    /// <summary>Reads 16 bytes of an IPv6 header.</summary>
    public static IpAddress ReadIpv6(ReadOnlySpan<byte> bytes) =>
        new(BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]));

    /// <summary>Writes the 4 bytes of an IPv4 address.</summary>
    public void WriteIpv4(Span<byte> destination) => BinaryPrimitives.WriteUInt32BigEndian(destination, Ipv4Value);

    /// <summary>Writes all 16 bytes (the mapped form for IPv4).</summary>
    public void WriteIpv6(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt64BigEndian(destination, _high);
        BinaryPrimitives.WriteUInt64BigEndian(destination[8..], _low);
    }

    /// <summary>Converts from the BCL's address; a scope identifier is not kept.</summary>
    public static IpAddress From(IPAddress address)
    {
        ArgumentNullException.ThrowIfNull(address);
        Span<byte> bytes = stackalloc byte[16];
        address.TryWriteBytes(bytes, out int written);
        return written == 4 ? ReadIpv4(bytes) : ReadIpv6(bytes);
    }

    /// <summary>Converts to the BCL's address, IPv4 as <see cref="AddressFamily.InterNetwork"/>.</summary>
    public IPAddress ToIPAddress()
    {
        Span<byte> bytes = stackalloc byte[16];
        if (IsIpv4)
        {
            WriteIpv4(bytes);
            return new IPAddress(bytes[..4]);
        }

        WriteIpv6(bytes);
        return new IPAddress(bytes);
    }

    /// <summary>Parses an address in textual form (RFC 4291 2.2 or dotted decimal).</summary>
    public static IpAddress Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out IpAddress address) ? address : throw new FormatException($"not an IP address: '{text}'");

    /// <summary>Parses an address; dotted decimal needs all four parts, so that "1" is not an address here.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out IpAddress address)
    {
        address = default;
        bool ipv4 = text.IndexOf(':') < 0;
        if ((ipv4 && text.Count('.') != 3) || text.IndexOf('%') >= 0 || !IPAddress.TryParse(text, out IPAddress? parsed))
        {
            return false;
        }

        address = From(parsed);
        return true;
    }

    /// <summary>The first <paramref name="prefixLength"/> bits (of 32 for IPv4, of 128 for IPv6), the rest zero.</summary>
    public IpAddress Masked(int prefixLength)
    {
        int bits = IsIpv4 ? prefixLength + 96 : prefixLength;
        ulong high = bits >= 64 ? _high : bits == 0 ? 0 : _high & (ulong.MaxValue << (64 - bits));
        ulong low = bits >= 128 ? _low : bits <= 64 ? 0 : _low & (ulong.MaxValue << (128 - bits));
        return new IpAddress(high, low);
    }

    /// <inheritdoc/>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Equals(IpAddress other) => ((_high ^ other._high) | (_low ^ other._low)) == 0;

    /// <inheritdoc/>
    public override bool Equals([NotNullWhen(true)] object? obj) => obj is IpAddress other && Equals(other);

    /// <summary>A hash for trusted keys only; tables that a peer can fill use a keyed hash.</summary>
    public override int GetHashCode() => (int)(((_high ^ (_low * 0x9E3779B97F4A7C15)) * 0xD6E8FEB86659FD93) >> 32);

    /// <inheritdoc/>
    public int CompareTo(IpAddress other) => _high != other._high ? _high.CompareTo(other._high) : _low.CompareTo(other._low);

    /// <summary>Whether two addresses are the same.</summary>
    public static bool operator ==(IpAddress a, IpAddress b) => a.Equals(b);

    /// <summary>Whether two addresses differ.</summary>
    public static bool operator !=(IpAddress a, IpAddress b) => !a.Equals(b);

    /// <summary>Whether <paramref name="a"/> sorts first.</summary>
    public static bool operator <(IpAddress a, IpAddress b) => a.CompareTo(b) < 0;

    /// <summary>Whether <paramref name="a"/> sorts last.</summary>
    public static bool operator >(IpAddress a, IpAddress b) => a.CompareTo(b) > 0;

    /// <summary>Whether <paramref name="a"/> does not sort last.</summary>
    public static bool operator <=(IpAddress a, IpAddress b) => a.CompareTo(b) <= 0;

    /// <summary>Whether <paramref name="a"/> does not sort first.</summary>
    public static bool operator >=(IpAddress a, IpAddress b) => a.CompareTo(b) >= 0;

    /// <inheritdoc/>
    public override string ToString() => ToIPAddress().ToString();

    /// <inheritdoc/>
    public string ToString(string? format, IFormatProvider? formatProvider) => ToString();

    /// <inheritdoc/>
    public bool TryFormat(Span<char> destination, out int charsWritten, ReadOnlySpan<char> format, IFormatProvider? provider) =>
        ToIPAddress().TryFormat(destination, out charsWritten);
}

/// <summary>An address and the number of leading bits that name its network (0-32 for IPv4, 0-128 for IPv6).</summary>
public readonly record struct IpPrefix(IpAddress Address, int Length)
{
    /// <summary>Whether an address of the same family shares the leading bits.</summary>
    public bool Contains(IpAddress address) => address.IsIpv4 == Address.IsIpv4 && address.Masked(Length) == Address.Masked(Length);

    /// <summary>The same prefix with the host bits cleared.</summary>
    public IpPrefix Network => new(Address.Masked(Length), Length);

    /// <summary>The directed broadcast address of an IPv4 prefix up to /30; unspecified where there is none.</summary>
    public IpAddress Broadcast =>
        Address.IsIpv4 && Length <= 30 ? IpAddress.FromIpv4(Address.Ipv4Value | (uint)(0xFFFF_FFFFUL >> Length)) : IpAddress.AnyIpv4;

    /// <summary>Parses "ADDRESS/LENGTH"; without a length the prefix is the one address.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out IpPrefix prefix)
    {
        prefix = default;
        int slash = text.IndexOf('/');
        if (!IpAddress.TryParse(slash < 0 ? text : text[..slash], out IpAddress address))
        {
            return false;
        }

        int most = address.IsIpv4 ? 32 : 128;
        int length = most;
        if (slash >= 0 && (!int.TryParse(text[(slash + 1)..], System.Globalization.NumberStyles.None, null, out length) || length > most))
        {
            return false;
        }

        prefix = new IpPrefix(address, length);
        return true;
    }

    /// <summary>Parses "ADDRESS/LENGTH".</summary>
    public static IpPrefix Parse(ReadOnlySpan<char> text) =>
        TryParse(text, out IpPrefix prefix) ? prefix : throw new FormatException($"not an IP prefix: '{text}'");

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{Length}";
}

/// <summary>An address and a port: one end of a flow.</summary>
public readonly record struct Endpoint(IpAddress Address, ushort Port)
{
    /// <inheritdoc/>
    public override string ToString() => Address.IsIpv4 ? $"{Address}:{Port}" : $"[{Address}]:{Port}";

    /// <summary>Parses "a.b.c.d:port" or "[v6]:port".</summary>
    public static Endpoint Parse(ReadOnlySpan<char> text)
    {
        int colon = text.LastIndexOf(':');
        ReadOnlySpan<char> host = colon < 0 ? text : text[..colon].Trim("[]");
        return IpAddress.TryParse(host, out IpAddress address) && colon >= 0 && ushort.TryParse(text[(colon + 1)..], out ushort port)
            ? new Endpoint(address, port)
            : throw new FormatException($"not an endpoint: '{text}'");
    }
}

/// <summary>A 48-bit IEEE 802 link-layer address.</summary>
public readonly record struct MacAddress(ulong Value)
{
    /// <summary>ff:ff:ff:ff:ff:ff.</summary>
    public static MacAddress Broadcast => new(0xFFFF_FFFF_FFFF);

    /// <summary>Whether the group bit is set (multicast or broadcast).</summary>
    public bool IsGroup => (Value & 0x0100_0000_0000) != 0;

    /// <summary>Reads 6 bytes.</summary>
    public static MacAddress Read(ReadOnlySpan<byte> bytes) =>
        new(((ulong)BinaryPrimitives.ReadUInt16BigEndian(bytes) << 32) | BinaryPrimitives.ReadUInt32BigEndian(bytes[2..]));

    /// <summary>Writes 6 bytes.</summary>
    public void Write(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(destination, (ushort)(Value >> 32));
        BinaryPrimitives.WriteUInt32BigEndian(destination[2..], (uint)Value);
    }

    /// <inheritdoc/>
    public override string ToString() =>
        $"{(byte)(Value >> 40):x2}:{(byte)(Value >> 32):x2}:{(byte)(Value >> 24):x2}:{(byte)(Value >> 16):x2}:{(byte)(Value >> 8):x2}:{(byte)Value:x2}";
}
