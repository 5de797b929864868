using Portico.Net;

namespace Portico.Simulation;

/// <summary>How an end leaves its connection.</summary>
internal enum SoakEnding
{
    /// <summary>Sends all, shuts down, reads to the end, closes.</summary>
    Orderly,

    /// <summary>Resets it half-way.</summary>
    Abort,

    /// <summary>Closes it half-way, whatever is unread or unsent.</summary>
    CloseEarly,

    /// <summary>Closes it half-way with SO_LINGER at 0.</summary>
    LingerZero,
}

/// <summary>What one end of a connection is to do.</summary>
internal sealed record SoakEndPlan
{
    public required long SendBytes { get; init; }
    public required long ExpectBytes { get; init; }
    public required int WriteBytesMax { get; init; }
    public required int ReadBytesMax { get; init; }
    public required double IdleChance { get; init; }
    public required Duration IdleMax { get; init; }
    public required SoakEnding Ending { get; init; }

    /// <summary>For the other endings than the orderly one: after how many bytes sent and received.</summary>
    public required long EndAfterBytes { get; init; }

    /// <summary>Says nothing before the peer has finished, as a server that answers a request which ends with a FIN.</summary>
    public required bool AnswersAfterEnd { get; init; }
    public required bool NoDelay { get; init; }
    public required bool KeepAlive { get; init; }

    /// <summary>How often a write says that more follows (MSG_MORE), and a read looks first (MSG_PEEK).</summary>
    public required double OddFlagsChance { get; init; }

    /// <summary>TCP_MAXSEG; 0 for the path's.</summary>
    public required int MaxSegment { get; init; }

    /// <summary>What else it uses.</summary>
    public SoakFeatures Features { get; init; } = SoakFeatures.None;
}

/// <summary>The application at one end of a connection in a soak: writes, reads and checks as its plan says.</summary>
internal sealed class SoakEnd : ISocketOwner, IScheduled
{
    private const TimestampingFlags Stamps = TimestampingFlags.SOF_TIMESTAMPING_TX_SCHED | TimestampingFlags.SOF_TIMESTAMPING_TX_SOFTWARE
        | TimestampingFlags.SOF_TIMESTAMPING_TX_ACK;

    private readonly SoakConnection _connection;
    private readonly WorldHost _host;
    private readonly int _sendStream;
    private readonly int _receiveStream;
    private readonly byte[] _buffer;
    private TcpHandle _handle;
    private bool _isOpen;
    private bool _hasShutDown;
    private bool _hasEnded;
    private bool _isCorked;
    private MonoTime _writesFrom;
    private MonoTime _readsFrom;
    private MonoTime _openedAt;

    public SoakEnd(SoakConnection connection, WorldHost host, SoakEndPlan plan, int sendStream, int receiveStream, byte[] buffer)
    {
        _connection = connection;
        _host = host;
        Plan = plan;
        _sendStream = sendStream;
        _receiveStream = receiveStream;
        _buffer = buffer;
    }

    public SoakEndPlan Plan { get; }

    public long Sent { get; private set; }

    public long Received { get; private set; }

    /// <summary>Nothing more will be done here.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Left early, as planned.</summary>
    public bool HasLeft { get; private set; }

    /// <summary>The SYN was one of Fast Open, and may have had data.</summary>
    public bool HasUsedFastOpen { get; private set; }

    /// <summary>The error that ended it; None while there was none.</summary>
    public Errno Error { get; private set; }

    /// <summary>How long it took from the call to connect until the error.</summary>
    public Duration FailedAfter { get; private set; }

    /// <summary>When a byte last moved, or the application last waited on purpose.</summary>
    public MonoTime LastProgress { get; private set; }

    private TcpLayer Tcp => _host.Stack.Tcp;

    private MonoTime Now => _host.World.Engine.Now;

    private RandomSource Random => _host.World.Random;

