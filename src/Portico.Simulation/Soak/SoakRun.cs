using Portico.Net;

namespace Portico.Simulation;

/// <summary>How large a soak may get.</summary>
public sealed class SoakOptions
{
    /// <summary>The most bytes that its connections are to carry.</summary>
    public long BytesMax { get; init; } = 10_000_000;

    /// <summary>The virtual time after which unfinished connections are given up, provided that they still move.</summary>
    public Duration TimeMax { get; init; } = Duration.FromSeconds(600);

    /// <summary>How long a connection may stand still before it counts as stuck: a timeout that has backed off is two minutes, and may lose a few packets.</summary>
    public Duration StandstillMax { get; init; } = Duration.FromSeconds(900);

    /// <summary>
    /// Whether connections use Fast Open, ECN, pacing, SYN cookies, options of sockets and the like in random combination; without, they only
    /// read and write.
    /// </summary>
    public bool UsesFeatures { get; init; } = true;

    /// <summary>
    /// Whether those that came later are among them: times of sending, signatures, MTU probing, HyStart's ways. They are drawn apart, so that
    /// seeds found before are what they were.
    /// </summary>
    public bool UsesLaterFeatures { get; init; } = true;

    /// <summary>Where the capture goes; null for nowhere.</summary>
    public Stream? Capture { get; init; }
}

/// <summary>What a soak came to.</summary>
public sealed record SoakResult
{
    /// <summary>Its seed.</summary>
    public required ulong Seed { get; init; }

    /// <summary>What is wrong; null if nothing is.</summary>
    public string? Failure { get; init; }

    /// <summary>Virtual time that passed.</summary>
    public Duration Time { get; init; }

    /// <summary>Bytes of streams that were compared with the model.</summary>
    public long Bytes { get; init; }

    /// <summary>Datagrams that arrived and were compared.</summary>
    public long Datagrams { get; init; }

    /// <summary>Connections that carried every byte and closed in order.</summary>
    public int Finished { get; init; }

    /// <summary>Connections that an end left early, as planned.</summary>
    public int Left { get; init; }

    /// <summary>Connections that timed out on a path that loses packets.</summary>
    public int TimedOut { get; init; }

    /// <summary>Connections that were still moving when the time was up.</summary>
    public int Slow { get; init; }

    /// <summary>The connections that did not finish although no end left early, described.</summary>
    public string Unfinished { get; init; } = "";

    /// <summary>Packets lost or spoilt on the way.</summary>
    public long Drops { get; init; }

    /// <summary>Packets marked with congestion experienced on the way.</summary>
    public long Marks { get; init; }
}

/// <summary>
/// One soak: hosts, links, faults and traffic drawn from a seed, every byte compared with a model, nothing stuck, and in the end
/// nothing left over.
/// </summary>
public sealed class SoakRun : IDisposable
{
    private readonly SoakOptions _options;
    private readonly World _world;
    private readonly SoakTopology _topology;
    private readonly List<SoakConnection> _connections = [];
    private readonly List<SoakDatagrams> _datagrams = [];
    private string _unfinished = "";

    private SoakRun(ulong seed, SoakOptions options)
    {
        _options = options;
        _world = new World(seed, new WorldOptions { Capture = options.Capture, StepsMax = 20_000_000 });
        RandomSource? features = options.UsesFeatures ? new RandomSource(seed ^ 0xFEA7_0E5) : null;
        RandomSource? later = options.UsesFeatures && options.UsesLaterFeatures ? new RandomSource(seed ^ 0x1A7E_4) : null;
        _topology = new SoakTopology(_world, features, later);
        RandomSource random = _world.Random;
        byte[] buffer = new byte[65_536];
        int count = random.Between(1, 8);
        long bytesMax = options.BytesMax / count / 2;
        for (int i = 0; i < count; i++)
        {
            _connections.Add(new SoakConnection(_world, DrawPath(random), i, bytesMax, buffer, features, later));
        }

        for (int i = random.Between(0, 3); i > 0; i--)
        {
            _datagrams.Add(new SoakDatagrams(_world, DrawPath(random), i, buffer));
        }
    }

    /// <summary>Runs the soak of a seed.</summary>
    public static SoakResult Run(ulong seed, SoakOptions? options = null)
    {
        using SoakRun run = new(seed, options ?? new SoakOptions());
        string? failure;
        try
        {
            failure = run.RunTraffic() ?? run.RunCleanup();
        }
        catch (Exception e) when (e is not OutOfMemoryException)
        {
            failure = $"{e.GetType().Name}: {e.Message}\n{e.StackTrace}";
        }

        return run.Result(failure);
    }

    /// <summary>Runs the soak of a seed twice and compares the captures, byte for byte by their digest.</summary>
    public static SoakResult RunTwice(ulong seed, SoakOptions? options = null)
    {
        (SoakResult first, string digest) = RunWithDigest(seed, options ?? new SoakOptions());
        (SoakResult second, string again) = RunWithDigest(seed, options ?? new SoakOptions());
        return first.Failure != null || digest == again
            ? first
            : second with { Failure = $"the same seed gave two captures, {digest} and {again}" };
    }

    /// <summary>Gives all memory back.</summary>
    public void Dispose() => _world.Dispose();

