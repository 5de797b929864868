using Portico.Net;

namespace Portico.Simulation;

/// <summary>Settings of a <see cref="BulkTransfer"/>.</summary>
public sealed class BulkTransferOptions
{
    /// <summary>How many bytes to send.</summary>
    public required long Bytes { get; init; }

    /// <summary>The port that the receiver listens at.</summary>
    public ushort Port { get; init; } = 5001;

    /// <summary>When to connect, counted from the start of the world.</summary>
    public Duration StartAt { get; init; }

    /// <summary>SO_SNDBUF and SO_RCVBUF in bytes of payload; 0 leaves both to auto-tuning.</summary>
    public int BufferBytes { get; init; }

    /// <summary>Whether it goes over IPv6.</summary>
    public bool IsIpv6 { get; init; }

    /// <summary>Called with the sender's handle once the socket is there, to set options of it.</summary>
    public Action<TcpLayer, TcpHandle>? Prepare { get; init; }
}

/// <summary>
/// One TCP connection of a <see cref="World"/> that sends as much as it may and closes, to a receiver that reads at once and checks
/// every byte: what iperf3 does between two machines.
/// </summary>
public sealed class BulkTransfer : ISocketOwner, IScheduled
{
    private const int ChunkBytes = 64 * 1024;
    private const int PatternBytes = 251;

    private static readonly byte[] s_pattern = [.. Enumerable.Range(0, ChunkBytes + PatternBytes).Select(i => (byte)(i % PatternBytes))];

    private readonly World _world;
    private readonly WorldHost _from;
    private readonly BulkTransferOptions _options;
    private readonly Receiver _receiver;
    private TcpHandle _handle;
    private bool _isOpen;

    /// <summary>Listens at <paramref name="to"/>, and connects from <paramref name="from"/> when it is time.</summary>
    public BulkTransfer(World world, WorldHost from, WorldHost to, BulkTransferOptions options)
    {
        ArgumentNullException.ThrowIfNull(world);
        ArgumentNullException.ThrowIfNull(from);
        ArgumentNullException.ThrowIfNull(to);
        ArgumentNullException.ThrowIfNull(options);
        (_world, _from, _options) = (world, from, options);
        _receiver = new Receiver(world, to, options);
        Remote = new Endpoint(options.IsIpv6 ? to.Ipv6 : to.Ipv4, options.Port);
        world.Engine.Schedule(MonoTime.Zero + options.StartAt, this, 0);
    }

    /// <summary>Where it sends to.</summary>
    public Endpoint Remote { get; }

    /// <summary>Bytes that the sender has handed to its socket.</summary>
    public long Sent { get; private set; }

    /// <summary>Bytes that the receiver has read.</summary>
    public long Received => _receiver.Received;

    /// <summary>Whether the receiver has read all of it, and then the end of the stream.</summary>
    public bool IsDone => _receiver.IsDone;

    /// <summary>When the connection was begun.</summary>
    public Duration StartedAt { get; private set; }

    /// <summary>When the receiver read the end of the stream.</summary>
    public Duration FinishedAt => _receiver.FinishedAt;

    /// <summary>What ended it; None while nothing has.</summary>
    public Errno Error { get; private set; }

    /// <summary>The sender's TCP_INFO, as it was when it had handed over the last byte, or as it is.</summary>
    public TcpInfo Info
    {
        get
        {
            if (_isOpen)
            {
                _from.Stack.Tcp.GetInfo(_handle, out _info);
            }

            return _info;
        }
    }

    private TcpInfo _info;

    private TcpLayer Tcp => _from.Stack.Tcp;

    /// <summary>Mbit/s of payload from the connection's beginning until its end, or until now.</summary>
    public double GoodputMegabits
    {
        get
        {
            Duration time = (IsDone ? FinishedAt : _world.Now) - StartedAt;
            return time <= Duration.Zero ? 0 : Received * 8 / time.Seconds / 1e6;
        }
    }

    /// <inheritdoc/>
    void IScheduled.OnTime(long cookie)
    {
        StartedAt = _world.Now;
        Error = Tcp.Open(
            new TcpOpenRequest { Remote = Remote, SendBufferBytes = _options.BufferBytes, ReceiveBufferBytes = _options.BufferBytes }, this, out _handle);
        _isOpen = Error == Errno.None;
        if (_isOpen)
        {
            _options.Prepare?.Invoke(Tcp, _handle);
        }
    }

    /// <inheritdoc/>
    void ISocketOwner.OnReady(SocketEvents events)
    {
        while (_isOpen)
        {
            int wanted = (int)Math.Min(ChunkBytes, _options.Bytes - Sent);
            if (wanted == 0)
            {
                _ = Info;
                _isOpen = false;
                Tcp.Close(_handle);
                return;
            }

            Errno result = Tcp.Send(_handle, s_pattern.AsSpan((int)(Sent % PatternBytes), wanted), TcpSendFlags.None, out int sent);
            if (result == Errno.EAGAIN)
            {
                return;
            }

            if (result != Errno.None)
            {
                Error = result;
                _isOpen = false;
                Tcp.Close(_handle);
                return;
            }

            Sent += sent;
        }
    }

    private sealed class Receiver : ISocketOwner
    {
        private readonly World _world;
        private readonly TcpLayer _tcp;
        private readonly TcpListenerHandle _listener;
        private readonly byte[] _buffer = new byte[ChunkBytes];
        private TcpHandle _handle;
        private bool _isOpen;

        public Receiver(World world, WorldHost host, BulkTransferOptions options)
        {
            (_world, _tcp) = (world, host.Stack.Tcp);
            TcpListenRequest request = new()
            {
                Local = new Endpoint(options.IsIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4, options.Port),
                Backlog = 1,
                SendBufferBytes = options.BufferBytes,
                ReceiveBufferBytes = options.BufferBytes,
            };
            Errno result = _tcp.Listen(request, this, out _listener);
            if (result != Errno.None)
            {
                throw new SimulationException($"cannot listen at port {options.Port} of {host.Name}: {result}");
            }
        }

        public long Received { get; private set; }

        public bool IsDone { get; private set; }

        public Duration FinishedAt { get; private set; }

        public void OnReady(SocketEvents events)
        {
            if (!_isOpen && !IsDone && _tcp.Accept(_listener, this, out _handle) == Errno.None)
            {
                _isOpen = true;
                _tcp.Close(_listener);
            }

            while (_isOpen)
            {
                Errno result = _tcp.Receive(_handle, _buffer, TcpReceiveFlags.None, out int received);
                if (result == Errno.EAGAIN)
                {
                    return;
                }

                if (result != Errno.None || received == 0)
                {
                    IsDone = result == Errno.None;
                    FinishedAt = _world.Now;
                    _isOpen = false;
                    _tcp.Close(_handle);
                    return;
                }

                int first = _buffer.AsSpan(0, received).CommonPrefixLength(s_pattern.AsSpan((int)(Received % PatternBytes), received));
                if (first < received)
                {
                    throw new SimulationException($"seed {_world.Seed}: byte {Received + first} of the stream is wrong");
                }

                Received += received;
            }
        }
    }
}
