using System.CommandLine;
using System.CommandLine.Parsing;
using Portico.Linux;

namespace Portico.Cli;

/// <summary>The options that say what the command may reach and how names are resolved.</summary>
internal sealed class PolicyFlags
{
    private readonly Option<string[]> _allow = RepeatableOption.Create(
        "--allow",
        "RULE",
        "Allow a destination: an address, CIDR, NAME or *.NAME, host, localhost or all; then, where wanted, :PORT or :PORT-PORT, and /tcp, "
        + "/udp or /icmp. A port may be a name: https.");

    private readonly Option<string[]> _deny = RepeatableOption.Create(
        "--deny", "RULE", "Deny a destination. The first rule that fits decides; --deny all is about what no other rule fits.");

    private readonly Option<string[]> _addHost = RepeatableOption.Create(
        "--add-host", "NAME:ADDR", "Let NAME have this address inside. The address host-gateway is the host.");

    private readonly Option<string[]> _dns = RepeatableOption.Create(
        "--dns", "ADDR[:PORT]", "Ask this name server instead of the host's; more than once for several. With none nobody is asked.");

    private readonly Option<bool> _hostLoopback = new("--host-loopback")
    {
        Description = "Let host.portico be the host's loopback (127.0.0.1, ::1), all ports of it. --allow localhost:PORT opens a single one.",
    };

    public void AddTo(Command command)
    {
        foreach (Option option in (Option[])[_allow, _deny, _addHost, _dns, _hostLoopback])
        {
            command.Options.Add(option);
        }
    }

    /// <summary>What was asked for; throws <see cref="ArgumentException"/> with one line where something is wrong.</summary>
    public PolicyOptions Read(ParseResult result)
    {
        List<PolicyRule> rules = [];
        for (int i = 0; i + 1 < result.Tokens.Count; i++)
        {
            Token option = result.Tokens[i];
            if (option.Type == TokenType.Option && option.Value is "--allow" or "--deny")
            {
                AddRule(rules, option.Value == "--allow", result.Tokens[i + 1].Value);
            }
        }

        return new PolicyOptions
        {
            Rules = rules,
            Names = new NameOptions(result.GetValue(_addHost) ?? [], result.GetValue(_dns) ?? []),
            HostLoopback = result.GetValue(_hostLoopback),
        };
    }

    private static void AddRule(List<PolicyRule> rules, bool isAllow, string text)
    {
        if (!PolicyRule.TryParse(isAllow, text, out PolicyRule? rule, out string? error))
        {
            throw new ArgumentException($"{(isAllow ? "--allow" : "--deny")}: {error}");
        }

        // Who writes the exception behind the rule means it, and would not get it.
        if (rules.Find(r => r.IsAllow != isAllow && rule!.IsShadowedBy(r)) is PolicyRule earlier)
        {
            throw new ArgumentException($"{rule}: {earlier} comes first and decides all of it; exceptions go before");
        }

        rules.Add(rule!);
    }
}
