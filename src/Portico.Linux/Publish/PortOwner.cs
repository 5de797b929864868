using Portico.Net;

namespace Portico.Linux;

/// <summary>Finds out who has a port of the host.</summary>
public static class PortOwner
{
    /// <summary>
    /// The process that waits on a port, as "NAME (process N)"; null where that cannot be known: other users' descriptors are not
    /// shown to everybody.
    /// </summary>
    public static string? Find(IpProtocol protocol, Endpoint local)
    {
        List<WaitingSocket> sockets = [];
        try
        {
            using SocketDiagnostics diagnostics = new();
            diagnostics.List(protocol, sockets);
        }
        catch (LinuxException)
        {
            return null;
        }

        // A dual-stack socket has the port of IPv4, too.
        HashSet<string> links =
        [
            .. sockets.Where(s => s.Local.Port == local.Port && MayOverlap(s.Local.Address, local.Address))
                .Select(s => $"socket:[{s.Inode}]"),
        ];
        return links.Count == 0
            ? null : Directory.EnumerateDirectories("/proc").Select(d => Describe(d, links)).FirstOrDefault(o => o != null);
    }

    private static bool MayOverlap(in IpAddress a, in IpAddress b) => a == b || a.IsUnspecified || b.IsUnspecified;

    private static string? Describe(string process, HashSet<string> links)
    {
        if (!char.IsAsciiDigit(Path.GetFileName(process)[0]))
        {
            return null;
        }

        try
        {
            foreach (string descriptor in Directory.EnumerateFiles($"{process}/fd"))
            {
                if (File.ResolveLinkTarget(descriptor, false) is { } target && links.Contains(Path.GetFileName(target.FullName)))
                {
                    return $"{File.ReadAllText($"{process}/comm").Trim()} (process {Path.GetFileName(process)})";
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Not shown to this user, or gone meanwhile.
        }

        return null;
    }
}
