using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>Compares a packet of the stack, in the script's numbers, with what the script expects.</summary>
internal static class PacketCheck
{
    /// <summary>What is wrong first, in packetdrill's order; null where nothing is.</summary>
    public static string? Compare(PacketTemplate template, ScriptPacket expected, ScriptPacket actual, ScriptSocket socket, ScriptConfiguration configuration, long usecs)
    {
        if (actual.Protocol != expected.Protocol || actual.IsIpv6 != expected.IsIpv6)
        {
            return $"expected a packet of {expected.Protocol}, got one of {actual.Protocol}";
        }

        string? problem = CheckTos(template.Ip, actual.Tos)
            ?? (template.Ip.Ttl != 0 ? CheckNumber("ttl", template.Ip.Ttl, actual.Ttl) : null);
        return problem ?? template switch
        {
            TcpTemplate tcp => CheckTcp(tcp, expected, actual)
                ?? (actual.IsIpv6 ? socket.CheckFlowLabel(template.Ip.FlowLabel, actual.FlowLabel) : null)
                ?? (tcp.Options == null ? null : CheckOptions(expected, actual, configuration, usecs))
                ?? CheckPayload(expected, actual),
            UdpTemplate => CheckNumber("UDP payload", (uint)expected.Payload.Length, (uint)actual.Payload.Length) ?? CheckPayload(expected, actual),
            _ => CheckNumber("ICMP type", expected.IcmpType, actual.IcmpType) ?? CheckNumber("ICMP code", expected.IcmpCode, actual.IcmpCode),
        };
    }

    /// <summary>
    /// What keeps a segment from being the next part of one that a script has as a whole, as a sender without offload sends it: same
    /// acknowledgment, window and length of options, and the same length as the part before unless it is the last one.
    /// </summary>
    public static string? CompareParts(ScriptPacket before, ScriptPacket next, int left)
    {
        const TcpFlagBits Same = TcpFlagBits.Syn | TcpFlagBits.Rst | TcpFlagBits.Ack | TcpFlagBits.Urg | TcpFlagBits.Ece | TcpFlagBits.Ae | TcpFlagBits.Reserved;
        return (before.Flags & Same) != (next.Flags & Same) ? $"the next segment has other flags, {PacketText.Show(next.Flags)}"
            : next.Sequence != before.Sequence + before.Payload.Length ? $"the next segment does not follow: it begins at {next.Sequence}"
            : next.Acknowledgment != before.Acknowledgment ? $"the next segment has another acknowledgment, {next.Acknowledgment}"
            : next.Window != before.Window ? $"the next segment has another window, {next.Window}"
            : next.OptionBytes != before.OptionBytes ? "the next segment's options are longer or shorter"
            : next.Payload.Length < left && next.Payload.Length != before.Payload.Length
                ? $"the segments differ in length, {before.Payload.Length} and {next.Payload.Length}, before the last one"
            : null;
    }

    private static string? CheckTos(IpTemplate ip, byte actual) => ip.TosCheck switch
    {
        TosCheck.EitherEct when (actual & 3) is not (1 or 2) => $"ECN: expected ect0 or ect1, got {actual & 3}",
        TosCheck.Ecn => CheckNumber("ECN", ip.Tos, (uint)actual & 3),
        TosCheck.All => CheckNumber("tos", ip.Tos, actual),
        _ => null,
    };

    private static string? CheckTcp(TcpTemplate template, ScriptPacket expected, ScriptPacket actual)
    {
        if (template.Options != null && expected.OptionBytes != actual.OptionBytes)
        {
            return $"options: expected {expected.OptionBytes} bytes, got {actual.OptionBytes}";
        }

        return expected.Flags != actual.Flags ? $"flags: expected {PacketText.Show(expected.Flags)}, got {PacketText.Show(actual.Flags)}"
            : CheckNumber("sequence number", expected.Sequence, actual.Sequence)
            ?? CheckNumber("acknowledgment number", expected.Acknowledgment, actual.Acknowledgment)
            ?? (template.Window is { } window ? CheckNumber("window", window, actual.Window) : null)
            ?? CheckNumber("urgent pointer", expected.Urgent, actual.Urgent);
    }

    private static string? CheckOptions(ScriptPacket expected, ScriptPacket actual, ScriptConfiguration configuration, long usecs)
    {
        for (int i = 0; i < Math.Max(expected.Options.Count, actual.Options.Count); i++)
        {
            TcpOptionBytes? wanted = i < expected.Options.Count ? expected.Options[i] : null;
            TcpOptionBytes? got = i < actual.Options.Count ? actual.Options[i] : null;
            bool isSame = wanted != null && wanted.Kind == got?.Kind
                && (wanted.Kind == TcpOptionBytes.Timestamps ? IsTimestampNear(expected, actual, configuration, usecs) : wanted.Data.AsSpan().SequenceEqual(got.Data));
            if (!isSame)
            {
                return $"option {i + 1}: expected {(wanted == null ? "none" : PacketText.Show(wanted))}, got {(got == null ? "none" : PacketText.Show(got))}";
            }
        }

        return null;
    }

    private static bool IsTimestampNear(ScriptPacket expected, ScriptPacket actual, ScriptConfiguration configuration, long usecs)
    {
        if (configuration.TimestampTickUsecs == 0 || expected.Timestamps is not { } wanted || actual.Timestamps is not { } got)
        {
            return true;
        }

        long difference = Math.Abs((long)(int)(got.Value - wanted.Value));
        return difference * configuration.TimestampTickUsecs <= Math.Max(configuration.ToleranceUsecs, configuration.TolerancePercent / 100 * usecs);
    }

    private static string? CheckPayload(ScriptPacket expected, ScriptPacket actual) =>
        expected.Payload.AsSpan().SequenceEqual(actual.Payload) ? null : "the payload is not what was written";

    private static string? CheckNumber(string what, uint expected, uint actual) =>
        expected == actual ? null : string.Create(CultureInfo.InvariantCulture, $"{what}: expected {expected}, got {actual}");
}