    public void Connect(in TcpOpenRequest request)
    {
        LastProgress = _openedAt = Now;
        bool isPlain = Plan.Features.Opening == SoakOpening.Plain;
        Errno result = isPlain ? Tcp.Open(request, this, out _handle) : Tcp.Prepare(request, this, out _handle);
        if (result != Errno.None)
        {
            Fail(result);
            return;
        }

        _isOpen = true;
        SetOptions();
        if (Plan.Features.SignatureKeys is { } keys)
        {
            FailUnless(Tcp.SetSignatureKeys(_handle, keys));
        }

        switch (Plan.Features.Opening)
        {
            case SoakOpening.Prepared:
                FailUnless(Tcp.Start(_handle));
                break;
            case SoakOpening.FastOpen:
                OpenWithData();
                break;
            case SoakOpening.Deferred when Plan.SendBytes > 0 && Tcp.DeferConnect(_handle):
                _writesFrom = Wait();
                break;
            case SoakOpening.Deferred:
                HasUsedFastOpen = true;
                FailUnless(Tcp.StartWithCookieRequest(_handle));
                break;
        }
    }

    /// <summary>The SYN, with data where there is a cookie.</summary>
    private void OpenWithData()
    {
        HasUsedFastOpen = true;
        int wanted = (int)Math.Min(Plan.SendBytes, Random.Between(1, Plan.WriteBytesMax));
        StreamModel.Fill(_sendStream, 0, _buffer.AsSpan(0, wanted));
        FailUnless(Tcp.StartFastOpen(_handle, _buffer.AsSpan(0, wanted), waits: false, out int sent));
        Sent += sent;
    }

    private void FailUnless(Errno result)
    {
        if (result != Errno.None)
        {
            Fail(result);
        }
    }

    public void Accepted(TcpHandle handle)
    {
        LastProgress = Now;
        _handle = handle;
        _isOpen = true;
        SetOptions();
        Pump();
    }

    public void OnReady(SocketEvents events) => Pump();

    public void OnTime(long cookie) => Pump();

    /// <summary>The harness gives up on it.</summary>
    public void GiveUp()
    {
        if (_isOpen)
        {
            Tcp.Abort(_handle);
            _isOpen = false;
        }

        IsDone = true;
    }

    public string Describe()
    {
        string state = "no handle";
        if (_isOpen && Tcp.GetInfo(_handle, out TcpInfo info) == Errno.None)
        {
            state = $"{info.State} cwnd {info.SndCwnd} unacked {info.Unacked} rto {info.RtoMicros} us backoff {info.Backoff} "
                + $"notsent {info.NotSentBytes} sndq {info.SendQueueBytes} rcvq {info.ReceiveQueueBytes} retrans {info.TotalRetrans} "
                + $"probes {info.Probes} sndwnd {info.SndWnd} rcvwnd {info.RcvWnd} "
                + $"rcvssthresh {info.RcvSsThresh} rcvmss {info.RcvMss} sndmss {info.SndMss}";
        }

        SoakFeatures f = Plan.Features;
        string features = $"{f.Opening} {string.Join(' ', f.Options.Select(static option => $"{option.Option}={option.Value}"))} pace {f.PacingRateMax} "
            + $"cork {f.CorkChance:0.00} eor {f.EndOfRecordChance:0.00} urgent {f.UrgentChance:0.00} loan {f.LoanChance:0.00}";
        return $"{_host.Name}: sent {Sent}/{Plan.SendBytes} received {Received}/{Plan.ExpectBytes} {Plan.Ending} "
            + $"shut {_hasShutDown} eof {_hasEnded} done {IsDone} left {HasLeft} error {Error} last {LastProgress} [{state}]\n      {features}";
    }

