using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>How a walk along IPv6 extension headers ended.</summary>
public enum Ipv6WalkOutcome
{
    /// <summary>Found a header that is not an extension header: <see cref="Ipv6Walk.Protocol"/> at <see cref="Ipv6Walk.Offset"/>.</summary>
    Transport,

    /// <summary>Found a fragment header of a real fragment at <see cref="Ipv6Walk.Offset"/>.</summary>
    Fragment,

    /// <summary>Nothing follows (RFC 8200 4.7): the packet is done with, without an error.</summary>
    NoNextHeader,

    /// <summary>An ICMPv6 parameter problem is due: <see cref="Ipv6Walk.Code"/>, <see cref="Ipv6Walk.Pointer"/>.</summary>
    ParameterProblem,

    /// <summary>The packet is dropped silently: malformed, an option says so, or over a limit.</summary>
    Discard,

    /// <summary>The headers go on behind the bytes given: <see cref="Ipv6Walk.BytesNeeded"/> are needed.</summary>
    NeedMore,
}

/// <summary>The work that a walk may do (RFC 8504 5.3).</summary>
public readonly struct Ipv6WalkLimits
{
    /// <summary>The most extension headers; a packet with more is dropped.</summary>
    public int HeadersMax { get; init; }

    /// <summary>The most options, padding not counted, in one header (Linux: max_dst_opts_number, max_hbh_opts_number).</summary>
    public int OptionsMax { get; init; }

    /// <summary>8 headers and 8 options.</summary>
    public static Ipv6WalkLimits Default => new() { HeadersMax = 8, OptionsMax = 8 };
}

/// <summary>The result of <see cref="Ipv6ExtensionHeaders.TryWalk"/>. Positions count from the first byte of the IPv6 header.</summary>
public struct Ipv6Walk
{
    /// <summary>How the walk ended.</summary>
    public Ipv6WalkOutcome Outcome;

    /// <summary>The number that names the header at <see cref="Offset"/>.</summary>
    public IpProtocol Protocol;

    /// <summary>Where the transport or fragment header begins.</summary>
    public int Offset;

    /// <summary>
    /// Where the next-header field is that names it: the pointer of "unrecognised next header", and what reassembly rewrites.
    /// </summary>
    public int NextHeaderOffset;

    /// <summary>Whether an atomic fragment's header was passed (RFC 6946): the packet is a whole datagram.</summary>
    public bool IsAtomicFragment;

    /// <summary>Whether a router-alert option was there (RFC 2711), as every MLD message has.</summary>
    public bool HasRouterAlert;

    /// <summary>Whether a routing header was passed, with no segments left.</summary>
    public bool HasRoutingHeader;

    /// <summary>Whether the packet is discarded because it asks for more work than the limits allow (RFC 8504 5.3).</summary>
    public bool IsOverLimit;

    /// <summary>The code of the parameter problem: 0 erroneous field, 1 next header, 2 option.</summary>
    public byte Code;

    /// <summary>The pointer of the parameter problem.</summary>
    public int Pointer;

    /// <summary>Whether the problem is reported even where the destination is multicast (RFC 8200 4.2, action 10).</summary>
    public bool ReportIfMulticast;

    /// <summary>How many bytes must be linear for the walk to go on.</summary>
    public int BytesNeeded;
}

/// <summary>A bounded walk along the extension headers of an IPv6 packet (RFC 8200 4.1-4.8, RFC 5095, RFC 6946, RFC 8504 5.3).</summary>
public static class Ipv6ExtensionHeaders
{
    /// <summary>Bytes of a fragment header.</summary>
    public const int FragmentHeaderLength = 8;

    private const int OptionPad1 = 0;
    private const int OptionPadN = 1;
    private const int OptionRouterAlert = 5;

    /// <summary>RFC 8504 5.3: more padding than this in a row serves no alignment.</summary>
    private const int PaddingMax = 7;

