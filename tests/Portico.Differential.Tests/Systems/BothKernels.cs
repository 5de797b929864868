using Portico.Kernel;
using Portico.Net;

namespace Portico.Differential.Tests.Systems;

/// <summary>Runs a case against both kernels and compares what each call returned, errno and bytes included.</summary>
internal static class BothKernels
{
    private static readonly Lock s_one = new();
    private static readonly Lazy<LinuxSystem> s_linux = new(WarmLinux);
    private static readonly Lazy<PorticoSystem> s_portico = new(() => new PorticoSystem());

    /// <summary>The same with Portico's process of user 0, which owns the settings.</summary>
    public static void RunAsRoot(Action<Kit> body) => Run(body, asRoot: true);

    public static void Run(Action<Kit> body, bool asRoot = false)
    {
        lock (s_one)
        {
            string linux = Record(s_linux.Value, body, asRoot);
            string portico = Record(s_portico.Value, body, asRoot);
            for (int pause = 0; linux != portico && pause <= 400; pause = (2 * pause) + 50)
            {
                // The runtime may have opened a file on Linux's thread just then, this machine have been slow, or Linux not yet have
                // collected the sockets that the case before left in flight, with their names: again, and again later.
                Thread.Sleep(pause);
                linux = Record(s_linux.Value, body, asRoot);
                portico = Record(s_portico.Value, body, asRoot);
            }

            Assert.True(linux == portico, Compare(linux, portico));
        }
    }

    /// <summary>
    /// What a case's lines are made with is loaded on the first use, and by files that the thread opens: a case before all others does it.
    /// </summary>
    private static LinuxSystem WarmLinux()
    {
        LinuxSystem linux = new();
        Record(linux, kit =>
        {
            kit.Make("file", "contents");
            kit.Status("file", AtFlags.AT_EMPTY_PATH);
            kit.List(kit.Open(".", OpenFlags.O_RDONLY | OpenFlags.O_DIRECTORY));
            kit.Poll(0, (1, SocketEvents.Readable));
            kit.EpollWait(kit.Call(SyscallNumber.epoll_create1));
            kit.Read(1, 100);
        });
        return linux;
    }

    private static string Record(ISystem system, Action<Kit> body, bool asRoot = false)
    {
        Kit kit = new(system);
        system.InFreshProcess(() => body(kit), asRoot);
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
