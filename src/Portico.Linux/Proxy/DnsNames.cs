using System.Buffers.Binary;
using System.Text;
using Portico.Net;

namespace Portico.Linux;

/// <summary>The few names that the gateway answers by itself (RFC 1035); all others are the host's resolvers' business.</summary>
public sealed class DnsNames
{
    private const int HeaderBytes = 12;
    private const int NameBytesMax = 255;
    private const ushort TypeA = 1;
    private const ushort TypeAaaa = 28;
    private const ushort ClassIn = 1;
    private const uint TimeToLiveSeconds = 60;

    private readonly List<(byte[] Name, IpAddress Address)> _names = [];

    /// <summary>Adds an address of a name; names are compared without regard to case.</summary>
    public void Add(string name, IpAddress address)
    {
        ArgumentNullException.ThrowIfNull(name);
        List<byte> encoded = [];
        foreach (string label in name.ToLowerInvariant().Split('.'))
        {
            if (label.Length is 0 or > 63)
            {
                throw new ArgumentException($"not a name: '{name}'");
            }

            encoded.Add((byte)label.Length);
            encoded.AddRange(Encoding.ASCII.GetBytes(label));
        }

        encoded.Add(0);
        _names.Add(([.. encoded], address));
    }

    /// <summary>
    /// Writes the answer to a query for one of the names; false where the query is for another name, or is none that can be answered
    /// here. A type that the name does not have is answered with no records.
    /// </summary>
    public bool TryAnswer(ReadOnlySpan<byte> query, Span<byte> answer, out int length)
    {
        length = 0;

        // One question, and a plain query (opcode 0, QR 0).
        if (query.Length < HeaderBytes || (query[2] & 0xF8) != 0 || BinaryPrimitives.ReadUInt16BigEndian(query[4..]) != 1)
        {
            return false;
        }

        Span<byte> name = stackalloc byte[NameBytesMax];
        int nameLength = ReadName(query[HeaderBytes..], name);
        int questionEnd = HeaderBytes + nameLength + 4;
        if (nameLength == 0 || questionEnd > query.Length
            || BinaryPrimitives.ReadUInt16BigEndian(query[(questionEnd - 2)..]) != ClassIn)
        {
            return false;
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(query[(questionEnd - 4)..]);
        query[..questionEnd].CopyTo(answer);
        length = questionEnd;
        bool known = false;
        ushort records = 0;
        foreach ((byte[] own, IpAddress address) in _names)
        {
            if (!name[..nameLength].SequenceEqual(own))
            {
                continue;
            }

            known = true;
            if (type == (address.IsIpv4 ? TypeA : TypeAaaa))
            {
                records++;
                length += WriteRecord(answer[length..], type, address);
            }
        }

        // QR, AA, the query's RD, RA; no error.
        answer[2] = (byte)(0x84 | (query[2] & 1));
        answer[3] = 0x80;
        BinaryPrimitives.WriteUInt16BigEndian(answer[6..], records);
        answer[8..HeaderBytes].Clear();
        return known;
    }

    private static int WriteRecord(Span<byte> record, ushort type, IpAddress address)
    {
        BinaryPrimitives.WriteUInt16BigEndian(record, 0xC000 | HeaderBytes);
        BinaryPrimitives.WriteUInt16BigEndian(record[2..], type);
        BinaryPrimitives.WriteUInt16BigEndian(record[4..], ClassIn);
        BinaryPrimitives.WriteUInt32BigEndian(record[6..], TimeToLiveSeconds);
        BinaryPrimitives.WriteUInt16BigEndian(record[10..], (ushort)address.WireLength);
        if (address.IsIpv4)
        {
            address.WriteIpv4(record[12..]);
        }
        else
        {
            address.WriteIpv6(record[12..]);
        }

        return 12 + address.WireLength;
    }

    /// <summary>
    /// Copies the name in lower case; its length with the final 0, or 0 where it is broken. A question has no compression.
    /// </summary>
    private static int ReadName(ReadOnlySpan<byte> source, Span<byte> name)
    {
        int position = 0;
        while (position < source.Length && position < NameBytesMax)
        {
            int label = source[position];
            name[position++] = (byte)label;
            if (label == 0)
            {
                return position;
            }

            if (label > 63 || position + label > Math.Min(source.Length, NameBytesMax))
            {
                return 0;
            }

            for (int i = 0; i < label; i++, position++)
            {
                byte c = source[position];
                name[position] = c is >= (byte)'A' and <= (byte)'Z' ? (byte)(c | 0x20) : c;
            }
        }

        return 0;
    }
}
