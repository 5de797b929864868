using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Carries the datagrams of a stack on through sockets of the host: one connected socket for each pair of endpoints, given up after
/// a time without traffic, as connection tracking does. Everything runs under the driver's lock.
/// </summary>
public sealed class UdpProxy : IUdpForwarder, IScheduled
{
    private static readonly Duration s_sweepInterval = Duration.FromSeconds(5);

    private readonly Dictionary<(Endpoint Source, Endpoint Destination), UdpProxyFlow> _flows = [];
    private readonly LinkedList<UdpProxyFlow> _byUse = new();
    private readonly HostPolicy _policy;
    private readonly DnsForwarder? _dns;
    private bool _sweepScheduled;

    /// <summary>Takes the datagrams of a stack; <paramref name="dns"/> has those to the gateway's port 53.</summary>
    public UdpProxy(NetworkStack stack, EpollEvents events, HostPolicy policy, MibTable<ProxyCounter> counters, DnsForwarder? dns = null)
    {
        ArgumentNullException.ThrowIfNull(stack);
        Stack = stack;
        Events = events;
        _policy = policy;
        _dns = dns;
        Counters = counters;
        stack.Udp.Forwarder = this;
    }

    /// <summary>What it did.</summary>
    public MibTable<ProxyCounter> Counters { get; }

    /// <summary>The most flows at a time; one more takes the place of the one that was used least recently.</summary>
    public int FlowMax { get; init; } = 8192;

    /// <summary>How long a flow without an answer is kept (nf_conntrack_udp_timeout).</summary>
    public Duration OneWayTimeout { get; init; } = Duration.FromSeconds(30);

    /// <summary>How long a flow with traffic both ways is kept (nf_conntrack_udp_timeout_stream).</summary>
    public Duration TwoWayTimeout { get; init; } = Duration.FromSeconds(120);

    /// <summary>Flows at present.</summary>
    public int FlowCount => _flows.Count;

    /// <summary>Adds the flows of the moment, under the driver's lock. There are at most <see cref="FlowMax"/>.</summary>
    public void ListFlows(List<ProxyFlow> flows)
    {
        ArgumentNullException.ThrowIfNull(flows);
        flows.EnsureCapacity(flows.Count + _flows.Count);
        foreach ((Endpoint source, Endpoint destination) in _flows.Keys)
        {
            flows.Add(new ProxyFlow(destination, source));
        }
    }

    internal NetworkStack Stack { get; }

    internal EpollEvents Events { get; }

    /// <summary>Where a payload stays only during one call; there is one writer.</summary>
    internal byte[] Scratch { get; } = GC.AllocateUninitializedArray<byte>(65_536, pinned: true);

    /// <inheritdoc/>
    public bool OnDatagram(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload)
    {
        if (_flows.TryGetValue((source, destination), out UdpProxyFlow? flow))
        {
            Touch(flow);
            flow.Send(payload);
            return true;
        }

        if (destination.Port == 53 && _dns != null && _policy.IsGateway(destination.Address))
        {
            _dns.OnQuery(source, destination, payload);
            return true;
        }

        switch (_policy.Decide(IpProtocol.Udp, destination, Stack.Engine.Now, out Endpoint target))
        {
            case HostPolicyVerdict.Refuse:
                return false;
            case HostPolicyVerdict.Prohibit:
                Counters[ProxyCounter.UdpProhibited]++;
                Stack.Udp.ReportForwardError(source, destination, payload.Length, UdpForwardError.Prohibited);
                return true;
        }

        Open(source, destination, target, payload);
        return true;
    }

    /// <inheritdoc/>
    public void OnError(in Endpoint source, in Endpoint destination, Errno error)
    {
        if (_flows.TryGetValue((destination, source), out UdpProxyFlow? flow))
        {
            Counters[ProxyCounter.UdpErrors]++;
            flow.OnInsideError(error);
        }
    }

