using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>Kinds of options in neighbour discovery (RFC 4861 4.6, RFC 8106).</summary>
public static class NdOptionKind
{
#pragma warning disable CS1591 // The names are the RFCs'.
    public const byte SourceLinkLayerAddress = 1;
    public const byte TargetLinkLayerAddress = 2;
    public const byte PrefixInformation = 3;
    public const byte RedirectedHeader = 4;
    public const byte Mtu = 5;
    public const byte RecursiveDnsServer = 25;
#pragma warning restore CS1591
}

/// <summary>One option in its whole length, a multiple of 8 bytes (RFC 4861 4.6).</summary>
public readonly ref struct NdOption
{
    /// <summary>Bytes of a link-layer address option for Ethernet.</summary>
    public const int LinkAddressLength = 8;

    /// <summary>Bytes of an MTU option.</summary>
    public const int MtuLength = 8;

    internal NdOption(ReadOnlySpan<byte> bytes) => Bytes = bytes;

    /// <summary>The option, kind and length included.</summary>
    public ReadOnlySpan<byte> Bytes { get; }

    /// <summary>One of <see cref="NdOptionKind"/>.</summary>
    public byte Kind => Bytes[0];

    /// <summary>The Ethernet address in a link-layer address option; false where it is not one of Ethernet's length.</summary>
    public bool TryReadLinkAddress(out MacAddress address)
    {
        bool right = Bytes.Length == LinkAddressLength;
        address = right ? MacAddress.Read(Bytes[2..]) : default;
        return right;
    }

    /// <summary>The MTU in an MTU option (RFC 4861 4.6.4); false where its length is wrong.</summary>
    public bool TryReadMtu(out uint mtu)
    {
        bool right = Bytes.Length == MtuLength;
        mtu = right ? BinaryPrimitives.ReadUInt32BigEndian(Bytes[4..]) : 0;
        return right;
    }

    /// <summary>Writes a link-layer address option for Ethernet.</summary>
    public static void WriteLinkAddress(Span<byte> option, byte kind, MacAddress address) =>
        BinaryPrimitives.WriteUInt64BigEndian(option, ((ulong)kind << 56) | (1UL << 48) | address.Value);

    /// <summary>Writes an MTU option.</summary>
    public static void WriteMtu(Span<byte> option, uint mtu) =>
        BinaryPrimitives.WriteUInt64BigEndian(option, ((ulong)NdOptionKind.Mtu << 56) | (1UL << 48) | mtu);
}

/// <summary>Steps through options whose lengths <see cref="AreValid"/> has checked.</summary>
public ref struct NdOptionReader
{
    private ReadOnlySpan<byte> _rest;

    /// <summary>Begins at the first option.</summary>
    public NdOptionReader(ReadOnlySpan<byte> options) => _rest = options;

    /// <summary>Whether all lengths are legal: none is 0 (RFC 4861 4.6) and none goes past the end.</summary>
    public static bool AreValid(ReadOnlySpan<byte> options)
    {
        while (options.Length >= 2)
        {
            int length = options[1] * 8;
            if (length == 0 || length > options.Length)
            {
                return false;
            }

            options = options[length..];
        }

        return options.Length == 0;
    }

    /// <summary>The next option; false at the end.</summary>
    public bool TryRead(out NdOption option)
    {
        int length = _rest.Length < 2 ? 0 : _rest[1] * 8;
        if (length == 0 || length > _rest.Length)
        {
            option = default;
            return false;
        }

        option = new NdOption(_rest[..length]);
        _rest = _rest[length..];
        return true;
    }
}

