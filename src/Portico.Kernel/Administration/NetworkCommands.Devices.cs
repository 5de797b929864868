using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// Addresses, routes, and the queues of devices.
public sealed partial class NetworkCommands
{
    private bool Ip(ReadOnlySpan<string> words, StringBuilder output)
    {
        List<string> rest = [];
        foreach (string word in words[1..])
        {
            if (!word.StartsWith('-'))
            {
                rest.Add(word);
            }
        }

        string[] operands = [.. rest.Skip(2)];
        using (_process.Kernel.Driver.Enter())
        {
            return rest switch
            {
                ["tcp_metrics", "flush", ..] => FlushMetrics(),
                ["route" or "ro" or "r", "change" or "replace" or "add" or "append", ..] => ChangeRoute(rest[1], operands),
                ["route" or "ro" or "r", "del" or "delete", ..] => RemoveRoute(operands),
                ["addr" or "address" or "a", "add" or "change" or "replace", ..] => AddAddress(operands),
                ["link" or "l", "set", ..] => SetLink(operands),
                _ => false,
            };
        }
    }

    private bool FlushMetrics()
    {
        Stack.Tcp.FlushMetrics();
        return true;
    }

    private bool ChangeRoute(string verb, string[] words)
    {
        if (!TryDestination(words, out IpPrefix destination))
        {
            return false;
        }

        NetworkInterface? device = DeviceOf(words) ?? (Stack.Interfaces.Count > 0 ? Stack.Interfaces[^1] : null);
        string? gateway = Word(words, "via");
        string? source = Word(words, "src");
        IpAddress router = default;
        IpAddress preferred = default;
        if (device == null || (gateway != null && !IpAddress.TryParse(gateway, out router)) || (source != null && !IpAddress.TryParse(source, out preferred)))
        {
            return false;
        }

        Route route = new()
        {
            Destination = destination,
            InterfaceIndex = device.Index,
            Gateway = router,
            PreferredSource = preferred,
            Metric = Number(words, "metric"),
            Mtu = Number(words, "mtu"),
            AdvMss = Number(words, "advmss"),
            InitCwnd = Number(words, "initcwnd"),
            InitRwnd = Number(words, "initrwnd"),
        };
        if (verb is "change" or "replace")
        {
            Stack.Ip.Routes.RemoveWhere(old => old.Destination == destination && old.Metric == route.Metric && !old.IsConnected);
        }

        return Stack.Ip.Routes.Add(route) == Errno.None;
    }

    private bool RemoveRoute(string[] words) =>
        TryDestination(words, out IpPrefix destination) && Stack.Ip.Routes.RemoveWhere(old => old.Destination == destination && !old.IsConnected) > 0;

    private bool AddAddress(string[] words) =>
        words.Length > 0 && TryPrefix(words[0], out IpPrefix prefix) && DeviceOf(words) is { } device && device.AddAddress(prefix) is Errno.None or Errno.EEXIST;

    private bool SetLink(string[] words)
    {
        string? name = Word(words, "dev") ?? (words.Length > 0 ? words[0] : null);
        if (Find(name) is not { } device)
        {
            return false;
        }

        int mtu = Number(words, "mtu");
        device.Mtu = mtu > 0 ? mtu : device.Mtu;
        device.IsUp = words.Contains("up") || (device.IsUp && !words.Contains("down"));
        return true;
    }

    private bool QueueingDiscipline(ReadOnlySpan<string> words, StringBuilder output)
    {
        if (words is not ["tc", "qdisc", string verb, ..])
        {
            return false;
        }

        using (_process.Kernel.Driver.Enter())
        {
            string[] operands = words.ToArray();
            if (DeviceOf(operands)?.Link is VirtualDevice device)
            {
                device.DropsAll = verb is not ("del" or "delete") && Word(operands, "limit") == "0";
            }

            // With fq connections are paced: here by themselves.
            Stack.Tcp.Settings.fq = verb is not ("del" or "delete") && operands.Contains("fq");

            return true;
        }
    }

    private bool TryDestination(string[] words, out IpPrefix destination)
    {
        destination = default;
        if (words.Length == 0)
        {
            return false;
        }

        if (words[0] != "default")
        {
            return TryPrefix(words[0], out destination);
        }

        bool isIpv6 = Word(words, "via") is { } gateway && IpAddress.TryParse(gateway, out IpAddress router) && !router.IsIpv4;
        destination = new IpPrefix(isIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4, 0);
        return true;
    }

    /// <summary>ADDRESS/LENGTH, or an address alone.</summary>
    private static bool TryPrefix(string text, out IpPrefix prefix)
    {
        if (text.Contains('/', StringComparison.Ordinal))
        {
            return IpPrefix.TryParse(text, out prefix);
        }

        bool isAddress = IpAddress.TryParse(text, out IpAddress address);
        prefix = isAddress ? new IpPrefix(address, address.IsIpv4 ? 32 : 128) : default;
        return isAddress;
    }

    private NetworkInterface? DeviceOf(string[] words) => Find(Word(words, "dev"));

    private NetworkInterface? Find(string? name) => Stack.Interfaces.FirstOrDefault(device => device.Name == name);

    /// <summary>The word behind another one; null where there is none.</summary>
    private static string? Word(string[] words, string name)
    {
        int index = Array.IndexOf(words, name) + 1;
        return index > 0 && index < words.Length ? words[index] : null;
    }

    /// <summary>The number behind a word, and behind "lock" if that follows; 0 where there is none.</summary>
    private static int Number(string[] words, string name)
    {
        string? text = Word(words, name);
        return int.TryParse(text == "lock" ? Word(words, "lock") : text, CultureInfo.InvariantCulture, out int number) ? number : 0;
    }
}