    private void SetOptions()
    {
        foreach ((TcpOption option, int value) in Plan.Features.Options)
        {
            Tcp.SetOption(_handle, option, value);
        }

        if (Plan.Features.StampChance > 0)
        {
            Tcp.SetTimestamping(_handle, TimestampingFlags.SOF_TIMESTAMPING_SOFTWARE | TimestampingFlags.SOF_TIMESTAMPING_OPT_ID);
        }

        if (Plan.Features.PacingRateMax != 0)
        {
            Tcp.SetPacing(_handle, Plan.Features.PacingRateMax);
        }

        if (Plan.NoDelay)
        {
            Tcp.SetOption(_handle, TcpOption.TCP_NODELAY, 1);
        }

        if (Plan.MaxSegment != 0)
        {
            Tcp.SetOption(_handle, TcpOption.TCP_MAXSEG, Plan.MaxSegment);
        }

        if (Plan.KeepAlive)
        {
            Tcp.SetOption(_handle, TcpOption.TCP_KEEPIDLE, 5);
            Tcp.SetOption(_handle, TcpOption.TCP_KEEPINTVL, 5);
            Tcp.SetOption(_handle, TcpOption.SO_KEEPALIVE, 1);
        }
    }

    private void Pump()
    {
        if (!_isOpen)
        {
            return;
        }

        if (Tcp.IsConnectDeferred(_handle))
        {
            if (Now >= _writesFrom)
            {
                OpenWithData();
            }

            return;
        }

        while (Plan.Features.StampChance > 0 && Tcp.ReceiveError(_handle, out _) == Errno.None)
        {
        }

        Read();
        if (_isOpen)
        {
            Write();
        }

        if (_isOpen && _hasEnded && _hasShutDown)
        {
            Tcp.Close(_handle);
            _isOpen = false;
            IsDone = true;
        }
    }

    private void Read()
    {
        while (_isOpen && !_hasEnded && Now >= _readsFrom)
        {
            Span<byte> buffer = _buffer.AsSpan(0, Random.Between(1, Plan.ReadBytesMax));
            int peeked = 0;
            if (Random.NextChance(Plan.OddFlagsChance))
            {
                Errno peek = Tcp.Receive(_handle, buffer, TcpReceiveFlags.Peek, out peeked);
                Check(buffer[..peeked]);
                if (peek is not (Errno.None or Errno.EAGAIN))
                {
                    Fail(peek);
                    return;
                }
            }

            Errno result = Receive(buffer, peeked > 0, out int received);
            if (result == Errno.EAGAIN)
            {
                return;
            }

            if (result != Errno.None)
            {
                Fail(result);
                return;
            }

            LastProgress = Now;
            if (received == 0)
            {
                _hasEnded = true;
                return;
            }

            Check(buffer[..received]);
            Received += received;
            if (received < peeked)
            {
                throw new SimulationException($"{peeked} bytes were there to peek at, {received} to read: {_connection.Describe()}");
            }

            if (LeavesNow())
            {
                return;
            }

            if (Random.NextChance(Plan.IdleChance))
            {
                _readsFrom = Wait();
            }
        }
    }

    /// <summary>As the plan says, but a peek has to be followed by a read that sees as much.</summary>
    private Errno Receive(Span<byte> buffer, bool hasPeeked, out int received)
    {
        if (hasPeeked || !Random.NextChance(Plan.Features.LoanChance) || !Tcp.TryTakeReceived(_handle, buffer.Length, 1, out TcpReceiveLoan loan))
        {
            return Tcp.Receive(_handle, buffer, TcpReceiveFlags.None, out received);
        }

        received = loan.Length;
        loan.CopyTo(buffer);
        Tcp.ReturnReceived(_handle, ref loan);
        return Errno.None;
    }

    private void Check(ReadOnlySpan<byte> bytes)
    {
        long wrong = StreamModel.FirstDifference(_receiveStream, Received, bytes);
        if (wrong >= 0 || Received + bytes.Length > Plan.ExpectBytes)
        {
            throw new SimulationException($"wrong byte at offset {wrong} of stream {_receiveStream}: {_connection.Describe()}");
        }
    }

