using Portico.Net;

namespace Portico.Linux;

/// <summary>A datagram socket of the host that clients outside send to; each client is a flow with the time-outs of all flows.</summary>
internal sealed class PublishedUdpPort : PublishedPort, IPollHandler
{
    private const int BatchMax = 64;

    /// <summary>Ports to try where the client's own is taken by another client that comes by the same address.</summary>
    private const int PortTriesMax = 16;

    private readonly PortPublisher _publisher;
    private readonly Dictionary<(Endpoint Client, IpAddress Local), InboundUdpFlow> _flows = [];
    private readonly int _slot;

    public PublishedUdpPort(PortPublisher publisher, HostSocket socket, in Endpoint host, ushort port)
        : base(IpProtocol.Udp, host, port)
    {
        _publisher = publisher;
        Socket = socket;
        socket.ReportLocalAddress(host.Address.IsIpv4);
        socket.QueueErrors(host.Address.IsIpv4);
        _slot = publisher.Udp.Events.Add(socket.Fd, this);
    }

    public HostSocket Socket { get; }

    public override int FlowCount => _flows.Count;

    public bool OnPoll(SocketEvents events)
    {
        if ((events & ~SocketEvents.Writable) == 0)
        {
            return false;
        }

        if ((events & SocketEvents.Error) != 0)
        {
            TakeErrors();
        }

        UdpProxy proxy = _publisher.Udp;
        for (int i = 0; i < BatchMax; i++)
        {
            Errno error = Socket.ReceiveFrom(proxy.Scratch, out int received, out Endpoint client, out IpAddress local);
            if (error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.None)
            {
                TakeErrors();
            }
            else if (FlowOf(client, local) is InboundUdpFlow flow)
            {
                flow.Deliver(proxy.Scratch.AsSpan(0, received));
            }
        }

        return true;
    }

    private InboundUdpFlow? FlowOf(in Endpoint client, in IpAddress local)
    {
        if (_flows.TryGetValue((client, local), out InboundUdpFlow? known))
        {
            return known;
        }

        bool isIpv4 = client.Address.IsIpv4;
        if (client.Port == 0 || _publisher.Network.CommandOf(isIpv4) is not IpAddress command)
        {
            _publisher.Udp.Counters[ProxyCounter.UdpLimitDrops]++;
            return null;
        }

        Endpoint seen = _publisher.Network.SourceFor(client, isIpv4);
        for (int i = 0; i < PortTriesMax; i++)
        {
            Endpoint source = new(seen.Address, (ushort)Math.Max(1, (seen.Port + i) & 0xFFFF));
            InboundUdpFlow flow = new(this, _publisher.Udp, new Endpoint(command, Port), source, client, local);
            if (_publisher.Udp.TryAddInbound(flow))
            {
                _flows.Add((client, local), flow);
                return flow;
            }
        }

        _publisher.Udp.Counters[ProxyCounter.UdpLimitDrops]++;
        return null;
    }

    /// <summary>What was reported about answers is passed on to the command.</summary>
    internal bool TakeErrors()
    {
        bool any = false;
        for (int i = 0; i < BatchMax && Socket.TryTakeError([], out HostSocketError error); i++)
        {
            any = true;
            foreach (((Endpoint client, IpAddress _), InboundUdpFlow flow) in _flows)
            {
                if (client == error.Destination)
                {
                    _publisher.Udp.Report(flow.Source, flow.Destination, flow.LastLength, error);
                    break;
                }
            }
        }

        // The errno of the last report stays with the socket until somebody asks.
        Socket.TakeError();
        return any;
    }

    /// <summary>The command has no socket on the port: the client hears what it would hear from the command's own host.</summary>
    internal void TellClient(InboundUdpFlow flow, Errno error)
    {
        if (error == Errno.ECONNREFUSED
            && _publisher.ClientErrors.ReportPortUnreachable(flow.Client, new Endpoint(flow.Local, Host.Port)))
        {
            _publisher.Udp.Counters[ProxyCounter.UdpInboundRefused]++;
        }
    }

    internal void Forget(InboundUdpFlow flow) => _flows.Remove((flow.Client, flow.Local));

    internal override void Close()
    {
        foreach (InboundUdpFlow flow in _flows.Values.ToArray())
        {
            _publisher.Udp.Close(flow);
        }

        _publisher.Udp.Events.Remove(_slot, Socket.Fd);
        Socket.Close();
    }
}
