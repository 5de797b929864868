using System.Globalization;
using Portico.Net;

namespace Portico.Native.Packetdrill;

/// <summary>The string of flags that packetdrill gives: NAME=VALUE with commas between them. Names that are not known are the user's own.</summary>
internal sealed class PacketdrillOptions
{
    private const int MtuDefault = 1500;

    private PacketdrillOptions(Dictionary<string, string> flags)
    {
        bool isIpv6 = flags.GetValueOrDefault("ip_version") == "ipv6";
        string local = flags.GetValueOrDefault("local_ip") ?? (isIpv6 ? "fd3d:a0b:17d6::1" : "192.168.0.1");
        Local = IpAddress.TryParse(local, out IpAddress address) ? address : default;
        PrefixLength = Number(flags, "prefix_len", isIpv6 ? 48 : 16);
        Gateway = IpAddress.TryParse(flags.GetValueOrDefault("gateway_ip", ""), out IpAddress gateway) ? gateway : default;
        Remote = IpPrefix.TryParse(flags.GetValueOrDefault("remote_prefix", ""), out IpPrefix remote)
            ? remote.Network
            : new IpPrefix(Local.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, 0);
        Mtu = Number(flags, "mtu", MtuDefault);
        SegmentBytes = Number(flags, "mss", 0);
        AcceptsAnyAddress = Number(flags, "anyip", 0) != 0;
    }

    /// <summary>The device's address.</summary>
    public IpAddress Local { get; }

    /// <summary>The length of the prefix that goes with it.</summary>
    public int PrefixLength { get; }

    /// <summary>The router; unspecified for none.</summary>
    public IpAddress Gateway { get; }

    /// <summary>Where the peers are: everywhere, unless the flags say it.</summary>
    public IpPrefix Remote { get; }

    /// <summary>The largest packet, in bytes.</summary>
    public int Mtu { get; }

    /// <summary>How much data each of the segments has that a longer packet stands for, as packetdrill's --mss; 0 where it is one segment.</summary>
    public int SegmentBytes { get; }

    /// <summary>Whether packets to any address are the stack's own.</summary>
    public bool AcceptsAnyAddress { get; }

    public static PacketdrillOptions Parse(string flags)
    {
        Dictionary<string, string> found = [];
        foreach (string flag in flags.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            int separator = flag.IndexOf('=', StringComparison.Ordinal);
            if (separator > 0)
            {
                found[flag[..separator]] = flag[(separator + 1)..];
            }
        }

        return new PacketdrillOptions(found);
    }

    private static int Number(Dictionary<string, string> flags, string name, int otherwise) =>
        int.TryParse(flags.GetValueOrDefault(name), CultureInfo.InvariantCulture, out int number) ? number : otherwise;
}
