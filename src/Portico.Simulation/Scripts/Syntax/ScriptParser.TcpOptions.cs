using System.Buffers.Binary;

namespace Portico.Simulation.Scripts;

// The options of TCP segments.
internal sealed partial class ScriptParser
{
    private const int OptionBytesMax = 40;

    /// <summary>The names in the order of the fields of an Accurate ECN option that begins with the first of them (RFC 9768 3.2.3).</summary>
    private static readonly string[] s_fieldsOfAccEcn0 = ["e0b", "ceb", "e1b"];
    private static readonly string[] s_fieldsOfAccEcn1 = ["e1b", "ceb", "e0b"];

    /// <summary>Null for &lt;...&gt;, which stands for any.</summary>
    private List<TcpOptionBytes>? ParseTcpOptions(bool isInbound)
    {
        List<TcpOptionBytes> options = [];
        ScriptPosition position = _token.Position;
        if (!TryTakeSymbol('<'))
        {
            return options;
        }

        if (_token.Kind == TokenKind.Ellipsis)
        {
            Take();
            TakeSymbol('>');
            return isInbound ? throw _lexer.Error(position, "expected options: <...> is for outbound packets") : null;
        }

        do
        {
            options.Add(ParseTcpOption());
        }
        while (TryTakeSymbol(','));
        if (!TryTakeSymbol('>'))
        {
            throw Expected("',' or '>'");
        }

        int length = options.Sum(static option => option.Length);
        if (length % 4 != 0 || length > OptionBytesMax)
        {
            throw _lexer.Error(position, $"expected options of a multiple of four bytes, at most {OptionBytesMax}, found {length}");
        }

        return options;
    }

    private TcpOptionBytes ParseTcpOption()
    {
        Token token = _token;
        switch (TakeWord("a TCP option"))
        {
            case "nop":
                return new TcpOptionBytes(TcpOptionBytes.NoOperation, []);
            case "eol":
                return new TcpOptionBytes(TcpOptionBytes.EndOfList, []);
            case "mss":
                return new TcpOptionBytes(TcpOptionBytes.MaximumSegmentSize, Big16((ushort)TakeInteger("a segment size", 0, ushort.MaxValue)));
            case "wscale":
                return new TcpOptionBytes(TcpOptionBytes.WindowScale, [(byte)TakeInteger("a shift count", 0, byte.MaxValue)]);
            case "sackOK":
                return new TcpOptionBytes(TcpOptionBytes.SackPermitted, []);
            case "sack":
                return ParseSack();
            case "TS":
                return ParseTimestamps();
            case "md5":
                return new TcpOptionBytes(TcpOptionBytes.Md5, ParseHexadecimal(isRequired: true));
            case "FO":
                return new TcpOptionBytes(TcpOptionBytes.FastOpen, ParseHexadecimal(isRequired: false));
            case "FOEXP":
                return new TcpOptionBytes(TcpOptionBytes.Experimental, [0xF9, 0x89, .. ParseHexadecimal(isRequired: false)]);
            case "ECN":
                return ParseAccEcn();
            default:
                throw _lexer.Error(token.Position, $"expected nop, eol, mss, wscale, sackOK, sack, TS, md5, FO, FOEXP or ECN, found {token.Describe()}");
        }
    }

    private TcpOptionBytes ParseSack()
    {
        List<byte> blocks = [];
        do
        {
            blocks.AddRange(Big32((uint)TakeInteger("a sequence number", 0, uint.MaxValue)));
            TakeSymbol(':');
            blocks.AddRange(Big32((uint)TakeInteger("a sequence number", 0, uint.MaxValue)));
        }
        while (_token.Kind == TokenKind.Integer);
        return new TcpOptionBytes(TcpOptionBytes.Sack, [.. blocks]);
    }

    private TcpOptionBytes ParseTimestamps()
    {
        if (!TryTakeWord("val"))
        {
            throw Expected("val and the timestamp");
        }

        byte[] value = Big32((uint)TakeInteger("a timestamp", 0, uint.MaxValue));
        if (!TryTakeWord("ecr"))
        {
            throw Expected("ecr and the timestamp that is echoed");
        }

        return new TcpOptionBytes(TcpOptionBytes.Timestamps, [.. value, .. Big32((uint)TakeInteger("a timestamp", 0, uint.MaxValue))]);
    }

    /// <summary>Bytes as hexadecimal digits without 0x.</summary>
    private byte[] ParseHexadecimal(bool isRequired)
    {
        if (_token.Kind is not (TokenKind.Word or TokenKind.Integer))
        {
            return isRequired ? throw Expected("hexadecimal digits") : [];
        }

        string digits = _token.Text;
        if (digits.Length % 2 != 0 || digits.Length > 2 * OptionBytesMax || !digits.All(char.IsAsciiHexDigit))
        {
            throw Expected("an even number of hexadecimal digits");
        }

        Take();
        return Convert.FromHexString(digits);
    }

    private TcpOptionBytes ParseAccEcn()
    {
        if (!_token.IsWord("e0b") && !_token.IsWord("e1b"))
        {
            throw Expected("e0b or e1b");
        }

        bool beginsWithEct1 = _token.IsWord("e1b");
        List<byte> fields = [];
        foreach (string name in beginsWithEct1 ? s_fieldsOfAccEcn1 : s_fieldsOfAccEcn0)
        {
            if (!TryTakeWord(name))
            {
                break;
            }

            fields.AddRange(Big32((uint)TakeInteger("a count of bytes", 0, 0xFFFFFF))[1..]);
        }

        return new TcpOptionBytes(beginsWithEct1 ? TcpOptionBytes.AccEcn1 : TcpOptionBytes.AccEcn0, [.. fields]);
    }

    private static byte[] Big16(ushort value)
    {
        byte[] bytes = new byte[2];
        BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Big32(uint value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, value);
        return bytes;
    }
}
