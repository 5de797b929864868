using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>What a router does to an IP header instead of dropping the packet (RFC 3168 5).</summary>
internal static class CongestionMark
{
    private const int Experienced = 3;

    /// <summary>Where the two bits are in the second byte of IPv6's header.</summary>
    private const int Ipv6Shift = 4;

    /// <summary>Sets congestion experienced. False for a packet whose sender does not know of it, and for what is no IP header.</summary>
    public static bool TrySet(Span<byte> header)
    {
        if (header.Length < Ipv4Header.LengthMin)
        {
            return false;
        }

        int shift = header[0] >> 4 == 6 ? Ipv6Shift : 0;
        if ((header[1] & (Experienced << shift)) == 0)
        {
            return false;
        }

        ushort before = BinaryPrimitives.ReadUInt16BigEndian(header);
        header[1] |= (byte)(Experienced << shift);
        if (shift == 0)
        {
            ushort checksum = BinaryPrimitives.ReadUInt16BigEndian(header[10..]);
            ushort after = BinaryPrimitives.ReadUInt16BigEndian(header);
            BinaryPrimitives.WriteUInt16BigEndian(header[10..], InternetChecksum.UpdateIncremental(checksum, before, after));
        }

        return true;
    }
}
