namespace Portico.Simulation.Scripts;

// Packets, as tcpdump would write them.
internal sealed partial class ScriptParser
{
    private static readonly string[] s_encapsulations = ["ipv4", "ipv6", "gre", "GREv0", "mpls", "encap"];

    private PacketTemplate ParsePacket()
    {
        ScriptPosition position = _token.Position;
        bool isInbound = Take().IsSymbol('<');
        if (_token.Kind == TokenKind.Word && s_encapsulations.Contains(_token.Text))
        {
            throw Expected("a TCP, UDP or ICMP packet: packets in packets are not supported");
        }

        IpTemplate ip = ParseIpHeader(isInbound);
        if (TryTakeWord("icmp"))
        {
            return ParseIcmp(position, isInbound, ip);
        }

        bool isUdp = TryTakeWord("udp");
        (ushort source, ushort destination) = ParsePorts();
        if (!isUdp)
        {
            return ParseTcp(position, isInbound, ip, source, destination);
        }

        if (ip.TosCheck is TosCheck.Ecn)
        {
            throw _lexer.Error(position, "expected no ECN marks on a UDP packet");
        }

        TakeSymbol('(');
        int length = (int)TakeInteger("a length", 0, ushort.MaxValue);
        TakeSymbol(')');
        return new UdpTemplate(position, isInbound, ip, source, destination, length);
    }

    /// <summary>(ttl 64), [ect0], [tos 0x10], [flowlabel 0x1], [ce, flowlabel 0x1]</summary>
    private IpTemplate ParseIpHeader(bool isInbound)
    {
        bool isRound = _token.IsSymbol('(');
        if (!isRound && !_token.IsSymbol('['))
        {
            return default;
        }

        Take();
        IpTemplate ip = default;
        do
        {
            ip = ParseIpField(ip, isInbound);
        }
        while (TryTakeSymbol(','));
        TakeSymbol(isRound ? ')' : ']');
        return ip;
    }

    private IpTemplate ParseIpField(IpTemplate ip, bool isInbound)
    {
        Token field = _token;
        string name = TakeWord("noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel");
        switch (name)
        {
            case "noecn" or "ect0" or "ect1" or "ce":
                return ip with { TosCheck = TosCheck.Ecn, Tos = name switch { "noecn" => 0, "ect1" => 1, "ect0" => 2, _ => 3 } };
            case "ect01":
                return isInbound
                    ? throw _lexer.Error(field.Position, "expected one code point: [ect01] is for outbound packets")
                    : ip with { TosCheck = TosCheck.EitherEct };
            case "tos":
                return ip with { TosCheck = TosCheck.All, Tos = (byte)TakeInteger("a traffic class", 0, byte.MaxValue, takesHexadecimal: true) };
            case "ttl":
                return ip with { Ttl = (byte)TakeInteger("a time to live", 0, byte.MaxValue) };
            case "flowlabel":
                return ip with { FlowLabel = (uint)TakeInteger("a flow label", 0, 0xFFFFF, takesHexadecimal: true) };
            default:
                throw _lexer.Error(field.Position, $"expected noecn, ect0, ect1, ect01, ce, tos, ttl or flowlabel, found {field.Describe()}");
        }
    }

    private (ushort Source, ushort Destination) ParsePorts()
    {
        if (_token.Kind != TokenKind.Integer)
        {
            return default;
        }

        ushort source = (ushort)TakeInteger("a port", 0, ushort.MaxValue);
        TakeSymbol('>');
        return (source, (ushort)TakeInteger("a port", 0, ushort.MaxValue));
    }

    private TcpTemplate ParseTcp(ScriptPosition position, bool isInbound, IpTemplate ip, ushort source, ushort destination)
    {
        TcpFlagBits flags = ParseFlags(out bool hasAce);
        (uint sequence, int length) = ParseSequence();
        uint acknowledgment = TryTakeWord("ack") ? (uint)TakeInteger("an acknowledgment number", 0, uint.MaxValue) : 0;
        ushort? window = TryTakeWord("win") ? (ushort)TakeInteger("a window", 0, ushort.MaxValue) : null;
        if (window == null && isInbound)
        {
            throw Expected("win and the window, which an inbound packet has to have");
        }

        ushort urgent = TryTakeWord("urg") ? (ushort)TakeInteger("an urgent pointer", 0, ushort.MaxValue) : (ushort)0;
        List<TcpOptionBytes>? options = ParseTcpOptions(isInbound);
        return new TcpTemplate(
            position, isInbound, ip, source, destination, flags, hasAce, sequence, length, acknowledgment, window, urgent, options);
    }