    /// <summary>
    /// Walks from the fixed header to the transport header. <paramref name="packet"/> begins with the IPv6 header and has been cut to
    /// its payload length. True where the outcome is <see cref="Ipv6WalkOutcome.Transport"/>.
    /// </summary>
    public static bool TryWalk(ReadOnlySpan<byte> packet, bool destinationIsMulticast, in Ipv6WalkLimits limits, out Ipv6Walk walk)
    {
        walk = default;
        if (packet.Length < Ipv6Header.Length)
        {
            return NeedMore(ref walk, Ipv6Header.Length);
        }

        walk.NextHeaderOffset = 6;
        walk.Offset = Ipv6Header.Length;
        walk.Protocol = (IpProtocol)packet[6];
        for (int headers = 0; ; headers++)
        {
            if (!IsExtensionHeader(walk.Protocol))
            {
                walk.Outcome = walk.Protocol == IpProtocol.Ipv6NoNext ? Ipv6WalkOutcome.NoNextHeader : Ipv6WalkOutcome.Transport;
                return walk.Outcome == Ipv6WalkOutcome.Transport;
            }

            if (walk.Protocol == IpProtocol.HopByHop && headers != 0)
            {
                return Problem(ref walk, 1, walk.NextHeaderOffset);
            }

            if (headers >= limits.HeadersMax)
            {
                return OverLimit(ref walk);
            }

            int offset = walk.Offset;
            if (packet.Length - offset < 8)
            {
                return NeedMore(ref walk, offset + 8);
            }

            bool isFragment = walk.Protocol == IpProtocol.Ipv6Fragment;
            int length = isFragment ? FragmentHeaderLength : (packet[offset + 1] + 1) * 8;
            if (packet.Length - offset < length)
            {
                return NeedMore(ref walk, offset + length);
            }

            if (!TakeHeader(packet.Slice(offset, length), destinationIsMulticast, limits, ref walk))
            {
                return false;
            }

            walk.NextHeaderOffset = offset;
            walk.Protocol = (IpProtocol)packet[offset];
            walk.Offset = offset + length;
        }
    }

    /// <summary>Whether the number names a header that this walk steps over.</summary>
    public static bool IsExtensionHeader(IpProtocol protocol) =>
        protocol is IpProtocol.HopByHop or IpProtocol.Ipv6Routing or IpProtocol.Ipv6Fragment or IpProtocol.Ipv6DestinationOptions;

    /// <summary>
    /// Whether a first fragment holds all headers up to and including the transport's, which it must (RFC 7112, RFC 8200 4.5; the
    /// answer to one that does not is parameter problem code 3, pointer 0). <paramref name="payload"/> is what follows the fragment
    /// header and <paramref name="next"/> its kind.
    /// </summary>
    public static bool HasCompleteChain(ReadOnlySpan<byte> payload, IpProtocol next, in Ipv6WalkLimits limits)
    {
        int offset = 0;
        for (int headers = 0; IsExtensionHeader(next) && headers <= limits.HeadersMax; headers++)
        {
            if (payload.Length - offset < 8)
            {
                return false;
            }

            int length = next == IpProtocol.Ipv6Fragment ? FragmentHeaderLength : (payload[offset + 1] + 1) * 8;
            next = (IpProtocol)payload[offset];
            offset += length;
        }

        int needed = next switch
        {
            IpProtocol.Tcp => TcpHeader.LengthMin,
            IpProtocol.Udp => UdpHeader.Length,
            IpProtocol.Icmpv6 => 8,
            IpProtocol.Ipv6NoNext => 0,
            _ => 1,
        };
        return payload.Length - offset >= needed;
    }

    /// <summary>Reads a fragment header: the offset in bytes and the M flag of RFC 8200 4.5, and the identification.</summary>
    public static void ReadFragment(ReadOnlySpan<byte> header, out int offset, out bool moreFragments, out uint identification)
    {
        ushort field = BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        offset = field & 0xFFF8;
        moreFragments = (field & 1) != 0;
        identification = BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
    }

