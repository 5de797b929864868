using System.Buffers.Binary;

namespace Portico.Linux;

/// <summary>The question of a message, without its name.</summary>
internal readonly record struct DnsQuestion(int NameLength, ushort Type, ushort Class, int End);

/// <summary>A resource record of a message, without its name.</summary>
internal readonly record struct DnsRecord(int NameLength, ushort Type, ushort Class, uint TimeToLive, int DataOffset, int DataLength);

/// <summary>Reads messages (RFC 1035 4), and writes the replies that need no name server.</summary>
internal static class DnsMessage
{
    public const int HeaderLength = 12;
    public const int UdpLengthMin = 512;

    public const ushort TypeA = 1;
    public const ushort TypeCname = 5;
    public const ushort TypePtr = 12;
    public const ushort TypeAaaa = 28;
    public const ushort TypeOpt = 41;
    public const ushort TypeAny = 255;
    public const ushort ClassIn = 1;

    public const byte ServerFailure = 2;
    public const byte NameError = 3;
    public const byte NotImplemented = 4;
    public const byte Refused = 5;

    // Extended DNS errors (RFC 8914).
    public const ushort NoExtendedError = 0;
    public const ushort Blocked = 15;
    public const ushort NotAuthoritative = 20;
    public const ushort NoReachableAuthority = 22;

    private const int OptLength = 11;
    private const int ExtendedErrorLength = 6;
    private const ushort OptionExtendedError = 15;

    public static ushort Id(ReadOnlySpan<byte> message) => BinaryPrimitives.ReadUInt16BigEndian(message);

    public static bool IsResponse(ReadOnlySpan<byte> message) => (message[2] & 0x80) != 0;

    public static int Opcode(ReadOnlySpan<byte> message) => (message[2] >> 3) & 15;

    public static byte ResponseCode(ReadOnlySpan<byte> message) => (byte)(message[3] & 15);

    public static int Count(ReadOnlySpan<byte> message, int section) =>
        BinaryPrimitives.ReadUInt16BigEndian(message[(4 + (section * 2))..]);

    /// <summary>Reads the only question of a message into <paramref name="name"/>; false where it has none, or several.</summary>
    public static bool TryReadQuestion(ReadOnlySpan<byte> message, Span<byte> name, out DnsQuestion question)
    {
        question = default;
        if (message.Length < HeaderLength || Count(message, 0) != 1
            || !DnsName.TryRead(message, HeaderLength, name, out int length, out int next) || next + 4 > message.Length)
        {
            return false;
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(message[next..]);
        ushort @class = BinaryPrimitives.ReadUInt16BigEndian(message[(next + 2)..]);
        question = new DnsQuestion(length, type, @class, next + 4);
        return true;
    }

    /// <summary>Reads the record at <paramref name="offset"/>, and moves that behind it.</summary>
    public static bool TryReadRecord(ReadOnlySpan<byte> message, ref int offset, Span<byte> name, out DnsRecord record)
    {
        record = default;
        if (!DnsName.TryRead(message, offset, name, out int nameLength, out int next) || next + 10 > message.Length)
        {
            return false;
        }

        ReadOnlySpan<byte> head = message[next..];
        int length = BinaryPrimitives.ReadUInt16BigEndian(head[8..]);
        offset = next + 10 + length;
        record = new DnsRecord(
            nameLength,
            BinaryPrimitives.ReadUInt16BigEndian(head),
            BinaryPrimitives.ReadUInt16BigEndian(head[2..]),
            BinaryPrimitives.ReadUInt32BigEndian(head[4..]),
            next + 10,
            length);
        return offset <= message.Length;
    }

    /// <summary>The largest answer that a query by UDP asks for (RFC 6891 6.2.3), and whether it speaks EDNS at all.</summary>
    public static bool HasOpt(ReadOnlySpan<byte> query, int questionEnd, out int udpLengthMax)
    {
        Span<byte> name = stackalloc byte[DnsName.BytesMax];
        int offset = questionEnd;
        int records = Count(query, 1) + Count(query, 2) + Count(query, 3);
        for (int i = 0; i < records && TryReadRecord(query, ref offset, name, out DnsRecord record); i++)
        {
            if (record.Type == TypeOpt)
            {
                udpLengthMax = Math.Max((int)record.Class, UdpLengthMin);
                return true;
            }
        }

        udpLengthMax = UdpLengthMin;
        return false;
    }

    /// <summary>
    /// Begins a reply: the header, without records, and the question. RA is set, as a resolver has it; a query's RD is kept.
    /// </summary>
    public static int WriteHead(ReadOnlySpan<byte> query, int questionEnd, byte responseCode, bool isAuthoritative, Span<byte> reply)
    {
        query[..questionEnd].CopyTo(reply);
        reply[2] = (byte)(0x80 | (query[2] & 0x79) | (isAuthoritative ? 4 : 0));
        reply[3] = (byte)(0x80 | responseCode);
        reply[6..HeaderLength].Clear();
        return questionEnd;
    }

    /// <summary>The bytes of an OPT record, which a reply to a query with one has (RFC 6891 6.1.1).</summary>
    public static int OptLengthOf(ushort extendedError) => OptLength + (extendedError == NoExtendedError ? 0 : ExtendedErrorLength);

    /// <summary>Adds an OPT record to a reply, and returns its new length.</summary>
    public static int WriteOpt(Span<byte> reply, int length, ushort extendedError)
    {
        Span<byte> opt = reply.Slice(length, OptLengthOf(extendedError));
        opt.Clear();
        BinaryPrimitives.WriteUInt16BigEndian(opt[1..], TypeOpt);

        // What fits everywhere without fragments (DNS flag day 2020).
        BinaryPrimitives.WriteUInt16BigEndian(opt[3..], 1232);
        if (extendedError != NoExtendedError)
        {
            BinaryPrimitives.WriteUInt16BigEndian(opt[9..], ExtendedErrorLength);
            BinaryPrimitives.WriteUInt16BigEndian(opt[11..], OptionExtendedError);
            BinaryPrimitives.WriteUInt16BigEndian(opt[13..], 2);
            BinaryPrimitives.WriteUInt16BigEndian(opt[15..], extendedError);
        }

        BinaryPrimitives.WriteUInt16BigEndian(reply[10..], (ushort)(Count(reply, 3) + 1));
        return length + opt.Length;
    }

    /// <summary>Writes a reply that says no, and why where the query speaks EDNS.</summary>
    public static int WriteRefusal(ReadOnlySpan<byte> query, int questionEnd, byte responseCode, ushort extendedError, Span<byte> reply)
    {
        int length = WriteHead(query, questionEnd, responseCode, false, reply);
        return HasOpt(query, questionEnd, out _) ? WriteOpt(reply, length, extendedError) : length;
    }
}
