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

    internal NetworkStack Stack { get; }

    internal EpollEvents Events { get; }

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

    private void Open(in Endpoint source, in Endpoint destination, in Endpoint target, ReadOnlySpan<byte> payload)
    {
        if (_flows.Count >= FlowMax)
        {
            Counters[ProxyCounter.UdpEvicted]++;
            Close(_byUse.First!.Value);
        }

        Errno error = HostSocket.Connect(target, LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out HostSocket socket);
        if (error != Errno.None)
        {
            Report(source, destination, payload.Length, error);
            return;
        }

        UdpProxyFlow flow = new(this, source, destination, socket);
        Counters[ProxyCounter.UdpFlows]++;
        _flows.Add((source, destination), flow);
        _byUse.AddLast(flow.Node);
        flow.LastUsed = Stack.Engine.Now;
        if (!_sweepScheduled)
        {
            _sweepScheduled = true;
            Stack.Engine.Schedule(Stack.Engine.Now + s_sweepInterval, this, 0);
        }

        flow.Send(payload);
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

    private void Close(UdpProxyFlow flow)
    {
        _flows.Remove((flow.Source, flow.Destination));
        _byUse.Remove(flow.Node);
        flow.Close();
    }
}

/// <summary>One pair of endpoints and its socket of the host.</summary>
internal sealed class UdpProxyFlow : IPollHandler
{
    private const int BatchMax = 64;

    private readonly UdpProxy _proxy;
    private readonly HostSocket _host;
    private readonly int _slot;
    private int _lastLength;

    public UdpProxyFlow(UdpProxy proxy, in Endpoint source, in Endpoint destination, HostSocket host)
    {
        _proxy = proxy;
        _host = host;
        Source = source;
        Destination = destination;
        Node = new LinkedListNode<UdpProxyFlow>(this);
        _slot = proxy.Events.Add(host.Fd, this);
    }

    public Endpoint Source { get; }

    public Endpoint Destination { get; }

    public LinkedListNode<UdpProxyFlow> Node { get; }

    public MonoTime LastUsed { get; set; }

    public bool WasAnswered { get; private set; }

    public void Send(ReadOnlySpan<byte> payload)
    {
        _lastLength = payload.Length;
        Errno error = _host.Send(payload, out _);
        if (error == Errno.ECONNREFUSED)
        {
            // The error belongs to an earlier datagram; this one has not been sent.
            _proxy.Report(Source, Destination, payload.Length, error);
            error = _host.Send(payload, out _);
        }

        if (error == Errno.None)
        {
            _proxy.Counters[ProxyCounter.UdpOut]++;
        }
        else
        {
            _proxy.Report(Source, Destination, payload.Length, error);
        }
    }

    public bool OnPoll(SocketEvents events)
    {
        if ((events & ~SocketEvents.Writable) == 0)
        {
            return false;
        }

        for (int i = 0; i < BatchMax; i++)
        {
            Errno error = _host.Receive(_proxy.Scratch, out int received);
            if (error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.None)
            {
                _proxy.Report(Source, Destination, _lastLength, error);
                continue;
            }

            WasAnswered = true;
            _proxy.Touch(this);
            _proxy.Counters[ProxyCounter.UdpIn]++;
            _proxy.Stack.Udp.SendFrom(Destination, Source, _proxy.Scratch.AsSpan(0, received));
        }

        return true;
    }

    public void Close()
    {
        _proxy.Events.Remove(_slot, _host.Fd);
        _host.Close();
    }
}
