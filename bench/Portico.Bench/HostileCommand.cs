using System.Globalization;
using Portico.Net.Tests.HostileInput;

namespace Portico.Bench;

/// <summary>Attacks a whole stack with damaged packets of every protocol, for as long as is asked for.</summary>
internal static class HostileCommand
{
    public static int Run(string[] args)
    {
        long count = long.Parse(Option(args, "--count") ?? "1000000", CultureInfo.InvariantCulture);
        ulong seed = ulong.Parse(Option(args, "--seed") ?? "1", CultureInfo.InvariantCulture);
        string? only = Option(args, "--protocol");
        int failures = 0;
        foreach (HostileProtocol protocol in Enum.GetValues<HostileProtocol>())
        {
            if (only != null && !protocol.ToString().Equals(only, StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            HostileInputResult result = HostileInputRun.Run(protocol, count, seed);
            Console.WriteLine(result);
            if (args.Contains("--counters"))
            {
                Console.WriteLine($"  states {string.Join(' ', result.StatesReached)}");
                Console.WriteLine($"  {string.Join(", ", result.Counters)}");
            }

            foreach (string failure in result.Failures)
            {
                Console.WriteLine($"  {failure}");
            }

            failures += result.Failures.Count;
        }

        return failures == 0 ? 0 : 1;
    }

    private static string? Option(string[] args, string name)
    {
        int at = Array.IndexOf(args, name);
        return at >= 0 && at + 1 < args.Length ? args[at + 1] : null;
    }
}
