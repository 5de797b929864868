using System.Globalization;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Publishes what the command listens on, on the same port of the host, and withdraws it when the command stops. Looks on a thread of
/// its own, a few times a second. What cannot be published is said once and does no harm.
/// </summary>
internal sealed class AutoPublisher : IDisposable
{
    private const int IntervalMilliseconds = 150;

    private readonly Publishing _publishing;
    private readonly SocketDiagnostics _sockets;
    private readonly IReadOnlyList<IpAddress> _hosts;
    private readonly int _ephemeralFirst = EphemeralFirst();
    private readonly Dictionary<(IpProtocol Protocol, ushort Port), List<PublishedPort>> _published = [];
    private readonly HashSet<(IpProtocol Protocol, ushort Port)> _failed = [];
    private readonly HashSet<ushort> _noticed = [];
    private readonly ManualResetEventSlim _stopping = new();
    private readonly Thread _thread;

    /// <summary>
    /// Begins. Without an address the host's side is its loopback addresses: nobody has named these ports, and they may have been
    /// meant for nobody else.
    /// </summary>
    public AutoPublisher(Publishing publishing, SocketDiagnostics commandsSockets, IpAddress? address)
    {
        _publishing = publishing;
        _sockets = commandsSockets;
        _hosts = address is IpAddress one ? [one] : [IpAddress.LoopbackIpv4, IpAddress.LoopbackIpv6];
        _thread = new Thread(Run) { IsBackground = true, Name = "portico auto" };
        _thread.Start();
    }

    private void Run()
    {
        List<WaitingSocket> sockets = [];
        try
        {
            do
            {
                sockets.Clear();
                _sockets.List(IpProtocol.Tcp, sockets);
                _sockets.List(IpProtocol.Udp, sockets);
                Follow(sockets);
            }
            while (!_stopping.Wait(IntervalMilliseconds));
        }
        catch (LinuxException e)
        {
            Terminal.Error($"--publish auto: {e.Message}");
        }
    }

    private void Follow(List<WaitingSocket> sockets)
    {
        HashSet<(IpProtocol, ushort)> wanted =
        [
            .. sockets.Where(IsReachable).Select(s => (s.Protocol, s.Local.Port)),
        ];
        foreach ((IpProtocol Protocol, ushort Port) gone in _published.Keys.Where(k => !wanted.Contains(k)).ToArray())
        {
            _publishing.Invoke(publisher =>
            {
                _published[gone].ForEach(publisher.Remove);
                return true;
            });
            _published.Remove(gone);
            Terminal.Error($"port {gone.Port}/{Publishing.Name(gone.Protocol)} is not published any more");
        }

        foreach (WaitingSocket socket in sockets.Where(s => s.Protocol == IpProtocol.Tcp && s.Local.Address.IsLoopback))
        {
            if (!wanted.Contains((socket.Protocol, socket.Local.Port)) && _noticed.Add(socket.Local.Port))
            {
                Terminal.Error($"port {socket.Local.Port}/tcp is not published: the command listens on {socket.Local.Address} only");
            }
        }

        _failed.IntersectWith(wanted);
        foreach ((IpProtocol Protocol, ushort Port) key in wanted.Where(k => !_published.ContainsKey(k) && !_failed.Contains(k)).ToArray())
        {
            Publish(key.Item1, key.Item2);
        }
    }

    private void Publish(IpProtocol protocol, ushort port)
    {
        List<PublishedPort> added = [];
        Endpoint at = default;
        Errno error = _publishing.Invoke(publisher =>
            publisher.Ports.Any(p => !p.IsAutomatic && p.Protocol == protocol && p.Port == port)
                ? Errno.EALREADY : _publishing.AddAutomatic(protocol, _hosts, port, added, out at));
        if (error == Errno.None)
        {
            _published.Add((protocol, port), added);
            Terminal.Error($"port {port}/{Publishing.Name(protocol)} is published on {string.Join(" and ", added.Select(p => p.Host))}");
            return;
        }

        _failed.Add((protocol, port));
        if (error != Errno.EALREADY)
        {
            Terminal.Error($"port {port}/{Publishing.Name(protocol)} is not published: {Publishing.Explain(protocol, at, error)}");
        }
    }

    /// <summary>
    /// Whether somebody can come to a socket from outside the command's network. Datagram sockets on ports of the ephemeral range are
    /// mostly clients that wait for an answer.
    /// </summary>
    private bool IsReachable(WaitingSocket socket) =>
        socket.Local.Port != 0 && !socket.Local.Address.IsLoopback && !socket.Local.Address.IsMulticast
        && (socket.Protocol == IpProtocol.Tcp || socket.Local.Port < _ephemeralFirst);

    /// <summary>The first port that the kernel gives to those who ask for none.</summary>
    private static int EphemeralFirst()
    {
        try
        {
            string first = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range").Split((char[])['\t', ' '])[0];
            return int.Parse(first, CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException)
        {
            return 32_768;
        }
    }

    /// <summary>Stops; what is published stays so until its publisher goes.</summary>
    public void Dispose()
    {
        _stopping.Set();
        _thread.Join();
        _stopping.Dispose();
        _publishing.Invoke(publisher =>
        {
            foreach (List<PublishedPort> published in _published.Values)
            {
                published.ForEach(publisher.Remove);
            }

            return true;
        });
    }
}
