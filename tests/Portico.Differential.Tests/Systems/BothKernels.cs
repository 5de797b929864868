namespace Portico.Differential.Tests.Systems;

/// <summary>Runs a case against both kernels and compares what each call returned, errno and bytes included.</summary>
internal static class BothKernels
{
    private static readonly Lock s_one = new();
    private static readonly Lazy<LinuxSystem> s_linux = new(() => new LinuxSystem());
    private static readonly Lazy<PorticoSystem> s_portico = new(() => new PorticoSystem());

    public static void Run(Action<Kit> body)
    {
        lock (s_one)
        {
            string linux = Record(s_linux.Value, body);
            string portico = Record(s_portico.Value, body);
            if (linux != portico)
            {
                // The runtime may have opened a file on Linux's thread just then, or this machine have been slow: once more.
                linux = Record(s_linux.Value, body);
                portico = Record(s_portico.Value, body);
            }

            Assert.True(linux == portico, Compare(linux, portico));
        }
    }

    private static string Record(ISystem system, Action<Kit> body)
    {
        Kit kit = new(system);
        system.InFreshProcess(() => body(kit));
        return kit.Log;
    }

    private static string Compare(string linux, string portico)
    {
        string[] left = linux.Split('\n');
        string[] right = portico.Split('\n');
        System.Text.StringBuilder text = new("Portico differs from Linux:\n");
        for (int i = 0; i < Math.Max(left.Length, right.Length); i++)
        {
            string l = i < left.Length ? left[i] : "";
            string r = i < right.Length ? right[i] : "";
            text.Append(l == r ? "      " : "  !!  ").Append(l);
            if (l != r)
            {
                text.Append("   <> Portico: ").Append(r);
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
