using System.Globalization;
using Portico.Net;

namespace Portico.Simulation.Tests.Behaviour;

/// <summary>
/// Two hosts with one slow link between them, and the flows that share it. With PORTICO_CAPTURES=DIRECTORY in the environment each run
/// leaves a capture there for <c>portico plot</c>.
/// </summary>
internal sealed class Bottleneck : IDisposable
{
    private readonly Stream? _capture;

    public Bottleneck(string name, ulong seed, LinkOptions link)
    {
        string? directory = Environment.GetEnvironmentVariable("PORTICO_CAPTURES");
        if (directory != null)
        {
            Directory.CreateDirectory(directory);
            _capture = File.Create(Path.Combine(directory, string.Create(CultureInfo.InvariantCulture, $"{name}-{seed}.pcapng")));
        }

        World = new World(seed, new WorldOptions { Capture = _capture, CaptureCongestionWindow = true });
        Sender = World.AddHost("sender");
        Receiver = World.AddHost("receiver");
        Link = World.Connect(Sender, Receiver, link);
    }

    public World World { get; }

    public WorldHost Sender { get; }

    public WorldHost Receiver { get; }

    public WorldLink Link { get; }

    public List<BulkTransfer> Flows { get; } = [];

    /// <summary>What the sender's stack has counted.</summary>
    public long this[TcpCounter counter] => Sender.Stack.Tcp.Mib[counter];

    /// <summary>A link of that rate and round trip, with a queue of so many round trips.</summary>
    public static LinkOptions Of(long bitsPerSecond, int roundTripMillis, double queueRoundTrips, Action<Impairment>? with = null)
    {
        long bytesPerRoundTrip = bitsPerSecond / 8 * roundTripMillis / 1000;
        Impairment forward = new()
        {
            RateBitsPerSecond = bitsPerSecond,
            Delay = Duration.FromMilliseconds(roundTripMillis) / 2,
            QueuePacketsMax = (int)Math.Max(bytesPerRoundTrip * queueRoundTrips / 1500, 10),
        };
        with?.Invoke(forward);
        return new LinkOptions { Forward = forward, Backward = new Impairment { Delay = Duration.FromMilliseconds(roundTripMillis) / 2 } };
    }

    public BulkTransfer Add(TcpCongestion congestion, long bytes = long.MaxValue, Duration startAt = default)
    {
        BulkTransfer flow = new(
            World,
            Sender,
            Receiver,
            new BulkTransferOptions
            {
                Bytes = bytes,
                Port = (ushort)(5001 + Flows.Count),
                StartAt = startAt,
                Prepare = (tcp, handle) => Assert.Equal(Errno.None, tcp.SetOption(handle, TcpOption.TCP_CONGESTION, (int)congestion)),
            });
        Flows.Add(flow);
        return flow;
    }

    public void Dispose()
    {
        World.Dispose();
        _capture?.Dispose();
    }
}
