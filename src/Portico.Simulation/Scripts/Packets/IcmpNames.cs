using System.Globalization;

namespace Portico.Simulation.Scripts;

/// <summary>The names of types and codes of ICMP (RFC 792, RFC 1122, RFC 1812) and ICMPv6 (RFC 4443).</summary>
internal static class IcmpNames
{
    private static readonly (string Name, byte Type)[] s_types =
    [
        ("echo_reply", 0), ("unreachable", 3), ("source_quench", 4), ("redirect", 5), ("echo_request", 8), ("time_exceeded", 11),
        ("parameter_problem", 12), ("timestamp_request", 13), ("timestamp_reply", 14), ("information_request", 15),
        ("information_reply", 16), ("address_mask_request", 17), ("address_mask_reply", 18),
    ];

    private static readonly (string Name, byte Type)[] s_types6 =
    [
        ("unreachable", 1), ("packet_too_big", 2), ("time_exceeded", 3), ("parameter_problem", 4), ("echo_request", 128), ("echo_reply", 129),
    ];

    /// <summary>In the order of their numbers.</summary>
    private static readonly string[] s_unreachableCodes =
    [
        "net_unreachable", "host_unreachable", "protocol_unreachable", "port_unreachable", "frag_needed", "source_route_failed", "net_unknown",
        "host_unknown", "source_host_isolated", "net_prohibited", "host_prohibited", "net_unreachable_for_tos", "host_unreachable_for_tos",
        "packet_filtered", "precedence_violation", "precedence_cutoff",
    ];

    private static readonly string[] s_unreachableCodes6 = ["no_route", "admin_prohibited", "not_neighbour", "address_unreachable", "port_unreachable"];
    private static readonly string[] s_timeExceededCodes6 = ["exceeded_hop_limit", "exceeded_frag_time"];
    private static readonly string[] s_parameterCodes6 = ["header_field", "unknown_next_header", "unknown_option"];

    /// <summary>The type's number; null for a name that there is not. type_N is the number itself.</summary>
    public static byte? FindType(string name, bool isIpv6)
    {
        foreach ((string known, byte type) in isIpv6 ? s_types6 : s_types)
        {
            if (known == name)
            {
                return type;
            }
        }

        return TryNumber(name, "type_");
    }

    /// <summary>The code's number; null for a name that the type does not have. code_N is the number itself; no name is 0.</summary>
    public static byte? FindCode(string? name, byte type, bool isIpv6)
    {
        if (name == null)
        {
            return 0;
        }

        string[] codes = (isIpv6, type) switch
        {
            (false, 3) => s_unreachableCodes,
            (true, 1) => s_unreachableCodes6,
            (true, 3) => s_timeExceededCodes6,
            (true, 4) => s_parameterCodes6,
            _ => [],
        };
        int index = Array.IndexOf(codes, name);
        return index >= 0 ? (byte)index
            : isIpv6 && type == 1 && name == "net_unreachable" ? (byte)0
            : TryNumber(name, "code_");
    }

    public static string NameOfType(byte type, bool isIpv6)
    {
        foreach ((string name, byte known) in isIpv6 ? s_types6 : s_types)
        {
            if (known == type)
            {
                return name;
            }
        }

        return string.Create(CultureInfo.InvariantCulture, $"type_{type}");
    }

    private static byte? TryNumber(string name, string prefix) =>
        name.StartsWith(prefix, StringComparison.Ordinal) && byte.TryParse(name.AsSpan(prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out byte number)
            ? number
            : null;
}
