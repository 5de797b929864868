using System.Text;

namespace Portico.Linux;

/// <summary>Names in the form that DNS has on the wire (RFC 1035 3.1), in lower case.</summary>
internal static class DnsName
{
    /// <summary>The most bytes of a name, its final 0 included.</summary>
    public const int BytesMax = 255;

    /// <summary>Encodes a name of letters, digits, '-' and '_'; a dot at its end is allowed.</summary>
    public static bool TryEncode(string text, out byte[] name)
    {
        name = [];
        string plain = text.EndsWith('.') ? text[..^1] : text;
        List<byte> encoded = [];
        foreach (string label in plain.Split('.'))
        {
            if (label.Length is 0 or > 63 || !label.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_'))
            {
                return false;
            }

            encoded.Add((byte)label.Length);
            encoded.AddRange(Encoding.ASCII.GetBytes(label.ToLowerInvariant()));
        }

        encoded.Add(0);
        name = [.. encoded];
        return name.Length <= BytesMax;
    }

    /// <summary>
    /// Reads a name out of a message, with its compression, in lower case; <paramref name="next"/> is what follows it. False where it is
    /// broken: pointers may only lead back, so that none leads in a circle.
    /// </summary>
    public static bool TryRead(ReadOnlySpan<byte> message, int offset, Span<byte> name, out int length, out int next)
    {
        length = 0;
        next = 0;
        int at = offset;
        int limit = message.Length;
        while (at < limit)
        {
            int label = message[at];
            if (label >= 0xC0)
            {
                int target = at + 1 < limit ? ((label & 0x3F) << 8) | message[at + 1] : int.MaxValue;
                next = next == 0 ? at + 2 : next;
                if (target >= at)
                {
                    return false;
                }

                limit = at;
                at = target;
                continue;
            }

            if (label > 63 || at + 1 + label > limit || length + label + 2 > BytesMax + (label == 0 ? 1 : 0))
            {
                return false;
            }

            name[length++] = (byte)label;
            at++;
            if (label == 0)
            {
                next = next == 0 ? at : next;
                return true;
            }

            for (int i = 0; i < label; i++, at++)
            {
                byte c = message[at];
                name[length++] = c is >= (byte)'A' and <= (byte)'Z' ? (byte)(c | 0x20) : c;
            }
        }

        return false;
    }
}
