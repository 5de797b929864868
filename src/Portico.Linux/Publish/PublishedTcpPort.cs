using Portico.Net;

namespace Portico.Linux;

/// <summary>A listening socket of the host.</summary>
internal sealed class PublishedTcpPort : PublishedPort, IPollHandler, IScheduled
{
    private const int BatchMax = 64;
    private static readonly Duration s_pause = Duration.FromMilliseconds(100);

    private readonly PortPublisher _publisher;
    private readonly HostSocket _listener;
    private readonly int _slot;
    private bool _isClosed;
    private bool _isPaused;

    public PublishedTcpPort(PortPublisher publisher, HostSocket listener, in Endpoint host, ushort port)
        : base(IpProtocol.Tcp, host, port)
    {
        _publisher = publisher;
        _listener = listener;
        _slot = publisher.Tcp.Events.Add(listener.Fd, this);
    }

    public InboundNetwork Network => _publisher.Network;

    public int OpenCount { get; set; }

    public override int FlowCount => OpenCount;

    public bool OnPoll(SocketEvents events)
    {
        for (int i = 0; i < BatchMax && !_isClosed; i++)
        {
            Errno error = _listener.Accept(out HostSocket socket, out Endpoint client);
            switch (error)
            {
                case Errno.None:
                    Begin(socket, client);
                    break;
                case Errno.EAGAIN:
                    return false;
                case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                    // No edge will tell when there is room again.
                    if (!_isPaused)
                    {
                        _isPaused = true;
                        _publisher.Tcp.Stack.Engine.Schedule(_publisher.Tcp.Stack.Engine.Now + s_pause, this, 0);
                    }

                    return false;
            }
        }

        return !_isClosed;
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        _isPaused = false;
        while (OnPoll(SocketEvents.Readable))
        {
        }
    }

    private void Begin(HostSocket socket, in Endpoint client)
    {
        _publisher.Tcp.Counters[ProxyCounter.TcpInboundRequests]++;
        if (_publisher.Tcp.FlowCount >= _publisher.Tcp.FlowMax || DescriptorReserve.Holds(socket.Fd))
        {
            _publisher.Tcp.Counters[ProxyCounter.TcpLimitRefusals]++;
            socket.Reset();
            return;
        }

        _ = new InboundTcpFlow(this, _publisher.Tcp, socket, client);
    }

    internal override void Close()
    {
        _isClosed = true;
        _publisher.Tcp.Events.Remove(_slot, _listener.Fd);
        _listener.Close();
    }
}
