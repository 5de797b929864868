using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Simulation.Scripts;

// Routes and the queue of the device.
internal sealed partial class ScriptCommands
{
    /// <summary>ip [-6] route change|replace|add ADDRESS [via ...] [dev ...] [mtu [lock] N] ...; ip tcp_metrics flush.</summary>
    private bool Ip(string[] words, StringBuilder output, string input)
    {
        string[] rest = [.. words[1..].Where(static word => word[0] != '-')];
        return rest switch
        {
            ["tcp_metrics", "flush", ..] => FlushMetrics(),
            ["route", "change" or "replace" or "add", ..] => ChangeRoute(rest[2..]),
            _ => false,
        };
    }

    private bool FlushMetrics()
    {
        using (_kernel.Driver.Enter())
        {
            _kernel.DefaultNamespace.Tcp.FlushMetrics();
            return true;
        }
    }

    private bool ChangeRoute(string[] words)
    {
        if (words.Length == 0 || !IpAddress.TryParse(words[0], out IpAddress destination))
        {
            return false;
        }

        int mtu = Number(words, "mtu");
        using (_kernel.Driver.Enter())
        {
            NetworkStack stack = _kernel.DefaultNamespace;
            Errno error = stack.Ip.Routes.Add(new Route
            {
                Destination = new IpPrefix(destination, destination.IsIpv4 ? 32 : 128),
                InterfaceIndex = stack.Interfaces[^1].Index,
                Mtu = mtu,
            });
            return error is Errno.None or Errno.EEXIST;
        }
    }

    /// <summary>The number behind a word, and behind "lock" if that follows; 0 where there is none.</summary>
    private static int Number(string[] words, string name)
    {
        int index = Array.IndexOf(words, name) + 1;
        index += index > 0 && index < words.Length && words[index] == "lock" ? 1 : 0;
        return index > 0 && index < words.Length && int.TryParse(words[index], CultureInfo.InvariantCulture, out int number) ? number : 0;
    }

    /// <summary>tc qdisc ... pfifo limit 0 drops all that is sent; any other queue sends at once.</summary>
    private bool QueueingDiscipline(string[] words, StringBuilder output, string input)
    {
        _device.DropsAll = words is [.., "limit", "0"];
        return words is ["tc", "qdisc", ..];
    }
}
