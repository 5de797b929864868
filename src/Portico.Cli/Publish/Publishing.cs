using System.Globalization;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What a run publishes: by its options, by what its command listens on, and by <c>portico publish</c>.</summary>
internal sealed class Publishing(StackDriver driver, PortPublisher publisher, SocketDiagnostics commandsSockets) : IDisposable
{
    /// <summary>Free ports to try until one is free in both families.</summary>
    private const int PairTriesMax = 16;

    /// <summary>Ports that one run may publish.</summary>
    private const int PortsMax = 8192;

    private AutoPublisher? _auto;

    /// <summary>
    /// Publishes all of a spec or, with an exception that says in one line why not, nothing. What there is to say about it goes to
    /// <paramref name="say"/>.
    /// </summary>
    public void Add(PublishSpec spec, Action<string> say)
    {
        if (spec.IsAuto)
        {
            if (_auto != null)
            {
                throw new ArgumentException("--publish auto: is on already");
            }

            _auto = new AutoPublisher(this, commandsSockets, spec.Address);
            return;
        }

        List<PublishedPort> added = [];
        using (driver.Enter())
        {
            try
            {
                for (int i = 0; i < spec.Count; i++)
                {
                    int first = added.Count;
                    AddPort(spec, i, added);
                    if (spec.HostFirst == 0)
                    {
                        say($"{string.Join(" and ", added.Skip(first).Select(p => p.Host))} leads to port {Describe(added[first])}");
                    }
                }
            }
            catch
            {
                added.ForEach(publisher.Remove);
                throw;
            }
        }
    }

    private void AddPort(PublishSpec spec, int offset, List<PublishedPort> added)
    {
        ushort port = (ushort)(spec.PortFirst + offset);
        ushort hostPort = (ushort)(spec.HostFirst == 0 ? 0 : spec.HostFirst + offset);
        Errno error = Bind(spec.Protocol, spec.Address, hostPort, port, false, added, out Endpoint at);
        if (error != Errno.None)
        {
            throw new LinuxException($"--publish {spec.Text}: {Explain(spec.Protocol, at, error)}", error);
        }
    }

    /// <summary>Publishes one port for the command's sake, under the driver's lock.</summary>
    internal Errno AddAutomatic(
        IpProtocol protocol, IReadOnlyList<IpAddress> hosts, ushort port, List<PublishedPort> added, out Endpoint at)
    {
        int first = added.Count;
        Errno error = BindAll(protocol, hosts, port, port, true, added, out at);
        if (error != Errno.None)
        {
            added.Skip(first).ToList().ForEach(publisher.Remove);
            added.RemoveRange(first, added.Count - first);
        }

        return error;
    }

    private Errno Bind(
        IpProtocol protocol, IpAddress? address, ushort hostPort, ushort port, bool isAutomatic, List<PublishedPort> added, out Endpoint at)
    {
        if (address is IpAddress one)
        {
            return BindAll(protocol, [one], hostPort, port, isAutomatic, added, out at);
        }

        Errno error = Errno.None;
        at = default;
        for (int i = 0; i < PairTriesMax; i++)
        {
            int first = added.Count;
            error = BindAll(protocol, [IpAddress.AnyIpv4, IpAddress.AnyIpv6], hostPort, port, isAutomatic, added, out at);
            if (error != Errno.EADDRINUSE || hostPort != 0)
            {
                return error;
            }

            added.Skip(first).ToList().ForEach(publisher.Remove);
            added.RemoveRange(first, added.Count - first);
        }

        return error;
    }

    /// <summary>The same port on each address; a host without IPv6 is no error where there is another address.</summary>
    private Errno BindAll(
        IpProtocol protocol, IReadOnlyList<IpAddress> hosts, ushort hostPort, ushort port, bool isAutomatic, List<PublishedPort> added,
        out Endpoint at)
    {
        at = default;
        foreach (IpAddress host in hosts)
        {
            if (publisher.Ports.Count >= PortsMax)
            {
                return Errno.ENOSPC;
            }

            at = new Endpoint(host, hostPort);
            Errno error = publisher.Add(protocol, at, port, out PublishedPort? published, isAutomatic);
            if (error is Errno.EAFNOSUPPORT or Errno.EADDRNOTAVAIL && !host.IsIpv4 && hosts.Count > 1)
            {
                continue;
            }

            if (error != Errno.None)
            {
                return error;
            }

            hostPort = published!.Host.Port;
            added.Add(published);
        }

        return Errno.None;
    }

    /// <summary>Why the host does not give a port, and what would help.</summary>
    internal static string Explain(IpProtocol protocol, Endpoint at, Errno error) => error switch
    {
        Errno.EADDRINUSE => $"port {at.Port}/{Name(protocol)} of {at.Address} is taken"
            + (PortOwner.Find(protocol, at) is string owner ? $" by {owner}" : ""),
        Errno.EACCES => $"port {at.Port} needs root, or sysctl -w net.ipv4.ip_unprivileged_port_start={at.Port}",
        Errno.EADDRNOTAVAIL => $"{at.Address} is not an address of this host",
        Errno.EAFNOSUPPORT => $"this host does not have the protocol of {at.Address}",
        Errno.EMFILE => "no descriptors left: ulimit -Hn says how many there are",
        Errno.ENOSPC => $"more than {PortsMax} ports",
        _ => $"{at}: {error}",
    };

    internal static string Name(IpProtocol protocol) => protocol == IpProtocol.Tcp ? "tcp" : "udp";

    internal static string Describe(PublishedPort published) => $"{published.Port}/{Name(published.Protocol)}";

    /// <summary>Calls the publisher under the driver's lock.</summary>
    internal T Invoke<T>(Func<PortPublisher, T> call)
    {
        using (driver.Enter())
        {
            return call(publisher);
        }
    }

    /// <summary>
    /// Gives up what a spec covers: the same protocol and port of the command, and the port and address of the host where they are named.
    /// </summary>
    public int Remove(PublishSpec spec)
    {
        if (spec.IsAuto)
        {
            bool was = _auto != null;
            _auto?.Dispose();
            _auto = null;
            return was ? 1 : 0;
        }

        using (driver.Enter())
        {
            List<PublishedPort> covered = [.. publisher.Ports.Where(p => Covers(spec, p))];
            covered.ForEach(publisher.Remove);
            return covered.Count;
        }
    }

    private static bool Covers(PublishSpec spec, PublishedPort published)
    {
        int offset = published.Port - spec.PortFirst;
        return published.Protocol == spec.Protocol && offset >= 0 && offset < spec.Count
            && (spec.HostFirst == 0 || published.Host.Port == spec.HostFirst + offset)
            && (spec.Address is not IpAddress address || published.Host.Address == address);
    }

    /// <summary>A table of what is published, a line each.</summary>
    public IEnumerable<string> List()
    {
        List<string[]> rows = [["PROTO", "HOST", "PORT", "FLOWS", "BY"]];
        using (driver.Enter())
        {
            rows.AddRange(publisher.Ports.Select(p => (string[])
            [
                Name(p.Protocol), p.Host.ToString(), p.Port.ToString(CultureInfo.InvariantCulture),
                p.FlowCount.ToString(CultureInfo.InvariantCulture), p.IsAutomatic ? "auto" : "option",
            ]));
        }

        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(r => r[i].Length))];
        return rows.Select(r => string.Join("  ", r.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
    }

    public void Dispose()
    {
        _auto?.Dispose();
        using (driver.Enter())
        {
            publisher.Dispose();
        }
    }
}
