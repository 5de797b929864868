using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A name server's message (RFC 1035 4) in words. What is broken is left out, never followed.</summary>
internal static class DnsText
{
    private const int HeaderBytes = 12;
    private const int AddressesMax = 4;
    private const ushort TypeA = 1;
    private const ushort TypeAaaa = 28;

    /// <summary>The question, as "A example.com"; null where there is none.</summary>
    public static string? Question(ReadOnlySpan<byte> message, out bool isAnswer)
    {
        isAnswer = message.Length >= HeaderBytes && (message[2] & 0x80) != 0;
        if (message.Length < HeaderBytes || BinaryPrimitives.ReadUInt16BigEndian(message[4..]) == 0)
        {
            return null;
        }

        StringBuilder name = new();
        int end = ReadName(message, HeaderBytes, name);
        return end == 0 || end + 4 > message.Length
            ? null
            : $"{TypeName(BinaryPrimitives.ReadUInt16BigEndian(message[end..]))} {(name.Length == 0 ? "." : name)}";
    }

    /// <summary>The answer: addresses, how many records there are of other types, or the error.</summary>
    public static string Answer(ReadOnlySpan<byte> message)
    {
        int code = message[3] & 15;
        if (code != 0)
        {
            return CodeName(code);
        }

        int records = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        if (records == 0)
        {
            return (message[2] & 2) != 0 ? "truncated" : "no such record";
        }

        List<string> addresses = [];
        int at = ReadName(message, HeaderBytes, null) + 4;
        for (int i = 0; i < records && at > 4 && addresses.Count < AddressesMax; i++)
        {
            at = ReadName(message, at, null);
            if (at == 0 || at + 10 > message.Length)
            {
                break;
            }

            ushort type = BinaryPrimitives.ReadUInt16BigEndian(message[at..]);
            int length = BinaryPrimitives.ReadUInt16BigEndian(message[(at + 8)..]);
            at += 10;
            if (at + length > message.Length)
            {
                break;
            }

            if (type == TypeA && length == 4)
            {
                addresses.Add(IpAddress.ReadIpv4(message[at..]).ToString());
            }
            else if (type == TypeAaaa && length == 16)
            {
                addresses.Add(IpAddress.ReadIpv6(message[at..]).ToString());
            }

            at += length;
        }

        return addresses.Count > 0
            ? string.Join(", ", addresses)
            : records.ToString(CultureInfo.InvariantCulture) + (records == 1 ? " record" : " records");
    }

    /// <summary>
    /// Where the name at <paramref name="at"/> ends, or 0; its labels go to <paramref name="name"/> where it is not compressed.
    /// </summary>
    private static int ReadName(ReadOnlySpan<byte> message, int at, StringBuilder? name)
    {
        while (at < message.Length)
        {
            int label = message[at];
            if (label == 0)
            {
                return at + 1;
            }

            if (label >= 0xC0)
            {
                return at + 2;
            }

            if (label > 63 || at + label >= message.Length)
            {
                return 0;
            }

            if (name != null)
            {
                if (name.Length > 0)
                {
                    name.Append('.');
                }

                foreach (byte b in message.Slice(at + 1, label))
                {
                    // A trace goes to terminals: what is no plain character of a name is shown as RFC 1035 5.1 has it.
                    if (b is > 0x20 and < 0x7F)
                    {
                        name.Append((char)b);
                    }
                    else
                    {
                        name.Append(CultureInfo.InvariantCulture, $"\\{b:D3}");
                    }
                }
            }

            at += label + 1;
        }

        return 0;
    }

    private static string TypeName(ushort type) => type switch
    {
        TypeA => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        15 => "MX",
        16 => "TXT",
        TypeAaaa => "AAAA",
        33 => "SRV",
        64 => "SVCB",
        65 => "HTTPS",
        255 => "ANY",
        _ => $"TYPE{type.ToString(CultureInfo.InvariantCulture)}",
    };

    private static string CodeName(int code) => code switch
    {
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        _ => $"RCODE{code.ToString(CultureInfo.InvariantCulture)}",
    };
}
