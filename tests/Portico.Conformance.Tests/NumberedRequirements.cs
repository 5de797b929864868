namespace Portico.Conformance.Tests;

/// <summary>The requirements that RFC 9293 numbers (appendix B), and what proves those that no script of packets and calls can.</summary>
internal static class NumberedRequirements
{
    private const int Musts = 69;
    private const int Shoulds = 31;

    /// <summary>Every MUST and SHOULD.</summary>
    public static readonly string[] All =
    [
        .. Enumerable.Range(1, Musts).Select(static number => $"MUST-{number}"),
        .. Enumerable.Range(1, Shoulds).Select(static number => $"SHLD-{number}"),
    ];

    /// <summary>What proves it, or why it is not done.</summary>
    public static readonly Dictionary<string, string> Elsewhere = new()
    {
        ["MUST-2"] = "every script: the runner verifies the checksum of each packet",
        ["MUST-3"] = "`Portico.Net.Tests`, `LengthAndChecksumAttackTests`: no segment with one wrong bit reaches the application",
        ["MUST-7"] = "`Portico.Net.Tests`, `TcpHeaderAttackTests`: options of every kind and length",
        ["MUST-8"] = "`Portico.Net.Tests`, `IsnGeneratorTests`",
        ["MUST-9"] = "`Portico.Net.Tests`, `IsnGeneratorTests`: a keyed hash; another key gives other numbers",
        ["MUST-46"] = "`Portico.Differential.Tests`, `ConnectTests`",
        ["MUST-50"] = "`Portico.Net.Tests`, `IpInputTests`: every option with every length is survived",
        ["MUST-51"] = "not done: there are no source routes (`IP_OPTIONS` is refused), as RFC 7126 4.3 advises",
        ["MUST-52"] = "not done: there are no source routes",
        ["MUST-53"] = "not done: a packet with a source route is dropped, as by Linux's default; `Portico.Net.Tests`, `IpInputTests`",
        ["MUST-57"] = "`Portico.Net.Tests`, `IpInputTests`: TCP to a broadcast or group address is dropped",
        ["MUST-63"] = "`Portico.Net.Tests`, `IpInputTests`: a packet with an impossible source is dropped whatever it carries",
        ["MUST-68"] = "every script: the runner reads the options of each packet",
        ["MUST-69"] = "nothing follows an end of option list: options are padded with no-operations, as scripts that have `nop` show",
        ["SHLD-1"] = "`Portico.Net.Tests`, `IsnGeneratorTests`",
        ["SHLD-8"] = "not done: ECN",
        ["SHLD-9"] = "not done, as in Linux: `TCP_INFO` tells of retransmissions, nothing is sent to the application before R2",
        ["SHLD-13"] = "advice to applications",
        ["SHLD-23"] = "advice to applications",
        ["SHLD-24"] = "not done: there are no source routes",
    };
}