    private void Open(in Endpoint source, in Endpoint destination, in Endpoint target, ReadOnlySpan<byte> payload)
    {
        MakeRoom();
        Errno error = HostSocket.Connect(target, LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out HostSocket socket);
        if (error is Errno.EMFILE or Errno.ENFILE && _byUse.Count > 0)
        {
            Counters[ProxyCounter.UdpEvicted]++;
            Close(_byUse.First!.Value);
            error = HostSocket.Connect(target, LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out socket);
        }

        if (error != Errno.None)
        {
            Report(source, destination, payload.Length, error);
            return;
        }

        socket.QueueErrors(target.Address.IsIpv4);
        OutboundUdpFlow flow = new(this, source, destination, socket);
        Add(flow);
        flow.Send(payload);
    }

    private void MakeRoom()
    {
        if (_flows.Count >= FlowMax)
        {
            Counters[ProxyCounter.UdpEvicted]++;
            Close(_byUse.First!.Value);
        }
    }

    /// <summary>
    /// Begins a flow that a client outside has opened; false where the program's end already has one with the same client address.
    /// </summary>
    internal bool TryAddInbound(UdpProxyFlow flow)
    {
        if (_flows.ContainsKey((flow.Source, flow.Destination)))
        {
            return false;
        }

        MakeRoom();
        Add(flow);
        return true;
    }

    private void Add(UdpProxyFlow flow)
    {
        Counters[ProxyCounter.UdpFlows]++;
        _flows.Add((flow.Source, flow.Destination), flow);
        _byUse.AddLast(flow.Node);
        flow.LastUsed = Stack.Engine.Now;
        if (!_sweepScheduled)
        {
            _sweepScheduled = true;
            Stack.Engine.Schedule(Stack.Engine.Now + s_sweepInterval, this, 0);
        }
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        // Flows without an answer may stand behind younger ones with a longer time: the walk goes on until all could still be kept.
        LinkedListNode<UdpProxyFlow>? node = _byUse.First;
        while (node != null && Stack.Engine.Now - node.Value.LastUsed >= OneWayTimeout)
        {
            LinkedListNode<UdpProxyFlow>? next = node.Next;
            if (Stack.Engine.Now - node.Value.LastUsed >= (node.Value.WasAnswered ? TwoWayTimeout : OneWayTimeout))
            {
                Close(node.Value);
            }

            node = next;
        }

        _sweepScheduled = _flows.Count > 0;
        if (_sweepScheduled)
        {
            Stack.Engine.Schedule(Stack.Engine.Now + s_sweepInterval, this, 0);
        }
    }

    internal void Touch(UdpProxyFlow flow)
    {
        flow.LastUsed = Stack.Engine.Now;
        if (flow.Node != _byUse.Last)
        {
            _byUse.Remove(flow.Node);
            _byUse.AddLast(flow.Node);
        }
    }

    /// <summary>Tells the program what was reported about its datagrams.</summary>
    internal void Report(in Endpoint source, in Endpoint destination, int payloadLength, in HostSocketError error)
    {
        if (!error.IsReported || source.Address.IsIpv4 != error.Destination.Address.IsIpv4)
        {
            Report(source, destination, payloadLength, error.Error);
            return;
        }

        Counters[ProxyCounter.UdpErrors]++;
        Stack.Udp.ReportForwardError(source, destination, payloadLength, error.Report);
    }

    /// <summary>Tells the program what the host said when it was to send.</summary>
    internal void Report(in Endpoint source, in Endpoint destination, int payloadLength, Errno error)
    {
        Counters[ProxyCounter.UdpErrors]++;
        UdpForwardError kind;
        switch (error)
        {
            case Errno.ECONNREFUSED:
                kind = UdpForwardError.PortUnreachable;
                break;
            case Errno.EHOSTUNREACH or Errno.EHOSTDOWN:
                kind = UdpForwardError.HostUnreachable;
                break;
            case Errno.ENETUNREACH or Errno.ENETDOWN or Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT:
                kind = UdpForwardError.NetworkUnreachable;
                break;
            case Errno.EACCES or Errno.EPERM:
                kind = UdpForwardError.Prohibited;
                break;
            case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                Counters[ProxyCounter.UdpLimitDrops]++;
                return;
            default:
                return;
        }

        Stack.Udp.ReportForwardError(source, destination, payloadLength, kind);
    }

    internal void Close(UdpProxyFlow flow)
    {
        _flows.Remove((flow.Source, flow.Destination));
        _byUse.Remove(flow.Node);
        flow.Close();
    }
}