    /// <summary>Writes a fragment header; <paramref name="offset"/> is in bytes, a multiple of 8.</summary>
    public static void WriteFragment(Span<byte> header, IpProtocol next, int offset, bool moreFragments, uint identification)
    {
        header[0] = (byte)next;
        header[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(header[2..], (ushort)(offset | (moreFragments ? 1 : 0)));
        BinaryPrimitives.WriteUInt32BigEndian(header[4..], identification);
    }

    /// <summary>Writes the 8 bytes of a hop-by-hop header that holds a router alert for MLD (RFC 3810 5, RFC 2711) and padding.</summary>
    public static void WriteMldRouterAlert(Span<byte> header, IpProtocol next = IpProtocol.Icmpv6) =>
        BinaryPrimitives.WriteUInt64BigEndian(header, 0x0000_0502_0000_0100UL | ((ulong)next << 56));

    /// <summary>Looks into one header; false where the walk is over.</summary>
    private static bool TakeHeader(ReadOnlySpan<byte> header, bool isMulticast, in Ipv6WalkLimits limits, ref Ipv6Walk walk)
    {
        switch (walk.Protocol)
        {
            case IpProtocol.Ipv6Fragment:
                if ((BinaryPrimitives.ReadUInt16BigEndian(header[2..]) & 0xFFF9) != 0)
                {
                    return End(ref walk, Ipv6WalkOutcome.Fragment);
                }

                walk.IsAtomicFragment = true;
                return true;
            case IpProtocol.Ipv6Routing:
                // RFC 8200 4.4: of an unknown type, as type 0 now is (RFC 5095), with segments left, points to the type.
                if (header[3] != 0)
                {
                    return Problem(ref walk, 0, walk.Offset + 2);
                }

                walk.HasRoutingHeader = true;
                return true;
            default:
                return TakeOptions(header, isMulticast, limits.OptionsMax, ref walk);
        }
    }

    private static bool TakeOptions(ReadOnlySpan<byte> header, bool isMulticast, int optionsMax, ref Ipv6Walk walk)
    {
        int position = 2;
        int options = 0;
        int padding = 0;
        while (position < header.Length)
        {
            int kind = header[position];
            if (kind == OptionPad1)
            {
                position++;
                if (++padding > PaddingMax)
                {
                    return OverLimit(ref walk);
                }

                continue;
            }

            if (header.Length - position < 2 || header.Length - position - 2 < header[position + 1])
            {
                return End(ref walk, Ipv6WalkOutcome.Discard);
            }

            int length = header[position + 1];
            if (kind == OptionPadN)
            {
                padding += length + 2;
                if (padding > PaddingMax || header.Slice(position + 2, length).ContainsAnyExcept((byte)0))
                {
                    return End(ref walk, Ipv6WalkOutcome.Discard);
                }
            }
            else
            {
                padding = 0;
                if (++options > optionsMax)
                {
                    return OverLimit(ref walk);
                }

                if (!TakeOption(kind, length, walk.Offset + position, isMulticast, ref walk))
                {
                    return false;
                }
            }

            position += length + 2;
        }

        return true;
    }

    /// <summary>RFC 8200 4.2: the two highest bits say what to do with an option that is not known.</summary>
    private static bool TakeOption(int kind, int length, int offset, bool isMulticast, ref Ipv6Walk walk)
    {
        if (kind == OptionRouterAlert && length == 2 && walk.Protocol == IpProtocol.HopByHop)
        {
            walk.HasRouterAlert = true;
            return true;
        }

        switch (kind >> 6)
        {
            case 0:
                return true;
            case 1:
                return End(ref walk, Ipv6WalkOutcome.Discard);
            case 2:
                walk.ReportIfMulticast = true;
                return Problem(ref walk, 2, offset);
            default:
                return isMulticast ? End(ref walk, Ipv6WalkOutcome.Discard) : Problem(ref walk, 2, offset);
        }
    }

    private static bool Problem(ref Ipv6Walk walk, byte code, int pointer)
    {
        walk.Outcome = Ipv6WalkOutcome.ParameterProblem;
        walk.Code = code;
        walk.Pointer = pointer;
        return false;
    }

    private static bool NeedMore(ref Ipv6Walk walk, int bytes)
    {
        walk.Outcome = Ipv6WalkOutcome.NeedMore;
        walk.BytesNeeded = bytes;
        return false;
    }

    private static bool OverLimit(ref Ipv6Walk walk)
    {
        walk.IsOverLimit = true;
        return End(ref walk, Ipv6WalkOutcome.Discard);
    }

    private static bool End(ref Ipv6Walk walk, Ipv6WalkOutcome outcome)
    {
        walk.Outcome = outcome;
        return false;
    }
}
