using Portico.Kernel;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Carries the TCP connections of a stack on through sockets of the host. The host's connection is made first; its outcome is what
/// the program inside sees. Everything runs under the driver's lock.
/// </summary>
public sealed class TcpProxy : ITcpForwarder
{
    /// <summary>What one flow moves before others have their turn.</summary>
    internal const int BudgetBytes = 1 << 20;

    private readonly HostPolicy _policy;

    /// <summary>Takes the connection requests of a stack.</summary>
    public TcpProxy(NetworkStack stack, EpollEvents events, HostPolicy policy, MibTable<ProxyCounter> counters)
    {
        ArgumentNullException.ThrowIfNull(stack);
        Stack = stack;
        Events = events;
        _policy = policy;
        Counters = counters;
        stack.Tcp.Forwarder = this;
    }

    /// <summary>What it did.</summary>
    public MibTable<ProxyCounter> Counters { get; }

    /// <summary>The most connections at a time, both ways, those under way included; more are refused.</summary>
    public int FlowMax { get; init; } = 65_536;

    /// <summary>Hears what happens on the host's side; null (the default) for nobody.</summary>
    public ITcpProxyObserver? Observer { get; set; }

    /// <summary>Connections at present.</summary>
    public int FlowCount { get; internal set; }

    /// <summary>Connections whose program may still have bytes under way that the host's socket does not have yet.</summary>
    public int UndeliveredCount { get; internal set; }

    internal NetworkStack Stack { get; }

    internal EpollEvents Events { get; }

    /// <summary>Where bytes stay only during one call; there is one writer.</summary>
    internal byte[] Scratch { get; } = GC.AllocateUninitializedArray<byte>(256 * 1024, pinned: true);

    /// <inheritdoc/>
    public bool OnConnectionRequest(in TcpForwardRequest request)
    {
        Counters[ProxyCounter.TcpRequests]++;
        switch (_policy.Decide(IpProtocol.Tcp, request.Destination, Stack.Engine.Now, out Endpoint target))
        {
            case HostPolicyVerdict.Refuse:
                Counters[ProxyCounter.TcpRefused]++;
                Report(TcpProxyEventKind.Denied, request, target, Errno.ECONNREFUSED);
                return false;
            case HostPolicyVerdict.Prohibit:
                Counters[ProxyCounter.TcpProhibited]++;
                Report(TcpProxyEventKind.Denied, request, target, Errno.EACCES);
                Decide(request.Id, TcpForwardVerdict.Prohibited);
                return true;
        }

        if (FlowCount >= FlowMax)
        {
            Counters[ProxyCounter.TcpLimitRefusals]++;
            return false;
        }

        Report(TcpProxyEventKind.Connecting, request, target);
        Errno error = HostSocket.Connect(target, LibC.SOCK_STREAM, LibC.IPPROTO_TCP, out HostSocket socket);
        if (error != Errno.None)
        {
            Report(TcpProxyEventKind.ConnectFailed, request, target, error);
            Decide(request.Id, VerdictOf(error));
            return true;
        }

        _ = new OutboundTcpFlow(this, request, target, socket);
        return true;
    }

    internal void Report(TcpProxyEventKind kind, in TcpForwardRequest request, in Endpoint target, Errno error = Errno.None) =>
        Observer?.OnProxyEvent(new TcpProxyEvent(kind, request.Source, request.Destination, target, error));

    /// <summary>Answers from a call of its own: the stack is still busy with the SYN.</summary>
    private void Decide(long request, TcpForwardVerdict verdict) =>
        Stack.Engine.Schedule(Stack.Engine.Now, new Verdict(this, request), (long)verdict);

    /// <summary>What a failed connect(2) of the host looks like to the program inside.</summary>
    internal TcpForwardVerdict VerdictOf(Errno error)
    {
        switch (error)
        {
            case Errno.ECONNREFUSED or Errno.ECONNRESET:
                Counters[ProxyCounter.TcpRefused]++;
                return TcpForwardVerdict.Reset;
            case Errno.EHOSTUNREACH or Errno.EHOSTDOWN:
                Counters[ProxyCounter.TcpUnreachable]++;
                return TcpForwardVerdict.HostUnreachable;
            case Errno.ENETUNREACH or Errno.ENETDOWN or Errno.EADDRNOTAVAIL or Errno.EAFNOSUPPORT:
                Counters[ProxyCounter.TcpUnreachable]++;
                return TcpForwardVerdict.NetworkUnreachable;
            case Errno.EACCES or Errno.EPERM:
                Counters[ProxyCounter.TcpProhibited]++;
                return TcpForwardVerdict.Prohibited;
            case Errno.EMFILE or Errno.ENFILE or Errno.ENOBUFS or Errno.ENOMEM:
                Counters[ProxyCounter.TcpLimitRefusals]++;
                return TcpForwardVerdict.Reset;
            default:
                Counters[ProxyCounter.TcpTimedOut]++;
                return TcpForwardVerdict.Drop;
        }
    }

    private sealed class Verdict(TcpProxy proxy, long request) : IScheduled
    {
        public void OnTime(long cookie) => proxy.Stack.Tcp.CompleteForward(request, (TcpForwardVerdict)cookie, null, out _);
    }
}