    private void Write()
    {
        if (Plan.AnswersAfterEnd && !_hasEnded)
        {
            return;
        }

        while (_isOpen && Now >= _writesFrom && !_hasShutDown)
        {
            long left = Plan.SendBytes - Sent;
            if (left == 0)
            {
                Errno shutdown = Tcp.Shutdown(_handle, TcpShutdown.Send);
                _hasShutDown = true;
                if (shutdown != Errno.None)
                {
                    Errno pending = Tcp.TakeError(_handle);
                    Fail(pending == Errno.None ? shutdown : pending);
                }

                return;
            }

            int wanted = (int)Math.Min(left, Random.Between(1, Plan.WriteBytesMax));
            TcpSendFlags flags = Random.NextChance(Plan.OddFlagsChance) ? TcpSendFlags.More : TcpSendFlags.None;
            Errno result = Send(wanted, flags, out int sent);
            if (result == Errno.EAGAIN)
            {
                return;
            }

            if (result != Errno.None)
            {
                Fail(result);
                return;
            }

            LastProgress = Now;
            Sent += sent;
            if (LeavesNow())
            {
                return;
            }

            if (Random.NextChance(Plan.IdleChance))
            {
                _writesFrom = Wait();
            }
        }
    }

    private Errno Send(int wanted, TcpSendFlags flags, out int sent)
    {
        SoakFeatures features = Plan.Features;
        if (Random.NextChance(features.CorkChance))
        {
            _isCorked = !_isCorked;
            Tcp.SetOption(_handle, TcpOption.TCP_CORK, _isCorked ? 1 : 0);
        }

        if (Random.NextChance(features.NoticeChance))
        {
            Tcp.TellOfAcknowledgment(_handle);
        }

        flags |= Random.NextChance(features.EndOfRecordChance) ? TcpSendFlags.EndOfRecord : TcpSendFlags.None;
        if (Random.NextChance(features.LoanChance))
        {
            return SendInPlace(wanted, flags, out sent);
        }

        flags |= Random.NextChance(features.UrgentChance) ? TcpSendFlags.OutOfBand : TcpSendFlags.None;
        StreamModel.Fill(_sendStream, Sent, _buffer.AsSpan(0, wanted));
        TimestampingFlags stamps = features.StampChance > 0 && Random.NextChance(features.StampChance) ? Stamps : TimestampingFlags.None;
        return Tcp.Send(_handle, _buffer.AsSpan(0, wanted), flags, out sent, stamps);
    }

    private Errno SendInPlace(int wanted, TcpSendFlags flags, out int sent)
    {
        sent = 0;
        Errno error = Tcp.Reserve(_handle, wanted, out TcpSendLoan loan);
        if (error != Errno.None)
        {
            return error;
        }

        int length = Random.Between(1, loan.Length);
        StreamModel.Fill(_sendStream, Sent, loan.Span[..length]);
        error = Tcp.Commit(_handle, ref loan, length, flags);
        sent = error == Errno.None ? length : 0;
        return error;
    }

    private bool LeavesNow()
    {
        if (Plan.Ending == SoakEnding.Orderly || Sent + Received < Plan.EndAfterBytes)
        {
            return false;
        }

        HasLeft = true;
        IsDone = true;
        _isOpen = false;
        if (Plan.Ending == SoakEnding.Abort)
        {
            Tcp.Abort(_handle);
        }
        else
        {
            if (Plan.Ending == SoakEnding.LingerZero)
            {
                Tcp.SetOption(_handle, TcpOption.SO_LINGER, 0);
            }

            Tcp.Close(_handle);
        }

        return true;
    }

    private MonoTime Wait()
    {
        MonoTime until = Now + Random.DurationBetween(Duration.FromMicroseconds(100), Plan.IdleMax);
        _host.World.Engine.Schedule(until, this, 0);
        LastProgress = until;
        return until;
    }

    private void Fail(Errno error)
    {
        Error = error;
        FailedAfter = Now - _openedAt;
        IsDone = true;
        if (_isOpen)
        {
            _isOpen = false;
            Tcp.Close(_handle);
        }
    }
}
