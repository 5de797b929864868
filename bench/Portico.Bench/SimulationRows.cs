using System.Globalization;
using Portico.Net;
using Portico.Simulation;

namespace Portico.Bench;

/// <summary>How much faster than real time a simulated network runs.</summary>
internal static class SimulationRows
{
    private const int Hosts = 100;
    private const ushort Port = 80;

    /// <summary>Sends a little to its neighbour, again and again, and receives what comes.</summary>
    private sealed class Talker(WorldHost host) : ISocketOwner, IScheduled
    {
        private static readonly Duration s_interval = Duration.FromMilliseconds(100);
        private readonly byte[] _buffer = new byte[10_000];
        private TcpListenerHandle _listener;
        private TcpHandle _outgoing;
        private TcpHandle _incoming;
        private bool _isAccepted;

        public long Received { get; private set; }

        public void Start(WorldHost neighbour)
        {
            TcpListenRequest listen = new() { Local = new Endpoint(IpAddress.AnyIpv4, Port), Backlog = 4 };
            host.Stack.Tcp.Listen(listen, this, out _listener).ThrowIfFailed();
            host.World.Engine.Schedule(host.World.Engine.Now + s_interval, this, 0);
            Neighbour = neighbour;
        }

        public WorldHost? Neighbour { get; private set; }

        public void OnTime(long cookie)
        {
            if (cookie == 0)
            {
                TcpOpenRequest request = new() { Remote = new Endpoint(Neighbour!.Ipv4, Port) };
                host.Stack.Tcp.Open(request, this, out _outgoing).ThrowIfFailed();
            }
            else
            {
                // 10 KB ten times a second: about the traffic of a busy small service.
                host.Stack.Tcp.Send(_outgoing, _buffer, TcpSendFlags.None, out _);
            }

            host.World.Engine.Schedule(host.World.Engine.Now + s_interval, this, cookie + 1);
        }

        public void OnReady(SocketEvents events)
        {
            if (!_isAccepted)
            {
                _isAccepted = host.Stack.Tcp.Accept(_listener, this, out _incoming) == Errno.None;
            }

            while (_isAccepted && host.Stack.Tcp.Receive(_incoming, _buffer, TcpReceiveFlags.None, out int received) == Errno.None && received > 0)
            {
                Received += received;
            }
        }
    }

    public static IEnumerable<Row> Run(BenchOptions options)
    {
        using World world = new(seed: 1);
        WorldSwitch network = world.AddSwitch();
        Talker[] talkers = new Talker[Hosts];
        for (int i = 0; i < Hosts; i++)
        {
            WorldHost host = world.AddHost($"host{i}");
            world.Connect(host, network);
            talkers[i] = new Talker(host);
        }

        for (int i = 0; i < Hosts; i++)
        {
            talkers[i].Start(world.Hosts[(i + 1) % Hosts]);
        }

        world.RunFor(Duration.FromSeconds(3));
        long received = talkers.Sum(t => t.Received);
        long start = Measure.OneThreadNanoseconds;
        double simulated = 0;
        while (Measure.OneThreadNanoseconds - start < options.Seconds * 1e9)
        {
            world.RunFor(Duration.FromSeconds(1));
            simulated++;
        }

        double elapsed = (Measure.OneThreadNanoseconds - start) / 1e9;
        received = talkers.Sum(t => t.Received) - received;
        yield return new Row(
            "simulated seconds per second: 100 hosts on a switch, each sends 100 KB/s",
            string.Create(CultureInfo.InvariantCulture, $"{simulated / elapsed:#,0.0}"),
            "-",
            "",
            "",
            null,
            string.Create(CultureInfo.InvariantCulture, $"{received / simulated / 1e6:0.0} MB for each simulated second"));
    }

    private static void ThrowIfFailed(this Errno error)
    {
        if (error != Errno.None)
        {
            throw new InvalidOperationException(error.ToString());
        }
    }
}
