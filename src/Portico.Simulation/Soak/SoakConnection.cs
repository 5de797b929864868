using Portico.Net;

namespace Portico.Simulation;

/// <summary>What became of a connection of a soak.</summary>
internal enum SoakOutcome
{
    /// <summary>Every byte arrived and both ends closed in order.</summary>
    Finished,

    /// <summary>One end left early, as planned.</summary>
    Left,

    /// <summary>It timed out on a path that loses packets.</summary>
    TimedOut,

    /// <summary>Still moving when the time was up.</summary>
    Slow,

    /// <summary>It stands still, or failed without a reason: a bug.</summary>
    Stuck,
}

/// <summary>One connection of a soak: a listener, and the two ends.</summary>
internal sealed class SoakConnection : ISocketOwner, IScheduled
{
    private readonly SoakPath _path;
    private readonly int _number;
    private readonly bool _isIpv6;
    private readonly WorldHost _clientHost;
    private readonly WorldHost _serverHost;
    private readonly Endpoint _serverEndpoint;
    private readonly TcpOpenRequest _request;
    private TcpListenerHandle _listener;
    private bool _isListening;

    public SoakConnection(World world, SoakPath path, int number, long bytesMax, byte[] buffer)
    {
        RandomSource random = world.Random;
        _path = path;
        _number = number;
        _isIpv6 = !path.FirstIpv6.IsUnspecified && random.NextChance(0.5);
        bool isForward = random.NextChance(0.5);
        _clientHost = isForward ? path.First : path.Second;
        _serverHost = isForward ? path.Second : path.First;
        IpAddress firstAddress = _isIpv6 ? path.FirstIpv6 : path.FirstIpv4;
        IpAddress secondAddress = _isIpv6 ? path.SecondIpv6 : path.SecondIpv4;
        _serverEndpoint = new Endpoint(isForward ? secondAddress : firstAddress, (ushort)(20_000 + number));
        _request = new TcpOpenRequest { Remote = _serverEndpoint };
        IpAddress any = _isIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4;
        TcpListenRequest listen = new() { Local = new Endpoint(any, _serverEndpoint.Port), Backlog = 4 };
        if (random.NextChance(0.3))
        {
            _request.SendBufferBytes = (int)random.LogBetween(4096, 1 << 20);
            _request.ReceiveBufferBytes = (int)random.LogBetween(4096, 1 << 20);
            listen.SendBufferBytes = (int)random.LogBetween(4096, 1 << 20);
            listen.ReceiveBufferBytes = (int)random.LogBetween(4096, 1 << 20);
        }

        long toServer = DrawBytes(random, bytesMax);
        long toClient = DrawBytes(random, bytesMax);
        bool answers = random.NextChance(0.3);
        Client = new SoakEnd(this, _clientHost, DrawPlan(random, toServer, toClient, false), number * 2, (number * 2) + 1, buffer);
        Server = new SoakEnd(this, _serverHost, DrawPlan(random, toClient, toServer, answers), (number * 2) + 1, number * 2, buffer);
        Require(_serverHost.Stack.Tcp.Listen(listen, this, out _listener));
        _isListening = true;
        world.Engine.Schedule(world.Engine.Now + random.DurationBetween(Duration.FromMicroseconds(1), Duration.FromSeconds(20)), this, 0);
    }

    public SoakEnd Client { get; }

    public SoakEnd Server { get; }

    public bool HasStarted { get; private set; }

    public bool WasAccepted { get; private set; }

    /// <summary>What became of it; known once the traffic is over.</summary>
    public SoakOutcome Outcome { get; set; }

    public long Bytes => Client.Received + Server.Received;

    public bool IsDone =>
        HasStarted && Client.IsDone && (Server.IsDone || (!WasAccepted && (Client.HasLeft || Client.Error != Errno.None)));

    /// <summary>One end has gone in a way that the other need not hear of: a lost RST is not repeated.</summary>
    public bool MayBeHalfOpen => Client.HasLeft || Server.HasLeft || HasTimedOut;

    /// <summary>
    /// An end has given up after trying for long: while its application waited, or in silence after that had closed (as Linux does,
    /// RFC 9293 3.8.3), so that the peer finds out by a reset or not at all.
    /// </summary>
    private bool HasTimedOut =>
        IsTimeout(Client.Error) || IsTimeout(Server.Error) || (Client.IsDone && GaveUpOnSomething(_clientHost))
        || (Server.IsDone && GaveUpOnSomething(_serverHost)) || HandshakeExpired;

