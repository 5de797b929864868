using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>Packets in the words of scripts, so that a line of a trace can be put into one.</summary>
internal static class PacketText
{
    private static readonly string[] s_ecn = ["noecn", "ect1", "ect0", "ce"];

    public static string Show(ScriptPacket packet, bool showsWindow = true, bool showsOptions = true)
    {
        StringBuilder text = new();
        if (packet.IsTcp)
        {
            return ShowTcp(text, packet, showsWindow, showsOptions);
        }

        return packet.Protocol == IpProtocol.Udp
            ? string.Create(CultureInfo.InvariantCulture, $"udp {packet.SourcePort} > {packet.DestinationPort} ({packet.Payload.Length})")
            : packet.IsIcmp
            ? string.Create(CultureInfo.InvariantCulture, $"icmp {IcmpNames.NameOfType(packet.IcmpType, packet.IsIpv6)} code_{packet.IcmpCode}")
            : string.Create(CultureInfo.InvariantCulture, $"protocol {(int)packet.Protocol} ({packet.Payload.Length})");
    }

    private static string ShowTcp(StringBuilder text, ScriptPacket packet, bool showsWindow, bool showsOptions)
    {
        if ((packet.Tos & 3) != 0)
        {
            text.Append('[').Append(s_ecn[packet.Tos & 3]).Append("] ");
        }

        text.Append(Show(packet.Flags)).Append(CultureInfo.InvariantCulture, $" {packet.Sequence}:{packet.Sequence + packet.Payload.Length}({packet.Payload.Length})");
        if (packet.Has(TcpFlagBits.Ack))
        {
            text.Append(CultureInfo.InvariantCulture, $" ack {packet.Acknowledgment}");
        }

        if (showsWindow)
        {
            text.Append(CultureInfo.InvariantCulture, $" win {packet.Window}");
        }

        if (packet.Urgent != 0)
        {
            text.Append(CultureInfo.InvariantCulture, $" urg {packet.Urgent}");
        }

        if (!showsOptions)
        {
            text.Append(" <...>");
        }
        else if (packet.Options.Count > 0)
        {
            text.Append(" <").AppendJoin(',', packet.Options.Select(Show)).Append('>');
        }

        return text.ToString();
    }

    public static string Show(TcpFlagBits flags)
    {
        StringBuilder text = new();
        foreach ((TcpFlagBits flag, char letter) in ((TcpFlagBits, char)[])[
            (TcpFlagBits.Syn, 'S'), (TcpFlagBits.Fin, 'F'), (TcpFlagBits.Rst, 'R'), (TcpFlagBits.Psh, 'P'), (TcpFlagBits.Urg, 'U'),
            (TcpFlagBits.Ece, 'E'), (TcpFlagBits.Cwr, 'W'), (TcpFlagBits.Ae, 'A'), (TcpFlagBits.Ack, '.')])
        {
            if ((flags & flag) != 0)
            {
                text.Append(letter);
            }
        }

        return text.Length == 0 ? "-" : text.ToString();
    }

    public static string Show(TcpOptionBytes option)
    {
        byte[] data = option.Data;
        switch (option.Kind)
        {
            case TcpOptionBytes.EndOfList:
                return "eol";
            case TcpOptionBytes.NoOperation:
                return "nop";
            case TcpOptionBytes.MaximumSegmentSize when data.Length == 2:
                return string.Create(CultureInfo.InvariantCulture, $"mss {BinaryPrimitives.ReadUInt16BigEndian(data)}");
            case TcpOptionBytes.WindowScale when data.Length == 1:
                return string.Create(CultureInfo.InvariantCulture, $"wscale {data[0]}");
            case TcpOptionBytes.SackPermitted when data.Length == 0:
                return "sackOK";
            case TcpOptionBytes.Sack when data.Length % 8 == 0:
                StringBuilder blocks = new("sack");
                for (int i = 0; i < data.Length; i += 8)
                {
                    blocks.Append(CultureInfo.InvariantCulture, $" {Big32(data, i)}:{Big32(data, i + 4)}");
                }

                return blocks.ToString();
            case TcpOptionBytes.Timestamps when data.Length == 8:
                return string.Create(CultureInfo.InvariantCulture, $"TS val {Big32(data, 0)} ecr {Big32(data, 4)}");
            case TcpOptionBytes.Md5:
                return $"md5 {Convert.ToHexStringLower(data)}";
            case TcpOptionBytes.FastOpen:
                return $"FO {Convert.ToHexStringLower(data)}".TrimEnd();
            case TcpOptionBytes.Experimental when data is [0xF9, 0x89, ..]:
                return $"FOEXP {Convert.ToHexStringLower(data[2..])}".TrimEnd();
            case TcpOptionBytes.AccEcn0 or TcpOptionBytes.AccEcn1 when data.Length % 3 == 0:
                return ShowAccEcn(option);
            default:
                return string.Create(CultureInfo.InvariantCulture, $"kind {option.Kind} {Convert.ToHexStringLower(data)}");
        }
    }

    private static string ShowAccEcn(TcpOptionBytes option)
    {
        string[] names = option.Kind == TcpOptionBytes.AccEcn0 ? ["e0b", "ceb", "e1b"] : ["e1b", "ceb", "e0b"];
        StringBuilder text = new("ECN");
        for (int i = 0; i < option.Data.Length / 3 && i < names.Length; i++)
        {
            int count = (option.Data[3 * i] << 16) | (option.Data[(3 * i) + 1] << 8) | option.Data[(3 * i) + 2];
            text.Append(CultureInfo.InvariantCulture, $" {names[i]} {count}");
        }

        return text.ToString();
    }

    private static uint Big32(byte[] data, int at) => BinaryPrimitives.ReadUInt32BigEndian(data.AsSpan(at));
}
