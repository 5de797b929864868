namespace Portico.Net.Tests.HostileInput;

/// <summary>What a run came to.</summary>
public sealed record HostileInputResult(
    HostileProtocol Protocol, long Count, long Sent, long Mutated, double Seconds, IReadOnlyList<string> Failures)
{
    /// <summary>How often a connection was led into each state, by the state's number.</summary>
    public required long[] StatesReached { get; init; }

    /// <summary>The victim's counters that are not 0: how deep the packets got, and why they were dropped.</summary>
    public required IReadOnlyList<string> Counters { get; init; }

    /// <summary>Packets for each second of processor time, the attacker's own work included.</summary>
    public double PacketsPerSecond => Count / Seconds;

    public override string ToString() =>
        $"{Protocol,-10} {Count,12:N0} packets in, {Sent,12:N0} out, {PacketsPerSecond,12:N0} packets/s, {Failures.Count} failures";
}

/// <summary>Attacks a whole stack with damaged packets of one protocol and checks what it must hold to.</summary>
public static class HostileInputRun
{
    /// <summary>
    /// The most packets that one packet may cause: a window's worth of segments, and what has waited for the neighbour whose address
    /// it tells (unres_qlen). A large one may cause as many more as it makes fragments on a path of the smallest MTU that ICMP can
    /// bring about (552 bytes).
    /// </summary>
    private const int OutputMax = 64 + 101;

    private const int FailuresMax = 10;

    /// <summary>Runs <paramref name="count"/> packets; the same seed gives the same packets.</summary>
    public static HostileInputResult Run(HostileProtocol protocol, long count, ulong seed = 1)
    {
        using HostileWorld world = new(protocol, seed);
        List<string> failures = [];
        LegitimateConnection legitimate = new(world, ipv4: true, 4000);
        LegitimateConnection? legitimate6 = protocol == HostileProtocol.Icmpv6 ? null : new(world, ipv4: false, 6000);
        Expect(failures, world.TryMoveData(legitimate, 10_000), "before the attack: the legitimate connection moves data");
        world.RunFor(Duration.FromSeconds(60));
        int packetsBefore = world.Engine.Packets.Outstanding;
        long bytesBefore = world.Engine.Blocks.BytesInUse;

        TimeSpan before = Environment.CpuUsage.TotalTime;
        long sentBefore = world.Sent;
        long mutated = Attack(world, protocol, count, seed, failures);
        double seconds = (Environment.CpuUsage.TotalTime - before).TotalSeconds;
        long sent = world.Sent - sentBefore;

        Expect(failures, world.TryMoveData(legitimate, 100_000), "after the attack: the connection from before still moves data");
        bool isIpv6Alive = legitimate6 == null || world.TryMoveData(legitimate6, 100_000);
        Expect(failures, isIpv6Alive, "after the attack: the IPv6 connection from before still moves data");
        CalmDown(world);
        Expect(
            failures,
            world.Engine.Packets.Outstanding == packetsBefore,
            $"packets outstanding: {packetsBefore} before, {world.Engine.Packets.Outstanding} after");
        Expect(
            failures,
            world.Engine.Blocks.BytesInUse == bytesBefore,
            $"buffer bytes in use: {bytesBefore} before, {world.Engine.Blocks.BytesInUse} after");
        Expect(failures, world.TryMoveData(legitimate, 10_000), "hours later: the connection still moves data");
        Expect(failures, world.Ethernet.Malformed + world.Tunnel.Malformed == 0, "everything that the victim sent is well-formed");
        return new HostileInputResult(protocol, count, sent, mutated, seconds, failures)
        {
            StatesReached = world.Connections.Reached,
            Counters = world.Accounting.Describe(),
        };
    }

