// RFC 7217 (stable and opaque interface identifiers), RFC 4291 appendix A (modified EUI-64), RFC 5453 (reserved identifiers).
namespace Portico.Net;

/// <summary>Makes the low 64 bits of an address.</summary>
internal static class StableInterfaceId
{
    /// <summary>
    /// F(Prefix, Net_Iface, Network_ID, DAD_Counter, secret_key) of RFC 7217 section 5. Net_Iface is the link-layer address, which is
    /// what stays the same here when a program starts again; there is no Network_ID. F is SipHash-2-4.
    /// </summary>
    public static ulong Make(in SipKey secret, in IpAddress prefix, MacAddress linkAddress, byte dadCounter)
    {
        Span<byte> input = stackalloc byte[8 + 8 + 2];
        for (int attempt = 0; ; attempt++)
        {
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(input, prefix.High);
            System.Buffers.Binary.BinaryPrimitives.WriteUInt64BigEndian(input[8..], linkAddress.Value);
            input[16] = dadCounter;
            input[17] = (byte)attempt;
            ulong identifier = SipHash.Hash24(secret, input);
            if (!IsReserved(identifier) || attempt == byte.MaxValue)
            {
                return identifier;
            }
        }
    }

    /// <summary>The link-layer address with ff:fe in the middle and the universal bit turned over.</summary>
    public static ulong MakeEui64(MacAddress linkAddress)
    {
        ulong value = linkAddress.Value;
        return ((value & 0xFFFF_FF00_0000) << 16 | 0x0000_00FF_FE00_0000 | (value & 0xFF_FFFF)) ^ 0x0200_0000_0000_0000;
    }

    /// <summary>Subnet-router anycast, reserved subnet anycast, and what IANA keeps for Ethernet.</summary>
    private static bool IsReserved(ulong identifier) =>
        identifier == 0
        || identifier is >= 0xFDFF_FFFF_FFFF_FF80 and <= 0xFDFF_FFFF_FFFF_FFFF
        || identifier >> 24 == 0x0200_5EFF_FE;
}
