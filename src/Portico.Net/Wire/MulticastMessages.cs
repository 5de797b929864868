using System.Buffers.Binary;

namespace Portico.Net;

/// <summary>IGMP message types (RFC 3376 4, RFC 2236 2.1).</summary>
public static class IgmpType
{
#pragma warning disable CS1591 // The names are the RFCs'.
    public const byte MembershipQuery = 0x11;
    public const byte MembershipReportV1 = 0x12;
    public const byte MembershipReportV2 = 0x16;
    public const byte LeaveGroup = 0x17;
    public const byte MembershipReportV3 = 0x22;
#pragma warning restore CS1591
}

/// <summary>What a group record of an IGMPv3 or MLDv2 report says (RFC 3376 4.2.12, RFC 3810 5.2.12).</summary>
public enum MulticastRecordType : byte
{
#pragma warning disable CS1591 // The names are the RFCs'.
    ModeIsInclude = 1,
    ModeIsExclude = 2,
    ChangeToInclude = 3,
    ChangeToExclude = 4,
    AllowNewSources = 5,
    BlockOldSources = 6,
#pragma warning restore CS1591
}

/// <summary>
/// An IGMP or MLD query, of any version, in terms that both share: RFC 3376 4.1 and 7.1, RFC 3810 5.1 and 8.1. Holds the bytes for
/// the sources, so it must not outlive the packet.
/// </summary>
public readonly ref struct MulticastQuery
{
    private readonly ReadOnlySpan<byte> _sources;
    private readonly int _addressLength;

    private MulticastQuery(ReadOnlySpan<byte> sources, int addressLength, int version, IpAddress group, int maxResponseMillis)
    {
        _sources = sources;
        _addressLength = addressLength;
        Version = version;
        Group = group;
        MaxResponseMillis = maxResponseMillis;
    }

    /// <summary>1 to 3 of IGMP, 1 or 2 of MLD.</summary>
    public int Version { get; }

    /// <summary>The group that is asked for; unspecified in a general query.</summary>
    public IpAddress Group { get; }

    /// <summary>Reports are spread over this time.</summary>
    public int MaxResponseMillis { get; }

    /// <summary>How many sources are asked for.</summary>
    public int SourceCount => _sources.Length / _addressLength;

    /// <summary>A source that is asked for.</summary>
    public IpAddress Source(int index)
    {
        ReadOnlySpan<byte> bytes = _sources.Slice(index * _addressLength, _addressLength);
        return _addressLength == 4 ? IpAddress.ReadIpv4(bytes) : IpAddress.ReadIpv6(bytes);
    }

    /// <summary>Reads an IGMP query; false where its length is none of RFC 3376 7.1 or the sources are cut off.</summary>
    public static bool TryParseIgmp(ReadOnlySpan<byte> message, out MulticastQuery query)
    {
        query = default;
        if (message.Length < 8 || message[0] != IgmpType.MembershipQuery)
        {
            return false;
        }

        IpAddress group = IpAddress.ReadIpv4(message[4..]);
        int code = message[1];
        if (message.Length == 8)
        {
            // RFC 2236 4: version 1 has no maximum response time and means 10 seconds.
            query = new MulticastQuery(default, 4, code == 0 ? 1 : 2, group, code == 0 ? 10_000 : code * 100);
            return true;
        }

        if (message.Length < 12)
        {
            return false;
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(message[10..]);
        if (message.Length - 12 < count * 4)
        {
            return false;
        }

        int tenths = code < 128 ? code : ((code & 15) | 16) << (((code >> 4) & 7) + 3);
        query = new MulticastQuery(message.Slice(12, count * 4), 4, 3, group, tenths * 100);
        return true;
    }

    /// <summary>Reads an MLD query, from the ICMPv6 type on; false where its length is none of RFC 3810 8.1.</summary>
    public static bool TryParseMld(ReadOnlySpan<byte> message, out MulticastQuery query)
    {
        query = default;
        if (message.Length < 24 || message[0] != Icmpv6Type.MulticastListenerQuery)
        {
            return false;
        }

        IpAddress group = IpAddress.ReadIpv6(message[8..]);
        int code = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        if (message.Length == 24)
        {
            query = new MulticastQuery(default, 16, 1, group, code);
            return true;
        }

        if (message.Length < 28)
        {
            return false;
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(message[26..]);
        if (message.Length - 28 < count * 16)
        {
            return false;
        }

        int millis = code < 32768 ? code : ((code & 0xFFF) | 0x1000) << (((code >> 12) & 7) + 3);
        query = new MulticastQuery(message.Slice(28, count * 16), 16, 2, group, millis);
        return true;
    }

    /// <summary>Writes an IGMPv3 query with its checksum; 12 bytes and 4 for each source.</summary>
    public static int WriteIgmp(Span<byte> message, byte maxResponseCode, in IpAddress group, ReadOnlySpan<IpAddress> sources = default)
    {
        int length = 12 + (sources.Length * 4);
        message[..12].Clear();
        message[0] = IgmpType.MembershipQuery;
        message[1] = maxResponseCode;
        group.WriteIpv4(message[4..]);
        message[8] = 2;
        message[9] = 125;
        BinaryPrimitives.WriteUInt16BigEndian(message[10..], (ushort)sources.Length);
        for (int i = 0; i < sources.Length; i++)
        {
            sources[i].WriteIpv4(message[(12 + (i * 4))..]);
        }

        IcmpHeader.WriteChecksum(message[..length]);
        return length;
    }

    /// <summary>Writes an MLDv2 query with checksum 0; 28 bytes and 16 for each source.</summary>
    public static int WriteMld(Span<byte> message, ushort maxResponseCode, in IpAddress group, ReadOnlySpan<IpAddress> sources = default)
    {
        message[..28].Clear();
        message[0] = Icmpv6Type.MulticastListenerQuery;
        BinaryPrimitives.WriteUInt16BigEndian(message[4..], maxResponseCode);
        group.WriteIpv6(message[8..]);
        message[24] = 2;
        message[25] = 125;
        BinaryPrimitives.WriteUInt16BigEndian(message[26..], (ushort)sources.Length);
        for (int i = 0; i < sources.Length; i++)
        {
            sources[i].WriteIpv6(message[(28 + (i * 16))..]);
        }

        return 28 + (sources.Length * 16);
    }
}

/// <summary>Writes and reads the reports of IGMPv3 (RFC 3376 4.2) and MLDv2 (RFC 3810 5.2), which differ only in their addresses.</summary>
public static class MulticastReport
{
    /// <summary>Bytes before the group records, for both protocols.</summary>
    public const int HeaderLength = 8;

    /// <summary>Bytes of a group record without sources.</summary>
    public static int RecordLength(bool isIpv4) => isIpv4 ? 8 : 20;

    /// <summary>Writes a report's first 8 bytes with checksum 0.</summary>
    public static void WriteHeader(Span<byte> message, bool isIpv4, int recordCount) =>
        IcmpHeader.Write(
            message, isIpv4 ? IgmpType.MembershipReportV3 : Icmpv6Type.MulticastListenerReportV2, 0, (ushort)recordCount);

    /// <summary>Writes a group record and returns its bytes.</summary>
    public static int WriteRecord(
        Span<byte> record, MulticastRecordType type, in IpAddress group, ReadOnlySpan<IpAddress> sources = default)
    {
        record[0] = (byte)type;
        record[1] = 0;
        BinaryPrimitives.WriteUInt16BigEndian(record[2..], (ushort)sources.Length);
        int position = 4 + WriteAddress(record[4..], group);
        foreach (IpAddress source in sources)
        {
            position += WriteAddress(record[position..], source);
        }

        return position;
    }

    /// <summary>
    /// Reads the group record at the start of <paramref name="records"/> and says how many bytes it takes; false where it is cut off.
    /// </summary>
    public static bool TryReadRecord(
        ReadOnlySpan<byte> records, bool isIpv4, out MulticastRecordType type, out IpAddress group, out int sourceCount, out int length)
    {
        type = default;
        group = default;
        sourceCount = 0;
        length = 0;
        int addressLength = isIpv4 ? 4 : 16;
        if (records.Length < 4 + addressLength)
        {
            return false;
        }

        type = (MulticastRecordType)records[0];
        sourceCount = BinaryPrimitives.ReadUInt16BigEndian(records[2..]);
        group = isIpv4 ? IpAddress.ReadIpv4(records[4..]) : IpAddress.ReadIpv6(records[4..]);
        length = 4 + addressLength + (sourceCount * addressLength) + (records[1] * 4);
        return length <= records.Length;
    }

    /// <summary>Writes an IGMPv1 or v2 report or a leave, 8 bytes with the checksum (RFC 2236 2).</summary>
    public static void WriteIgmpV2(Span<byte> message, byte type, in IpAddress group)
    {
        IcmpHeader.Write(message, type, 0, group.Ipv4Value);
        IcmpHeader.WriteChecksum(message[..8]);
    }

    /// <summary>Writes an MLDv1 report or done, 24 bytes with checksum 0 (RFC 2710 3).</summary>
    public static void WriteMldV1(Span<byte> message, byte type, in IpAddress group)
    {
        IcmpHeader.Write(message, type, 0, 0);
        group.WriteIpv6(message[8..]);
    }

    private static int WriteAddress(Span<byte> destination, in IpAddress address)
    {
        if (address.IsIpv4)
        {
            address.WriteIpv4(destination);
            return 4;
        }

        address.WriteIpv6(destination);
        return 16;
    }
}
