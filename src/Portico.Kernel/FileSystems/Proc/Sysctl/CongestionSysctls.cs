using Portico.Net;

namespace Portico.Kernel;

/// <summary>The settings that name algorithms of congestion control.</summary>
internal static class CongestionSysctls
{
    /// <summary>In the order in which lists show them.</summary>
    private static readonly TcpCongestion[] s_available = [TcpCongestion.Reno, TcpCongestion.Cubic, TcpCongestion.Bbr];

    public static string ShowAvailable(Process caller) => string.Join(' ', s_available.Select(NameOf));

    public static string Show(Process caller) => NameOf(caller.Network.Tcp.Settings.tcp_congestion_control);

    /// <summary>What new connections have by themselves everybody may choose. Errors: ENOENT for one that there is not.</summary>
    public static Errno Set(Process caller, string name)
    {
        if (Find(name) is not { } known)
        {
            return Errno.ENOENT;
        }

        TcpSettings settings = caller.Network.Tcp.Settings;
        settings.tcp_congestion_control = known;
        settings.tcp_allowed_congestion_control = [.. settings.tcp_allowed_congestion_control.Union([known])];
        return Errno.None;
    }

    public static string ShowAllowed(Process caller) => string.Join(' ', s_available.Where(caller.Network.Tcp.Settings.tcp_allowed_congestion_control.Contains).Select(NameOf));

    /// <summary>Names with one space between them; two end the list. Errors: ENOENT for one that there is not, and all stays as it was.</summary>
    public static Errno SetAllowed(Process caller, string names)
    {
        TcpCongestion?[] found = [.. names.Split(' ').TakeWhile(static name => name.Length != 0).Select(Find)];
        if (found.Contains(null))
        {
            return Errno.ENOENT;
        }

        caller.Network.Tcp.Settings.tcp_allowed_congestion_control = [.. found.Select(static known => known!.Value)];
        return Errno.None;
    }

    public static string NameOf(TcpCongestion algorithm) => algorithm.ToString().ToLowerInvariant();

    public static TcpCongestion? Find(string name)
    {
        foreach (TcpCongestion known in s_available)
        {
            if (NameOf(known) == name)
            {
                return known;
            }
        }

        return null;
    }
}
