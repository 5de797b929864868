using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Linux;

/// <summary>The few names that the gateway answers by itself (RFC 1035); all others are the host's resolvers' business.</summary>
public sealed class DnsNames
{
    private const uint TimeToLiveSeconds = 60;
    private const byte Truncated = 2;

    private readonly List<(byte[] Name, ushort Type, byte[] Data)> _records = [];
    private readonly List<(byte[] Name, IpAddress Address)> _addresses = [];

    /// <summary>The names, encoded, and their addresses.</summary>
    internal IReadOnlyList<(byte[] Name, IpAddress Address)> Addresses => _addresses;

    /// <summary>Whether a text can be a name here: labels of ASCII letters, digits, '-' and '_'.</summary>
    public static bool IsName(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return DnsName.TryEncode(text, out _);
    }

    /// <summary>Adds an address of a name, and the name of the address; names are compared without regard to case.</summary>
    public void Add(string name, IpAddress address)
    {
        ArgumentNullException.ThrowIfNull(name);
        if (!DnsName.TryEncode(name, out byte[] encoded))
        {
            throw new ArgumentException($"not a name: '{name}'");
        }

        byte[] bytes = new byte[address.WireLength];
        if (address.IsIpv4)
        {
            address.WriteIpv4(bytes);
        }
        else
        {
            address.WriteIpv6(bytes);
        }

        DnsName.TryEncode(ReverseName(bytes), out byte[] reverse);
        _records.Add((encoded, address.IsIpv4 ? DnsMessage.TypeA : DnsMessage.TypeAaaa, bytes));
        _records.Add((reverse, DnsMessage.TypePtr, encoded));
        _addresses.Add((encoded, address));
    }

    /// <summary>
    /// Writes the answer to a query for one of the names; false where the query is for another name, or is none that can be answered
    /// here. A type that the name does not have is answered with no records; what does not fit into <paramref name="answer"/> is left
    /// out, and the answer says so.
    /// </summary>
    public bool TryAnswer(ReadOnlySpan<byte> query, Span<byte> answer, out int length)
    {
        length = 0;
        Span<byte> name = stackalloc byte[DnsName.BytesMax];
        if (!DnsMessage.TryReadQuestion(query, name, out DnsQuestion question) || question.Class != DnsMessage.ClassIn
            || DnsMessage.IsResponse(query) || DnsMessage.Opcode(query) != 0 || question.End > answer.Length)
        {
            return false;
        }

        bool hasOpt = DnsMessage.HasOpt(query, question.End, out _);
        int limit = answer.Length - (hasOpt ? DnsMessage.OptLengthOf(DnsMessage.NoExtendedError) : 0);
        bool known = false;
        ushort count = 0;
        length = DnsMessage.WriteHead(query, question.End, 0, true, answer);
        foreach ((byte[] own, ushort type, byte[] data) in _records)
        {
            if (!name[..question.NameLength].SequenceEqual(own))
            {
                continue;
            }

            known = true;
            if (type != question.Type && question.Type != DnsMessage.TypeAny)
            {
                continue;
            }

            if (length + 12 + data.Length > limit)
            {
                answer[2] |= Truncated;
                break;
            }

            count++;
            length += WriteRecord(answer[length..], type, data);
        }

        BinaryPrimitives.WriteUInt16BigEndian(answer[6..], count);
        length = hasOpt && known ? DnsMessage.WriteOpt(answer, length, DnsMessage.NoExtendedError) : length;
        return known;
    }

    private static int WriteRecord(Span<byte> record, ushort type, ReadOnlySpan<byte> data)
    {
        BinaryPrimitives.WriteUInt16BigEndian(record, 0xC000 | DnsMessage.HeaderLength);
        BinaryPrimitives.WriteUInt16BigEndian(record[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(record[4..], DnsMessage.ClassIn);
        BinaryPrimitives.WriteUInt32BigEndian(record[6..], TimeToLiveSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(record[10..], (ushort)data.Length);
        data.CopyTo(record[12..]);
        return 12 + data.Length;
    }

    /// <summary>4.3.2.1.in-addr.arpa (RFC 1035 3.5), or 32 nibbles and ip6.arpa (RFC 3596 2.5).</summary>
    private static string ReverseName(ReadOnlySpan<byte> address)
    {
        StringBuilder text = new();
        for (int i = address.Length - 1; i >= 0; i--)
        {
            if (address.Length == 4)
            {
                text.Append(CultureInfo.InvariantCulture, $"{address[i]}.");
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"{address[i] & 15:x}.{address[i] >> 4:x}.");
            }
        }

        return text.Append(address.Length == 4 ? "in-addr.arpa" : "ip6.arpa").ToString();
    }
}
