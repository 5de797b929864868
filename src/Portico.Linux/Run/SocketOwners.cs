using System.Buffers.Binary;
using System.Globalization;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A process that has a socket, and by which descriptor.</summary>
public readonly record struct SocketHolder(string Name, int ProcessId, int Descriptor);

/// <summary>A socket of the kernel: its inode and user, and the processes that have it.</summary>
public readonly record struct SocketOwner(ulong Inode, uint UserId, IReadOnlyList<SocketHolder> Holders);

/// <summary>
/// Which processes the sockets in a network namespace belong to, as ss(8) and lsof(8) find it out: the tables of proc(5) give a socket's
/// inode, and the links in <c>/proc/*/fd</c> say who has it. A snapshot.
/// </summary>
public sealed class SocketOwners
{
    private enum Table
    {
        Tcp,
        Udp,
        Ping,
        Raw,
    }

    private readonly Dictionary<(Table Table, Endpoint Local, Endpoint Remote), (ulong Inode, uint UserId)> _sockets = [];
    private readonly Dictionary<ulong, List<SocketHolder>> _holders = [];

    /// <summary>
    /// Reads the tables of the namespace of a process or thread, by its directory in /proc (<c>/proc/PID/task/TID</c>). What the caller
    /// may not read is left out.
    /// </summary>
    public SocketOwners(string procDirectory)
    {
        foreach ((Table table, string file) in
            (ReadOnlySpan<(Table, string)>)[(Table.Tcp, "tcp"), (Table.Udp, "udp"), (Table.Ping, "icmp"), (Table.Raw, "raw")])
        {
            ReadTable(table, $"{procDirectory}/net/{file}");
            ReadTable(table, $"{procDirectory}/net/{file}6");
        }

        ReadHolders(LinkOf($"{procDirectory}/ns/net"));
    }

    /// <summary>The TCP socket with these ends, as the namespace sees them.</summary>
    public bool TryFindTcp(in Endpoint local, in Endpoint remote, out SocketOwner owner) =>
        TryFind(Table.Tcp, local, remote, out owner);

    /// <summary>The UDP socket that exchanges datagrams with these ends: a connected one, else one that is bound.</summary>
    public bool TryFindUdp(in Endpoint local, in Endpoint remote, out SocketOwner owner) =>
        TryFind(Table.Udp, local, remote, out owner) || TryFindUnconnected(Table.Udp, local, out owner);

    /// <summary>
    /// The socket that sends echo requests: a ping socket, whose port is the <paramref name="local"/> end's identifier; else a raw
    /// socket for ICMP where there is only one.
    /// </summary>
    public bool TryFindPing(in Endpoint local, in Endpoint remote, out SocketOwner owner)
    {
        Endpoint withoutPort = new(remote.Address, 0);
        if (TryFind(Table.Ping, local, withoutPort, out owner) || TryFindUnconnected(Table.Ping, local, out owner))
        {
            return true;
        }

        // A raw socket's port is its protocol.
        int protocol = remote.Address.IsIpv4 ? 1 : 58;
        (ulong Inode, uint UserId)[] raw = [.. _sockets.Where(s => s.Key.Table == Table.Raw && s.Key.Local.Port == protocol).Select(s => s.Value)];
        owner = raw.Length == 1 ? OwnerOf(raw[0]) : default;
        return raw.Length == 1;
    }

    private bool TryFindUnconnected(Table table, in Endpoint local, out SocketOwner owner)
    {
        foreach (IpAddress any in (ReadOnlySpan<IpAddress>)[IpAddress.AnyIpv4, IpAddress.AnyIpv6])
        {
            Endpoint nobody = new(any, 0);
            if (TryFind(table, local, nobody, out owner) || TryFind(table, new Endpoint(any, local.Port), nobody, out owner))
            {
                return true;
            }
        }

        owner = default;
        return false;
    }

    private bool TryFind(Table table, in Endpoint local, in Endpoint remote, out SocketOwner owner)
    {
        bool found = _sockets.TryGetValue((table, local, remote), out (ulong, uint) socket);
        owner = found ? OwnerOf(socket) : default;
        return found;
    }

    private SocketOwner OwnerOf((ulong Inode, uint UserId) socket) =>
        new(socket.Inode, socket.UserId, _holders.TryGetValue(socket.Inode, out List<SocketHolder>? holders) ? holders : []);

    private void ReadTable(Table table, string path)
    {
        foreach (string line in Lines(path).Skip(1))
        {
            // sl local_address rem_address st tx_queue:rx_queue tr:tm->when retrnsmt uid timeout inode
            string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            if (words.Length >= 10 && TryParseEndpoint(words[1], out Endpoint local) && TryParseEndpoint(words[2], out Endpoint remote)
                && uint.TryParse(words[7], out uint user) && ulong.TryParse(words[9], out ulong inode) && inode != 0)
            {
                _sockets[(table, local, remote)] = (inode, user);
            }
        }
    }

    /// <summary>"0100007F:1F90": 32-bit words of the address in the machine's order, and the port.</summary>
    internal static bool TryParseEndpoint(ReadOnlySpan<char> text, out Endpoint endpoint)
    {
        endpoint = default;
        int digits = text.IndexOf(':');
        if (digits is not (8 or 32) || !ushort.TryParse(text[(digits + 1)..], NumberStyles.AllowHexSpecifier, null, out ushort port))
        {
            return false;
        }

        Span<byte> bytes = stackalloc byte[16];
        for (int i = 0; i < digits; i += 8)
        {
            if (!uint.TryParse(text.Slice(i, 8), NumberStyles.AllowHexSpecifier, null, out uint word))
            {
                return false;
            }

            BinaryPrimitives.WriteUInt32LittleEndian(bytes[(i / 2)..], word);
        }

        endpoint = new Endpoint(digits == 8 ? IpAddress.ReadIpv4(bytes) : IpAddress.ReadIpv6(bytes), port);
        return true;
    }

    private void ReadHolders(string? networkNamespace)
    {
        HashSet<ulong> wanted = [.. _sockets.Values.Select(s => s.Inode)];
        if (networkNamespace == null || wanted.Count == 0)
        {
            return;
        }

        foreach (string directory in Directory.EnumerateDirectories("/proc"))
        {
            if (int.TryParse(Path.GetFileName(directory), NumberStyles.None, null, out int process)
                && LinkOf($"{directory}/ns/net") == networkNamespace)
            {
                ReadDescriptors(directory, process, wanted);
            }
        }
    }

    private void ReadDescriptors(string directory, int process, HashSet<ulong> wanted)
    {
        const string Prefix = "socket:[";
        string? name = null;
        try
        {
            foreach (string file in Directory.EnumerateFiles($"{directory}/fd"))
            {
                string? link = LinkOf(file);
                if (link == null || !link.StartsWith(Prefix, StringComparison.Ordinal)
                    || !ulong.TryParse(link.AsSpan(Prefix.Length).TrimEnd(']'), out ulong inode) || !wanted.Contains(inode)
                    || !int.TryParse(Path.GetFileName(file), out int descriptor))
                {
                    continue;
                }

                name ??= Lines($"{directory}/comm").FirstOrDefault() ?? "";
                if (!_holders.TryGetValue(inode, out List<SocketHolder>? holders))
                {
                    _holders.Add(inode, holders = []);
                }

                holders.Add(new SocketHolder(name, process, descriptor));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The process has ended, or belongs to somebody else.
        }
    }

    private static string? LinkOf(string path)
    {
        try
        {
            return new FileInfo(path).LinkTarget;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private static string[] Lines(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