    private static (SoakResult Result, string Digest) RunWithDigest(ulong seed, SoakOptions options)
    {
        using DigestStream digest = new();
        SoakResult result = Run(seed, new SoakOptions
        {
            BytesMax = options.BytesMax, TimeMax = options.TimeMax, StandstillMax = options.StandstillMax,
            UsesFeatures = options.UsesFeatures, UsesLaterFeatures = options.UsesLaterFeatures, Capture = digest,
        });
        return (result, digest.Digest);
    }

    private SoakPath DrawPath(RandomSource random) => _topology.Paths[(int)random.NextBelow((uint)_topology.Paths.Count)];

    private string? RunTraffic()
    {
        bool isDone = false;
        while (!isDone && _world.Now < _options.TimeMax)
        {
            isDone = _world.RunUntil(IsDone, Duration.FromSeconds(1));
            if (FindStoppedTimer() is { } stopped)
            {
                return stopped;
            }
        }

        while (!isDone && StandsStill() == null && HasQuiet() && _world.Now < _options.TimeMax * 12)
        {
            // Something has not moved for a while: wait until it does, or is clearly stuck.
            isDone = _world.RunUntil(IsDone, Duration.FromSeconds(10));
        }

        SoakConnection? stuck = isDone ? null : StandsStill();
        if (stuck != null)
        {
            return $"stuck: {stuck.Describe()}";
        }

        foreach (SoakConnection connection in _connections)
        {
            connection.Outcome = connection.Judge(_topology.HasCuts);
            if (connection.Outcome is SoakOutcome.TimedOut or SoakOutcome.Slow)
            {
                _unfinished += $"\n  {connection.Outcome}: {connection.Describe()}";
            }

            if (connection.Outcome == SoakOutcome.Stuck)
            {
                return $"failed without a reason: {connection.Describe()}";
            }
        }

        return null;
    }

    private string? RunCleanup()
    {
        foreach (SoakConnection connection in _connections)
        {
            connection.GiveUp();
        }

        foreach (SoakDatagrams datagrams in _datagrams)
        {
            datagrams.Close();
        }

        bool isClean = _world.RunUntil(HasNoConnections, Duration.FromSeconds(3600));
        _world.RunFor(Duration.FromSeconds(120));
        Engine engine = _world.Engine;
        if (CountLeftovers() is var records && records != 0)
        {
            return $"left over: {records} records of TCP";
        }

        if (!isClean || engine.Packets.Outstanding != 0 || engine.Blocks.BytesInUse != 0)
        {
            return $"left over: {ConnectionCount()} connections, {engine.Packets.Outstanding} packets, "
                + $"{engine.Blocks.BytesInUse} bytes in blocks";
        }

        return null;
    }

    /// <summary>A connection with something to wait for and no timer to end that.</summary>
    private string? FindStoppedTimer()
    {
        foreach (WorldHost host in _world.Hosts)
        {
            if (host.Stack.Tcp.FindStoppedTimer() is { } found)
            {
                return $"no timer runs on {host.Name} at {_world.Now}: {found}";
            }
        }

        return null;
    }

    private int CountLeftovers() => _world.Hosts.Sum(static host => host.Stack.Tcp.RecordsInUse);

    private bool IsDone()
    {
        foreach (SoakConnection connection in _connections)
        {
            if (!connection.IsDone && !(connection.HasStarted && connection.MayBeHalfOpen))
            {
                return false;
            }
        }

        foreach (SoakDatagrams datagrams in _datagrams)
        {
            if (!datagrams.IsDone)
            {
                return false;
            }
        }

        return true;
    }

    private SoakConnection? StandsStill() => FirstQuietFor(_options.StandstillMax);

    private bool HasQuiet() => FirstQuietFor(Duration.FromSeconds(30)) != null;

    private SoakConnection? FirstQuietFor(Duration time)
    {
        foreach (SoakConnection connection in _connections)
        {
            if (!connection.IsDone && !connection.MayBeHalfOpen && _world.Engine.Now - connection.LastProgress > time)
            {
                return connection;
            }
        }

        return null;
    }

    private bool HasNoConnections() => ConnectionCount() == 0;

    private int ConnectionCount()
    {
        int count = 0;
        foreach (WorldHost host in _world.Hosts)
        {
            count += host.Stack.Tcp.ConnectionCount;
        }

        return count;
    }

    private SoakResult Result(string? failure)
    {
        SoakResult result = new()
        {
            Seed = _world.Seed, Failure = failure, Time = _world.Now, Drops = _topology.Drops, Marks = _topology.Marks, Unfinished = _unfinished,
        };
        foreach (SoakConnection connection in _connections)
        {
            SoakOutcome outcome = connection.Outcome;
            result = result with
            {
                Bytes = result.Bytes + connection.Bytes,
                Finished = result.Finished + (outcome == SoakOutcome.Finished ? 1 : 0),
                Left = result.Left + (outcome == SoakOutcome.Left ? 1 : 0),
                TimedOut = result.TimedOut + (outcome == SoakOutcome.TimedOut ? 1 : 0),
                Slow = result.Slow + (outcome == SoakOutcome.Slow ? 1 : 0),
            };
        }

        foreach (SoakDatagrams datagrams in _datagrams)
        {
            result = result with { Datagrams = result.Datagrams + datagrams.Received };
        }

        return result;
    }
}
