using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Carries echo requests on through ping sockets of the host (icmp(7)), which ordinary users may open where
/// net.ipv4.ping_group_range allows it. Where it does not, the sender is told that it is prohibited: a reply is never made up.
/// </summary>
public sealed class PingProxy : IIcmpEchoHandler, IScheduled
{
    private static readonly Duration s_timeout = Duration.FromSeconds(30);

    private readonly Dictionary<(IpAddress Source, IpAddress Destination, ushort Identifier), Flow> _flows = [];
    private readonly NetworkStack _stack;
    private readonly EpollEvents _events;
    private readonly HostPolicy _policy;
    private readonly MibTable<ProxyCounter> _counters;
    private readonly byte[] _scratch = GC.AllocateUninitializedArray<byte>(65_536, pinned: true);
    private bool _sweepScheduled;

    /// <summary>Takes the echo requests of a stack to addresses that are not its own.</summary>
    public PingProxy(NetworkStack stack, EpollEvents events, HostPolicy policy, MibTable<ProxyCounter> counters)
    {
        ArgumentNullException.ThrowIfNull(stack);
        _stack = stack;
        _events = events;
        _policy = policy;
        _counters = counters;
        stack.Icmp.EchoHandler = this;
    }

    /// <summary>The most flows at a time; requests of one more are dropped.</summary>
    public int FlowMax { get; init; } = 1024;

    /// <summary>
    /// Adds the flows of the moment, under the driver's lock; a flow's port is the identifier of its requests. There are at most
    /// <see cref="FlowMax"/>.
    /// </summary>
    public void ListFlows(List<ProxyFlow> flows)
    {
        ArgumentNullException.ThrowIfNull(flows);
        foreach ((IpAddress source, IpAddress destination, ushort identifier) in _flows.Keys)
        {
            flows.Add(new ProxyFlow(new Endpoint(destination, 0), new Endpoint(source, identifier)));
        }
    }

    /// <inheritdoc/>
    public bool OnEchoRequest(in IcmpEchoRequest request, ReadOnlySpan<byte> payload)
    {
        HostPolicyVerdict verdict = _policy.Decide(
            IpProtocol.Icmp, new Endpoint(request.Destination, 0), _stack.Engine.Now, out Endpoint target);
        if (verdict != HostPolicyVerdict.Allow)
        {
            _counters[ProxyCounter.PingProhibited]++;
            _stack.Icmp.ReportEchoError(request, payload.Length, Errno.EACCES);
            return true;
        }

        if (request.HopLimit <= 1)
        {
            // The gateway is a router on the way, and the request ends at it.
            _stack.Icmp.ReportEchoExpired(request, payload.Length);
            return true;
        }

        (IpAddress, IpAddress, ushort) key = (request.Source, request.Destination, request.Identifier);
        if (!_flows.TryGetValue(key, out Flow? flow))
        {
            if (_flows.Count >= FlowMax)
            {
                _counters[ProxyCounter.PingLimitDrops]++;
                return true;
            }

            bool isIpv4 = target.Address.IsIpv4;
            Errno error = HostSocket.Connect(
                target, LibC.SOCK_DGRAM, isIpv4 ? LibC.IPPROTO_ICMP : LibC.IPPROTO_ICMPV6, out HostSocket socket);
            if (error != Errno.None)
            {
                _counters[ProxyCounter.PingErrors]++;
                _stack.Icmp.ReportEchoError(request, payload.Length, error);
                return true;
            }

            socket.QueueErrors(isIpv4);
            flow = new Flow(this, request, socket);
            _flows.Add(key, flow);
            if (!_sweepScheduled)
            {
                _sweepScheduled = true;
                _stack.Engine.Schedule(_stack.Engine.Now + s_timeout, this, 0);
            }
        }

        flow.Send(request, payload);
        return true;
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        foreach (((IpAddress, IpAddress, ushort) key, Flow flow) in _flows)
        {
            if (_stack.Engine.Now - flow.LastUsed >= s_timeout)
            {
                _flows.Remove(key);
                flow.Close();
            }
        }

        _sweepScheduled = _flows.Count > 0;
        if (_sweepScheduled)
        {
            _stack.Engine.Schedule(_stack.Engine.Now + s_timeout, this, 0);
        }
    }

