using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>IPv4 option kinds (RFC 791 3.1, RFC 2113).</summary>
public static class Ipv4OptionKind
{
#pragma warning disable CS1591 // The names are the RFCs'.
    public const byte EndOfList = 0;
    public const byte NoOperation = 1;
    public const byte RecordRoute = 7;
    public const byte Timestamp = 68;
    public const byte LooseSourceRoute = 131;
    public const byte StrictSourceRoute = 137;
    public const byte RouterAlert = 148;
#pragma warning restore CS1591
}

/// <summary>
/// What the options of an IPv4 header said. Offsets count from the first byte of the IP header, so they fit the pointer of an ICMP
/// parameter problem; 0 means that the option is absent.
/// </summary>
public struct Ipv4Options
{
    /// <summary>Where the source route begins, loose or strict; such packets are dropped (RFC 7126 4.3, 4.4).</summary>
    public byte SourceRouteOffset;

    /// <summary>Where the record-route option begins.</summary>
    public byte RecordRouteOffset;

    /// <summary>Where the timestamp option begins.</summary>
    public byte TimestampOffset;

    /// <summary>Whether routers are asked to look at the packet (RFC 2113).</summary>
    public bool HasRouterAlert;

    /// <summary>Where the error is, if there is one.</summary>
    public byte ErrorOffset;

    /// <summary>Whether the packet asks to be routed through hosts of the sender's choice.</summary>
    public readonly bool HasSourceRoute => SourceRouteOffset != 0;

    /// <summary>
    /// Reads and checks the options behind the first 20 bytes of a header (RFC 1122 3.2.1.8). False where one is malformed;
    /// <see cref="ErrorOffset"/> says where. Unknown kinds are skipped.
    /// </summary>
    public static bool Parse(ReadOnlySpan<byte> options, out Ipv4Options parsed)
    {
        parsed = default;
        int position = 0;
        while (position < options.Length)
        {
            byte kind = options[position];
            if (kind == Ipv4OptionKind.EndOfList)
            {
                return true;
            }

            if (kind == Ipv4OptionKind.NoOperation)
            {
                position++;
                continue;
            }

            int left = options.Length - position;
            int length = left < 2 ? 0 : options[position + 1];
            if (length < 2 || length > left)
            {
                return parsed.Fail(position, 0);
            }

            int error = parsed.Take(options.Slice(position, length), (byte)(Ipv4Header.LengthMin + position));
            if (error >= 0)
            {
                return parsed.Fail(position, error);
            }

            position += length;
        }

        return true;
    }

    /// <summary>
    /// Adds an address to a record-route option (RFC 791 3.1) in place; false where it is full. <paramref name="option"/> begins with
    /// the option's kind and was checked by <see cref="Parse"/>.
    /// </summary>
    public static bool TryRecordRoute(Span<byte> option, in IpAddress address)
    {
        int pointer = option[2];
        if (pointer + 3 > option[1])
        {
            return false;
        }

        address.WriteIpv4(option[(pointer - 1)..]);
        option[2] = (byte)(pointer + 4);
        return true;
    }

    /// <summary>
    /// Adds a time (milliseconds since midnight UT) to a timestamp option in place (RFC 791 3.1, RFC 1122 3.2.1.8 (c)), with the
    /// address where the option's flag asks for it. A full option counts one more overflow; false where that count is full too, which
    /// makes the packet an error.
    /// </summary>
    public static bool TryAddTimestamp(Span<byte> option, in IpAddress address, uint milliseconds)
    {
        int pointer = option[2];
        int flag = option[3] & 15;
        int needed = flag == 0 ? 4 : 8;
        if (pointer - 1 + needed > option[1])
        {
            if (option[3] >> 4 == 15)
            {
                return false;
            }

            option[3] += 0x10;
            return true;
        }

        Span<byte> place = option[(pointer - 1)..];
        if (flag == 3 && BinaryPrimitives.ReadUInt32BigEndian(place) != address.Ipv4Value)
        {
            // Prespecified: this entry is somebody else's.
            return true;
        }

        if (flag != 0)
        {
            address.WriteIpv4(place);
            place = place[4..];
        }

        BinaryPrimitives.WriteUInt32BigEndian(place, milliseconds);
        option[2] = (byte)(pointer + needed);
        return true;
    }

    private bool Fail(int position, int error)
    {
        ErrorOffset = (byte)(Ipv4Header.LengthMin + position + error);
        return false;
    }

    /// <summary>Remembers one option; the offset of the wrong byte in it, or -1.</summary>
    private int Take(ReadOnlySpan<byte> option, byte offset)
    {
        switch (option[0])
        {
            case Ipv4OptionKind.LooseSourceRoute or Ipv4OptionKind.StrictSourceRoute:
                if (SourceRouteOffset != 0)
                {
                    return 0;
                }

                SourceRouteOffset = offset;
                return CheckRoute(option);
            case Ipv4OptionKind.RecordRoute:
                if (RecordRouteOffset != 0)
                {
                    return 0;
                }

                RecordRouteOffset = offset;
                return CheckRoute(option);
            case Ipv4OptionKind.Timestamp:
                if (TimestampOffset != 0)
                {
                    return 0;
                }

                TimestampOffset = offset;
                return CheckTimestamp(option);
            case Ipv4OptionKind.RouterAlert:
                if (option.Length < 4)
                {
                    return 1;
                }

                HasRouterAlert |= option[2] == 0 && option[3] == 0;
                return -1;
            default:
                return -1;
        }
    }

    private static int CheckRoute(ReadOnlySpan<byte> option)
    {
        if (option.Length < 3)
        {
            return 1;
        }

        int pointer = option[2];
        return pointer < 4 || (pointer <= option.Length && pointer + 3 > option.Length) ? 2 : -1;
    }

    private static int CheckTimestamp(ReadOnlySpan<byte> option)
    {
        if (option.Length < 4)
        {
            return 1;
        }

        int pointer = option[2];
        int flag = option[3] & 15;
        if (pointer < 5)
        {
            return 2;
        }

        if (pointer > option.Length)
        {
            return option[3] >> 4 == 15 ? 3 : -1;
        }

        int needed = flag == 0 ? 4 : 8;
        return pointer - 1 + needed > option.Length ? 2 : flag is 0 or 1 or 3 ? -1 : 3;
    }
}