    /// <summary>The server had forgotten the SYN (Linux: tcp_synack_retries, 63 s) when the client's ACK arrived.</summary>
    private bool HandshakeExpired =>
        !WasAccepted && Client.Error == Errno.ECONNRESET && Client.FailedAfter > Duration.FromSeconds(60);

    public MonoTime LastProgress => MonoTime.Max(Client.LastProgress, Server.LastProgress);

    public void OnTime(long cookie)
    {
        HasStarted = true;
        Client.Connect(_request);
    }

    public void OnReady(SocketEvents events)
    {
        while (_isListening && _serverHost.Stack.Tcp.Accept(_listener, Server, out TcpHandle handle) == Errno.None)
        {
            if (WasAccepted)
            {
                throw new SimulationException($"accepted twice: {Describe()}");
            }

            WasAccepted = true;
            Server.Accepted(handle);
        }
    }

    public SoakOutcome Judge(bool pathLosesPackets)
    {
        if (Client.HasLeft || Server.HasLeft)
        {
            return SoakOutcome.Left;
        }

        if (IsDone && Client.Error == Errno.None && Server.Error == Errno.None)
        {
            bool isComplete = Client.Received == Client.Plan.ExpectBytes && Server.Received == Server.Plan.ExpectBytes;
            return isComplete ? SoakOutcome.Finished : SoakOutcome.Stuck;
        }

        if (HasTimedOut && (pathLosesPackets || _path.IsFaulty))
        {
            return SoakOutcome.TimedOut;
        }

        return IsDone ? SoakOutcome.Stuck : SoakOutcome.Slow;
    }

    private static bool IsTimeout(Errno error) => error is Errno.ETIMEDOUT or Errno.EHOSTUNREACH;

    private static bool GaveUpOnSomething(WorldHost host) => host.Stack.Tcp.Mib[TcpCounter.TCPAbortOnTimeout] > 0;

    /// <summary>The harness ends what has not ended by itself.</summary>
    public void GiveUp()
    {
        Client.GiveUp();
        Server.GiveUp();
        if (_isListening)
        {
            _isListening = false;
            _serverHost.Stack.Tcp.Close(_listener);
        }
    }

    public string Describe() =>
        $"connection {_number} to {_serverEndpoint} mtu {_path.Mtu} buffers {_request.SendBufferBytes}/{_request.ReceiveBufferBytes}\n"
            + $"    client {Client.Describe()}\n    server {Server.Describe()}";

    private static long DrawBytes(RandomSource random, long bytesMax) => random.Between(0, 9) switch
    {
        0 => 0,
        1 => 1,
        2 or 3 => random.LogBetween(bytesMax / 10, bytesMax),
        _ => random.LogBetween(1, bytesMax),
    };

    private static SoakEndPlan DrawPlan(RandomSource random, long send, long expect, bool answers)
    {
        int ending = random.Between(0, 19);
        return new SoakEndPlan
        {
            SendBytes = send,
            ExpectBytes = expect,
            WriteBytesMax = (int)random.LogBetween(Math.Clamp(send / 2000, 1, 60_000), 65_536),
            ReadBytesMax = (int)random.LogBetween(Math.Clamp(expect / 2000, 1, 60_000), 65_536),
            IdleChance = random.NextChance(0.4) ? random.NextDouble() * 0.05 : 0,
            IdleMax = random.DurationBetween(Duration.FromMilliseconds(1), Duration.FromSeconds(20)),
            Ending = ending == 0 ? SoakEnding.Abort : ending == 1 ? SoakEnding.CloseEarly : SoakEnding.Orderly,
            EndAfterBytes = 1 + (long)(random.NextDouble() * (send + expect)),
            AnswersAfterEnd = answers,
            NoDelay = random.NextChance(0.3),
            KeepAlive = random.NextChance(0.2),
            OddFlagsChance = random.NextChance(0.2) ? random.NextDouble() * 0.3 : 0,
            MaxSegment = random.NextChance(0.1) ? random.Between(100, 9000) : 0,
        };
    }

    private static void Require(Errno result)
    {
        if (result != Errno.None)
        {
            throw new SimulationException($"cannot listen: {result}");
        }
    }
}