    /// <summary>Letters for flags, '.' for ACK, a digit of 1 to 7 for the ACE field; '-' for none.</summary>
    private TcpFlagBits ParseFlags(out bool hasAce)
    {
        Token start = _token;
        string letters = "";
        if (_token.Kind == TokenKind.Word)
        {
            letters = Take().Text;
        }
        else if (TryTakeSymbol('-'))
        {
            hasAce = false;
            return TcpFlagBits.None;
        }

        // ".5" has been read as a fraction.
        if (_token.IsSymbol('.') || _token.Kind == TokenKind.Fraction)
        {
            letters += Take().Text;
        }

        if (letters.Length == 0)
        {
            throw Expected("the flags of a TCP segment, icmp or udp");
        }

        TcpFlagBits flags = TcpFlagBits.None;
        int ace = -1;
        foreach (char letter in letters)
        {
            if (letter is >= '0' and <= '7' && ace < 0)
            {
                ace = letter - '0';
                continue;
            }

            flags |= letter switch
            {
                'F' => TcpFlagBits.Fin,
                'S' => TcpFlagBits.Syn,
                'R' => TcpFlagBits.Rst,
                'P' => TcpFlagBits.Psh,
                '.' => TcpFlagBits.Ack,
                'U' => TcpFlagBits.Urg,
                'E' => TcpFlagBits.Ece,
                'W' => TcpFlagBits.Cwr,
                'A' => TcpFlagBits.Ae,
                _ => throw _lexer.Error(start.Position, $"expected flags of F, S, R, P, ., U, E, W, A and one digit of 0 to 7, found '{letters}'"),
            };
        }

        if (ace >= 0 && (flags & (TcpFlagBits.Ece | TcpFlagBits.Cwr | TcpFlagBits.Ae)) != 0)
        {
            throw _lexer.Error(start.Position, "expected either E, W and A or a digit, which stands for them");
        }

        hasAce = ace > 0;
        if (hasAce)
        {
            flags |= ((ace & 1) != 0 ? TcpFlagBits.Ece : 0) | ((ace & 2) != 0 ? TcpFlagBits.Cwr : 0) | ((ace & 4) != 0 ? TcpFlagBits.Ae : 0);
        }

        return flags;
    }

    /// <summary>first:last(length)</summary>
    private (uint Sequence, int Length) ParseSequence()
    {
        ScriptPosition position = _token.Position;
        long first = TakeInteger("a sequence number", 0, uint.MaxValue);
        TakeSymbol(':');
        long last = TakeInteger("a sequence number", 0, uint.MaxValue);
        TakeSymbol('(');
        long length = TakeInteger("a length", 0, ushort.MaxValue);
        TakeSymbol(')');
        return last != first + length
            ? throw _lexer.Error(position, $"expected {first}:{first + length}({length}): the numbers have to differ by the length")
            : ((uint)first, (int)length);
    }

    private IcmpTemplate ParseIcmp(ScriptPosition position, bool isInbound, IpTemplate ip)
    {
        string type = TakeWord("an ICMP type's name");
        string? code = _token.Kind == TokenKind.Word && _token.Text is not ("mtu" or "id") ? Take().Text : null;
        uint? mtu = TryTakeWord("mtu") ? (uint)TakeInteger("an MTU", 0, uint.MaxValue) : null;
        ushort echoId = TryTakeWord("id") ? (ushort)TakeInteger("an identifier", 0, ushort.MaxValue) : (ushort)0;
        IcmpQuote quote = IcmpQuote.Tcp;
        uint sequence = 0;
        int length = 0;
        if (TryTakeSymbol('['))
        {
            if (_token.IsWord("udp") || _token.IsWord("raw"))
            {
                quote = Take().Text == "udp" ? IcmpQuote.Udp : IcmpQuote.Raw;
                TakeSymbol('(');
                length = (int)TakeInteger("a length", 0, ushort.MaxValue);
                TakeSymbol(')');
            }
            else
            {
                (sequence, length) = ParseSequence();
            }

            TakeSymbol(']');
        }

        if (IcmpNames.FindType(type, isIpv6: false) == null && IcmpNames.FindType(type, isIpv6: true) == null)
        {
            throw _lexer.Error(position, $"expected an ICMP type's name, found '{type}'");
        }

        return new IcmpTemplate(position, isInbound, ip, type, code, mtu, echoId, quote, sequence, length);
    }
}
