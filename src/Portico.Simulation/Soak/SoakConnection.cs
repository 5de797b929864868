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
    private readonly Duration _handshakeLife;
    private readonly bool _savesSyn;
    private TcpListenerHandle _listener;
    private bool _isListening;

    public SoakConnection(World world, SoakPath path, int number, long bytesMax, byte[] buffer, RandomSource? features, RandomSource? later)
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
        SoakEndPlan clientPlan = DrawPlan(random, toServer, toClient, false);
        SoakEndPlan serverPlan = DrawPlan(random, toClient, toServer, answers);
        int fastOpenQueue = 0;
        bool fastOpenNoCookie = false;
        if (features != null)
        {
            bool hasUrgent = features.NextChance(0.1);
            SoakEnding early = features.NextChance(0.3) ? SoakEnding.LingerZero : SoakEnding.Abort;
            clientPlan = clientPlan with { Ending = clientPlan.Ending == SoakEnding.Abort ? early : clientPlan.Ending, Features = SoakFeatures.Draw(features, hasUrgent) };
            serverPlan = serverPlan with { Features = SoakFeatures.Draw(features, hasUrgent) };
            SoakFeatures.DrawListener(features, ref listen, out fastOpenQueue, out fastOpenNoCookie);
        }

        if (later != null)
        {
            clientPlan = clientPlan with { Features = clientPlan.Features.WithLater(later, any) };
            serverPlan = serverPlan with { Features = serverPlan.Features.WithLater(later, any) };
        }

        _handshakeLife = LifeOfHandshake(listen.RtoMaxMillis);
        _savesSyn = listen.SaveSyn != 0;
        Client = new SoakEnd(this, _clientHost, clientPlan, number * 2, (number * 2) + 1, buffer);
        Server = new SoakEnd(this, _serverHost, serverPlan, (number * 2) + 1, number * 2, buffer);
        Require(_serverHost.Stack.Tcp.Listen(listen, this, out _listener));
        Require(_serverHost.Stack.Tcp.SetSignatureKeys(_listener, clientPlan.Features.SignatureKeys));
        _serverHost.Stack.Tcp.ConfigureFastOpen(_listener, fastOpenQueue, default, fastOpenNoCookie);
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
        || (Server.IsDone && GaveUpOnSomething(_serverHost)) || HandshakeExpired || CookieFailed;

    /// <summary>A little less than the time for which a SYN-ACK is repeated five times.</summary>
    private static Duration LifeOfHandshake(int rtoMaxMillis)
    {
        const int Timeouts = 6;
        int millis = Enumerable.Range(0, Timeouts).Sum(i => rtoMaxMillis == 0 ? 1000 << i : Math.Min(1000 << i, rtoMaxMillis));
        return Duration.FromMilliseconds(millis - 1000);
    }

    /// <summary>The server had forgotten the SYN (Linux: tcp_synack_retries, 63 s) when the client's ACK arrived.</summary>
    private bool HandshakeExpired => !WasAccepted && Client.Error == Errno.ECONNRESET && Client.FailedAfter > _handshakeLife;

    /// <summary>
    /// Without memory of the SYN, data that overtakes the handshake's last ACK looks like a forged cookie and is reset, on Linux, too; and an
    /// ACK that is late makes the connection anew.
    /// </summary>
    private bool MayHaveMetCookies => _serverHost.Stack.Tcp.Mib[TcpCounter.SyncookiesSent] > 0;

    private bool CookieFailed => Client.Error == Errno.ECONNRESET && _serverHost.Stack.Tcp.Mib[TcpCounter.SyncookiesFailed] > 0;

    private bool MayLosePatience => Client.Plan.Features.HasUserTimeout || Server.Plan.Features.HasUserTimeout;

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
            if (WasAccepted && (Client.HasUsedFastOpen || MayHaveMetCookies))
            {
                // Its SYN was late, and came a second time: with Fast Open that is the application's own business (RFC 7413 6.1).
                _serverHost.Stack.Tcp.Abort(handle);
                continue;
            }

            if (WasAccepted)
            {
                throw new SimulationException($"accepted twice: {Describe()}");
            }

            WasAccepted = true;
            CheckSavedSyn(handle);
            Server.Accepted(handle);
        }
    }

    /// <summary>TCP_SAVE_SYN: where the handshake had a record, the headers of the SYN are those of this connection.</summary>
    private void CheckSavedSyn(TcpHandle handle)
    {
        Span<byte> headers = stackalloc byte[256];
        Errno error = _serverHost.Stack.Tcp.TakeSavedSyn(handle, headers, out int length);
        if (error != Errno.None || (length != 0 && (!_savesSyn || length < 40)))
        {
            throw new SimulationException($"the saved SYN has {length} bytes, {error}: {Describe()}");
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

        if (HasTimedOut && (pathLosesPackets || _path.IsFaulty || MayLosePatience))
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