/// <summary>A prefix information option (RFC 4861 4.6.2).</summary>
public readonly ref struct PrefixInformation
{
    /// <summary>Bytes of the option.</summary>
    public const int Length = 32;

    /// <summary>A lifetime that does not end.</summary>
    public const uint Infinity = uint.MaxValue;

    private readonly ReadOnlySpan<byte> _bytes;

    private PrefixInformation(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Prefix Length in bits; more than 128 makes the option void.</summary>
    public byte PrefixLength => _bytes[2];

    /// <summary>L: addresses with the prefix are on the link.</summary>
    public bool IsOnLink => (_bytes[3] & 0x80) != 0;

    /// <summary>A: hosts make addresses with the prefix (RFC 4862).</summary>
    public bool IsAutonomous => (_bytes[3] & 0x40) != 0;

    /// <summary>Valid Lifetime in seconds.</summary>
    public uint ValidLifetimeSeconds => BinaryPrimitives.ReadUInt32BigEndian(_bytes[4..]);

    /// <summary>Preferred Lifetime in seconds.</summary>
    public uint PreferredLifetimeSeconds => BinaryPrimitives.ReadUInt32BigEndian(_bytes[8..]);

    /// <summary>The prefix; bits behind its length mean nothing.</summary>
    public IpAddress Prefix => Big.ReadIpv6(ref Unsafe.AsRef(in _bytes[0]), 16);

    /// <summary>Views the option; false where its length is wrong.</summary>
    public static bool TryParse(NdOption option, out PrefixInformation view)
    {
        view = new PrefixInformation(option.Bytes);
        return option.Bytes.Length == Length;
    }

    /// <summary>Writes an option.</summary>
    public static void Write(
        Span<byte> option, in IpPrefix prefix, bool isOnLink, bool isAutonomous, uint validLifetimeSeconds, uint preferredLifetimeSeconds)
    {
        option[0] = NdOptionKind.PrefixInformation;
        option[1] = Length / 8;
        option[2] = (byte)prefix.Length;
        option[3] = (byte)((isOnLink ? 0x80 : 0) | (isAutonomous ? 0x40 : 0));
        BinaryPrimitives.WriteUInt32BigEndian(option[4..], validLifetimeSeconds);
        BinaryPrimitives.WriteUInt32BigEndian(option[8..], preferredLifetimeSeconds);
        BinaryPrimitives.WriteUInt32BigEndian(option[12..], 0);
        prefix.Address.WriteIpv6(option[16..]);
    }
}

/// <summary>A recursive DNS server option (RFC 8106 5.1).</summary>
public readonly ref struct RecursiveDnsServers
{
    private readonly ReadOnlySpan<byte> _bytes;

    private RecursiveDnsServers(ReadOnlySpan<byte> bytes) => _bytes = bytes;

    /// <summary>Lifetime in seconds; 0: no longer to be used.</summary>
    public uint LifetimeSeconds => BinaryPrimitives.ReadUInt32BigEndian(_bytes[4..]);

    /// <summary>How many servers there are.</summary>
    public int Count => (_bytes.Length - 8) / 16;

    /// <summary>A server's address.</summary>
    public IpAddress this[int index] => IpAddress.ReadIpv6(_bytes.Slice(8 + (index * 16), 16));

    /// <summary>Views the option; false where it does not hold whole addresses, at least one.</summary>
    public static bool TryParse(NdOption option, out RecursiveDnsServers view)
    {
        view = new RecursiveDnsServers(option.Bytes);
        return option.Bytes.Length >= 24 && (option.Bytes.Length - 8) % 16 == 0;
    }

    /// <summary>Writes an option and returns its bytes.</summary>
    public static int Write(Span<byte> option, uint lifetimeSeconds, ReadOnlySpan<IpAddress> servers)
    {
        int length = 8 + (servers.Length * 16);
        option[0] = NdOptionKind.RecursiveDnsServer;
        option[1] = (byte)(length / 8);
        BinaryPrimitives.WriteUInt16BigEndian(option[2..], 0);
        BinaryPrimitives.WriteUInt32BigEndian(option[4..], lifetimeSeconds);
        for (int i = 0; i < servers.Length; i++)
        {
            servers[i].WriteIpv6(option[(8 + (i * 16))..]);
        }

        return length;
    }
}