    private static long Attack(HostileWorld world, HostileProtocol protocol, long count, ulong seed, List<string> failures)
    {
        RandomSource random = new(seed * 0x9E3779B97F4A7C15);
        PacketBuilder builder = new(random);
        PacketMutator mutator = new(random);
        HostileFrame frame = new();
        long mutated = 0;
        world.Connections.EstablishAll();
        world.Accounting.Begin();
        builder.QuotedFlow = world.Connections.QuotedFlow();
        for (long i = 0; i < count && failures.Count < FailuresMax; i++)
        {
            if (protocol is (HostileProtocol.Tcp or HostileProtocol.Forwarded) && random.NextBelow(8) != 0)
            {
                world.Connections.Build(frame, builder);
            }
            else
            {
                builder.Build(frame, protocol);
            }

            if (protocol is HostileProtocol.Tcp or HostileProtocol.Forwarded)
            {
                // Building may have led a connection into its state.
                world.Accounting.Begin();
            }

            if (random.NextBelow(8) != 0)
            {
                mutator.Mutate(frame);
                mutated++;
            }

            Feed(world, frame, random, i, failures);
            if ((i & 63) == 63)
            {
                world.Serve();
                builder.QuotedFlow = world.Connections.QuotedFlow();
                Pass(world, random, i);
                world.Accounting.Begin();
            }

            if (i == count / 2)
            {
                ConnectDuringAttack(world, failures);
            }
        }

        world.Connections.CloseAll();
        world.CloseStrangers();
        return mutated;
    }

    private static void ConnectDuringAttack(HostileWorld world, List<string> failures)
    {
        LegitimateConnection another = new(world, ipv4: true, 4001);
        Expect(failures, world.TryMoveData(another, 10_000), "during the attack: a new connection moves data");
        another.Close();
        world.Accounting.Begin();
    }

    private static void Feed(HostileWorld world, HostileFrame frame, RandomSource random, long number, List<string> failures)
    {
        int linear = random.NextBelow(8) == 0 ? (int)random.NextBelow(80) : int.MaxValue;
        long sent = world.Sent;
        try
        {
            world.Deliver(frame, linear);
        }
        catch (Exception exception) when (exception is not OutOfMemoryException)
        {
            failures.Add($"packet {number}: {exception} for {Convert.ToHexString(frame.Bytes)}");
            return;
        }

        // A connection with a small MSS whose peer has acknowledged much has a large window in segments, and may use it at once.
        long output = world.Sent - sent;
        if (output > OutputMax + (frame.Length / 500) && output > OutputMax + world.Connections.LargestCwnd())
        {
            failures.Add($"packet {number}: {output} packets out (cwnd {world.Connections.LargestCwnd()}) for {Convert.ToHexString(frame.Bytes)}");
        }

        string? complaint = world.Accounting.Complain();
        if (complaint != null)
        {
            failures.Add($"packet {number}: {complaint}: {frame.Entry} {Convert.ToHexString(frame.Bytes)}");
        }
    }

    /// <summary>Time passes in small steps, and now and then in one that lets slow timers fire.</summary>
    private static void Pass(HostileWorld world, RandomSource random, long number)
    {
        Duration step = (number & 0xFFFF) == 0xFFFF ? Duration.FromSeconds(90)
            : (number & 0xFFF) == 0xFFF ? Duration.FromSeconds(2)
            : Duration.FromMilliseconds(random.NextBelow(20));
        world.RunFor(step);
    }

    /// <summary>Lets all timers run out: retransmissions, TIME-WAIT, orphans, reassembly, neighbours.</summary>
    private static void CalmDown(HostileWorld world)
    {
        for (int i = 0; i < 8; i++)
        {
            world.RunFor(Duration.FromSeconds(900));
            world.Serve();
            world.CloseStrangers();
        }

        world.Connections.CloseAll();
        world.RunFor(Duration.FromSeconds(900));
    }

    private static void Expect(List<string> failures, bool condition, string what)
    {
        if (!condition)
        {
            failures.Add(what);
        }
    }
}
