using Portico.Net;

namespace Portico.Linux;

/// <summary>A pair of endpoints that exchange datagrams; opened from inside or from outside.</summary>
internal abstract class UdpProxyFlow
{
    private protected UdpProxyFlow(UdpProxy proxy, in Endpoint source, in Endpoint destination)
    {
        Proxy = proxy;
        Source = source;
        Destination = destination;
        Node = new LinkedListNode<UdpProxyFlow>(this);
    }

    private protected UdpProxy Proxy { get; }

    /// <summary>The program's end.</summary>
    public Endpoint Source { get; }

    /// <summary>The other end, as the program sees it.</summary>
    public Endpoint Destination { get; }

    public LinkedListNode<UdpProxyFlow> Node { get; }

    public MonoTime LastUsed { get; set; }

    /// <summary>Whether there has been traffic both ways.</summary>
    public bool WasAnswered { get; private protected set; }

    /// <summary>The length of the last datagram for the host, in bytes; errors that come later are about it.</summary>
    public int LastLength { get; private set; }

    /// <summary>Carries a datagram of the program's out.</summary>
    public void Send(ReadOnlySpan<byte> payload)
    {
        LastLength = payload.Length;
        Errno error = SendToHost(payload);
        if (error != Errno.None && TakeErrors())
        {
            // The error belonged to an earlier datagram, of this flow or another; this one has not been sent.
            error = SendToHost(payload);
        }

        if (error == Errno.None)
        {
            Proxy.Counters[ProxyCounter.UdpOut]++;
        }
        else
        {
            Proxy.Report(Source, Destination, payload.Length, error);
        }
    }

    private protected abstract Errno SendToHost(ReadOnlySpan<byte> payload);

    /// <summary>Reports what the host's socket has heard of earlier datagrams; true where there was anything.</summary>
    private protected abstract bool TakeErrors();

    /// <summary>The program's side has reported an error about a datagram of the other end's.</summary>
    public abstract void OnInsideError(Errno error);

    public abstract void Close();
}

/// <summary>A flow that the program has opened: a connected socket of the host, with a port of its own.</summary>
internal sealed class OutboundUdpFlow : UdpProxyFlow, IPollHandler
{
    private const int BatchMax = 64;

    private readonly HostSocket _host;
    private readonly int _slot;

    public OutboundUdpFlow(UdpProxy proxy, in Endpoint source, in Endpoint destination, HostSocket host)
        : base(proxy, source, destination)
    {
        _host = host;
        _slot = proxy.Events.Add(host.Fd, this);
    }

    private protected override Errno SendToHost(ReadOnlySpan<byte> payload) => _host.Send(payload, out _);

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
            Errno error = _host.Receive(Proxy.Scratch, out int received);
            if (error == Errno.EAGAIN)
            {
                return false;
            }

            if (error != Errno.None)
            {
                // Whatever it is, the queue says it in full.
                TakeErrors();
                continue;
            }

            WasAnswered = true;
            Proxy.Touch(this);
            Proxy.Counters[ProxyCounter.UdpIn]++;
            Proxy.Stack.Udp.SendFrom(Destination, Source, Proxy.Scratch.AsSpan(0, received));
        }

        return true;
    }

    /// <summary>Passes on what was reported; false where there was nothing.</summary>
    private protected override bool TakeErrors()
    {
        bool any = false;
        for (int i = 0; i < BatchMax && _host.TryTakeError([], out HostSocketError error); i++)
        {
            any = true;
            Proxy.Report(Source, Destination, LastLength, error);
        }

        // The errno of the last report stays with the socket until somebody asks.
        _host.TakeError();
        return any;
    }

    /// <summary>The program's kernel has no socket for an answer any more; nobody outside would be told of that either.</summary>
    public override void OnInsideError(Errno error)
    {
    }

    public override void Close()
    {
        Proxy.Events.Remove(_slot, _host.Fd);
        _host.Close();
    }
}
