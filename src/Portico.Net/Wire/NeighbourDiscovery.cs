using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Portico.Net;

// Each message view begins with the ICMPv6 type. What RFC 4861 6.1 and 7.1 demand beyond the length (hop limit 255, code 0, a right
// checksum, addresses that make sense) is checked by the receiver, which has the IP header.

/// <summary>A router solicitation (RFC 4861 4.1).</summary>
public readonly ref struct RouterSolicitation
{
    /// <summary>Bytes before the options.</summary>
    public const int Length = 8;

    private readonly ReadOnlySpan<byte> _bytes;

    private RouterSolicitation(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The options.</summary>
    public NdOptionReader Options => new(_bytes[Length..]);

    /// <summary>Views the message; false where it is short or an option's length is illegal.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out RouterSolicitation view)
    {
        view = new RouterSolicitation(message);
        return message.Length >= Length && NdOptionReader.AreValid(message[Length..]);
    }

    /// <summary>Writes the message without options, with checksum 0.</summary>
    public static void Write(Span<byte> message) => Icmpv6Header.Write(message, Icmpv6Type.RouterSolicitation, 0, 0);
}

/// <summary>A router advertisement (RFC 4861 4.2).</summary>
public readonly ref struct RouterAdvertisement
{
    /// <summary>Bytes before the options.</summary>
    public const int Length = 16;

    private readonly ReadOnlySpan<byte> _bytes;

    private RouterAdvertisement(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Cur Hop Limit; 0 where the router does not say.</summary>
    public byte CurHopLimit => _bytes[4];

    /// <summary>M: addresses come from DHCPv6.</summary>
    public bool IsManaged => (_bytes[5] & 0x80) != 0;

    /// <summary>O: other configuration comes from DHCPv6.</summary>
    public bool HasOtherConfiguration => (_bytes[5] & 0x40) != 0;

    /// <summary>Router Lifetime in seconds; 0: not a default router.</summary>
    public ushort RouterLifetimeSeconds => BinaryPrimitives.ReadUInt16BigEndian(_bytes[6..]);

    /// <summary>Reachable Time in milliseconds; 0 where the router does not say.</summary>
    public uint ReachableTimeMillis => BinaryPrimitives.ReadUInt32BigEndian(_bytes[8..]);

    /// <summary>Retrans Timer in milliseconds; 0 where the router does not say.</summary>
    public uint RetransTimerMillis => BinaryPrimitives.ReadUInt32BigEndian(_bytes[12..]);

    /// <summary>The options.</summary>
    public NdOptionReader Options => new(_bytes[Length..]);

    /// <summary>Views the message; false where it is short or an option's length is illegal.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out RouterAdvertisement view)
    {
        view = new RouterAdvertisement(message);
        return message.Length >= Length && NdOptionReader.AreValid(message[Length..]);
    }

    /// <summary>Writes the message without options, with checksum 0; <paramref name="flags"/> has M in bit 7 and O in bit 6.</summary>
    public static void Write(
        Span<byte> message, byte curHopLimit, byte flags, ushort routerLifetimeSeconds, uint reachableTimeMillis, uint retransTimerMillis)
    {
        uint rest = ((uint)curHopLimit << 24) | ((uint)flags << 16) | routerLifetimeSeconds;
        Icmpv6Header.Write(message, Icmpv6Type.RouterAdvertisement, 0, rest);
        BinaryPrimitives.WriteUInt32BigEndian(message[8..], reachableTimeMillis);
        BinaryPrimitives.WriteUInt32BigEndian(message[12..], retransTimerMillis);
    }
}

/// <summary>A neighbour solicitation (RFC 4861 4.3).</summary>
public readonly ref struct NeighbourSolicitation
{
    /// <summary>Bytes before the options.</summary>
    public const int Length = 24;

    private readonly ReadOnlySpan<byte> _bytes;

    private NeighbourSolicitation(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The address that is asked for.</summary>
    public IpAddress Target => Big.ReadIpv6(ref Unsafe.AsRef(in _bytes[0]), 8);

    /// <summary>The options.</summary>
    public NdOptionReader Options => new(_bytes[Length..]);

    /// <summary>Views the message; false where it is short or an option's length is illegal.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out NeighbourSolicitation view)
    {
        view = new NeighbourSolicitation(message);
        return message.Length >= Length && NdOptionReader.AreValid(message[Length..]);
    }

    /// <summary>Writes the message without options, with checksum 0.</summary>
    public static void Write(Span<byte> message, in IpAddress target)
    {
        Icmpv6Header.Write(message, Icmpv6Type.NeighbourSolicitation, 0, 0);
        target.WriteIpv6(message[8..]);
    }
}

/// <summary>A neighbour advertisement (RFC 4861 4.4).</summary>
public readonly ref struct NeighbourAdvertisement
{
    /// <summary>Bytes before the options.</summary>
    public const int Length = 24;

    private readonly ReadOnlySpan<byte> _bytes;

    private NeighbourAdvertisement(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>R: the sender is a router.</summary>
    public bool IsRouter => (_bytes[4] & 0x80) != 0;

    /// <summary>S: the answer to a solicitation.</summary>
    public bool IsSolicited => (_bytes[4] & 0x40) != 0;

    /// <summary>O: replaces the link-layer address that is known.</summary>
    public bool IsOverride => (_bytes[4] & 0x20) != 0;

    /// <summary>The address that this is about.</summary>
    public IpAddress Target => Big.ReadIpv6(ref Unsafe.AsRef(in _bytes[0]), 8);

    /// <summary>The options.</summary>
    public NdOptionReader Options => new(_bytes[Length..]);

    /// <summary>Views the message; false where it is short or an option's length is illegal.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out NeighbourAdvertisement view)
    {
        view = new NeighbourAdvertisement(message);
        return message.Length >= Length && NdOptionReader.AreValid(message[Length..]);
    }

    /// <summary>Writes the message without options, with checksum 0.</summary>
    public static void Write(Span<byte> message, in IpAddress target, bool isRouter, bool isSolicited, bool isOverride)
    {
        uint flags = (isRouter ? 1u << 31 : 0) | (isSolicited ? 1u << 30 : 0) | (isOverride ? 1u << 29 : 0);
        Icmpv6Header.Write(message, Icmpv6Type.NeighbourAdvertisement, 0, flags);
        target.WriteIpv6(message[8..]);
    }
}

/// <summary>A redirect (RFC 4861 4.5).</summary>
public readonly ref struct RedirectMessage
{
    /// <summary>Bytes before the options.</summary>
    public const int Length = 40;

    private readonly ReadOnlySpan<byte> _bytes;

    private RedirectMessage(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>The better first hop.</summary>
    public IpAddress Target => Big.ReadIpv6(ref Unsafe.AsRef(in _bytes[0]), 8);

    /// <summary>The destination that it is better for.</summary>
    public IpAddress Destination => Big.ReadIpv6(ref Unsafe.AsRef(in _bytes[0]), 24);

    /// <summary>The options.</summary>
    public NdOptionReader Options => new(_bytes[Length..]);

    /// <summary>Views the message; false where it is short or an option's length is illegal.</summary>
    public static bool TryParse(ReadOnlySpan<byte> message, out RedirectMessage view)
    {
        view = new RedirectMessage(message);
        return message.Length >= Length && NdOptionReader.AreValid(message[Length..]);
    }

    /// <summary>Writes the message without options, with checksum 0.</summary>
    public static void Write(Span<byte> message, in IpAddress target, in IpAddress destination)
    {
        Icmpv6Header.Write(message, Icmpv6Type.Redirect, 0, 0);
        target.WriteIpv6(message[8..]);
        destination.WriteIpv6(message[24..]);
    }
}
