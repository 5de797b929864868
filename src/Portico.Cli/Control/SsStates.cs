namespace Portico.Cli;

/// <summary>Sets of states by the names that ss(8)'s filters have for them.</summary>
internal static class SsStates
{
    /// <summary>Every state, as ss prints it, with its name in a filter.</summary>
    private static readonly (string Shown, string Name)[] s_all =
    [
        ("ESTAB", "established"), ("SYN-SENT", "syn-sent"), ("SYN-RECV", "syn-recv"), ("FIN-WAIT-1", "fin-wait-1"),
        ("FIN-WAIT-2", "fin-wait-2"), ("TIME-WAIT", "time-wait"), ("UNCONN", "closed"), ("CLOSE-WAIT", "close-wait"),
        ("LAST-ACK", "last-ack"), ("LISTEN", "listening"), ("CLOSING", "closing"),
    ];

    /// <summary>What ss shows with -a.</summary>
    public static HashSet<string> All => [.. s_all.Select(s => s.Shown)];

    /// <summary>What ss shows without -a and -l.</summary>
    public static HashSet<string> Connected => Without("UNCONN", "LISTEN", "TIME-WAIT", "SYN-RECV");

    /// <summary>What ss shows with -l.</summary>
    public static HashSet<string> Listening => ["LISTEN", "UNCONN"];

    private static HashSet<string> Without(params ReadOnlySpan<string> states)
    {
        HashSet<string> set = All;
        foreach (string state in states)
        {
            set.Remove(state);
        }

        return set;
    }

    /// <summary>The states that a filter's word means; null for a word that is none.</summary>
    public static HashSet<string>? Find(string word)
    {
        string name = word.ToLowerInvariant();
        return name switch
        {
            "all" => All,
            "connected" => Without("UNCONN", "LISTEN"),
            "synchronized" => Without("UNCONN", "LISTEN", "SYN-SENT"),
            "bucket" => ["SYN-RECV", "TIME-WAIT"],
            "big" => Without("SYN-RECV", "TIME-WAIT"),
            "close" or "unconnected" => ["UNCONN"],
            "syn-rcv" => ["SYN-RECV"],
            _ => s_all.Where(s => s.Name == name).Select(s => new HashSet<string> { s.Shown }).FirstOrDefault(),
        };
    }

    /// <summary>
    /// Reads "state S", "exclude S", any number of them; null for none. Throws <see cref="ArgumentException"/> for anything else.
    /// </summary>
    public static HashSet<string>? Parse(ReadOnlySpan<string> words)
    {
        HashSet<string>? included = null;
        HashSet<string> excluded = [];
        for (int i = 0; i < words.Length; i += 2)
        {
            if (words[i] is not ("state" or "exclude") || i + 1 == words.Length)
            {
                throw new ArgumentException($"ss: '{words[i]}': a filter is 'state STATE' or 'exclude STATE'");
            }

            HashSet<string> states = Find(words[i + 1])
                ?? throw new ArgumentException(
                    $"ss: wrong state name '{words[i + 1]}': {string.Join(", ", s_all.Select(s => s.Name))}, all, connected, synchronized, "
                    + "bucket, big");
            if (words[i] == "state")
            {
                included ??= [];
                included.UnionWith(states);
            }
            else
            {
                excluded.UnionWith(states);
            }
        }

        if (excluded.Count > 0)
        {
            included ??= All;
            included.ExceptWith(excluded);
        }

        return included;
    }
}