    private sealed class Flow : IPollHandler
    {
        private const int BatchMax = 64;

        private readonly PingProxy _proxy;
        private readonly HostSocket _host;
        private readonly int _slot;
        private IcmpEchoRequest _last;
        private int _lastLength;
        private byte _hopLimit;

        public Flow(PingProxy proxy, in IcmpEchoRequest request, HostSocket host)
        {
            _proxy = proxy;
            _host = host;
            _last = request;
            _slot = proxy._events.Add(host.Fd, this);
        }

        public MonoTime LastUsed { get; private set; }

        public void Send(in IcmpEchoRequest request, ReadOnlySpan<byte> payload)
        {
            LastUsed = _proxy._stack.Engine.Now;
            _last = request;
            _lastLength = payload.Length;

            // The kernel fills in the identifier (the socket's port) and the checksum.
            Span<byte> message = _proxy._scratch.AsSpan(0, IcmpHeader.Length + payload.Length);
            message[..IcmpHeader.Length].Clear();
            message[0] = request.Source.IsIpv4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest;
            BinaryPrimitives.WriteUInt16BigEndian(message[6..], request.SequenceNumber);
            payload.CopyTo(message[IcmpHeader.Length..]);
            SetHopLimit((byte)(request.HopLimit - 1));
            Errno error = _host.Send(message, out _);
            if (error != Errno.None && TakeErrors())
            {
                // The error belonged to an earlier request; this one has not been sent.
                error = _host.Send(message, out _);
            }

            if (error == Errno.None)
            {
                _proxy._counters[ProxyCounter.PingOut]++;
            }
            else
            {
                Report(error);
            }
        }

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

            for (int i = 0; i < BatchMax; i++)
            {
                Errno error = _host.Receive(_proxy._scratch, out int received);
                if (error == Errno.EAGAIN)
                {
                    return false;
                }

                if (error != Errno.None)
                {
                    TakeErrors();
                }
                else if (received >= IcmpHeader.Length)
                {
                    ReadOnlySpan<byte> message = _proxy._scratch.AsSpan(0, received);
                    IcmpEchoRequest asked = _last with { SequenceNumber = BinaryPrimitives.ReadUInt16BigEndian(message[6..]) };
                    _proxy._counters[ProxyCounter.PingIn]++;
                    _proxy._stack.Icmp.SendEchoReply(asked, message[IcmpHeader.Length..]);
                }
            }

            return true;
        }

        /// <summary>A request goes on with what a router would have left it.</summary>
        private void SetHopLimit(byte hopLimit)
        {
            if (hopLimit != _hopLimit)
            {
                _hopLimit = hopLimit;
                bool isIpv4 = _last.Source.IsIpv4;
                _host.SetOption(
                    isIpv4 ? LibC.IPPROTO_IP : LibC.IPPROTO_IPV6, isIpv4 ? LibC.IP_TTL : LibC.IPV6_UNICAST_HOPS, hopLimit);
            }
        }

        /// <summary>Passes on what was reported about requests, to which each report belongs; false where there was nothing.</summary>
        private bool TakeErrors()
        {
            bool any = false;
            Span<byte> quoted = stackalloc byte[IcmpHeader.Length];
            for (int i = 0; i < BatchMax && _host.TryTakeError(quoted, out HostSocketError error); i++)
            {
                any = true;
                if (!error.IsReported || error.QuotedBytes < IcmpHeader.Length)
                {
                    Report(error.Error);
                    continue;
                }

                _proxy._counters[ProxyCounter.PingErrors]++;
                IcmpEchoRequest asked = _last with { SequenceNumber = BinaryPrimitives.ReadUInt16BigEndian(quoted[6..]) };
                _proxy._stack.Icmp.ReportEchoError(asked, _lastLength, error.Report);
            }

            // The errno of the last report stays with the socket until somebody asks.
            _host.TakeError();
            return any;
        }

        private void Report(Errno error)
        {
            _proxy._counters[ProxyCounter.PingErrors]++;
            _proxy._stack.Icmp.ReportEchoError(_last, _lastLength, error);
        }

        public void Close()
        {
            _proxy._events.Remove(_slot, _host.Fd);
            _host.Close();
        }
    }
}
