using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// A connection that a client outside has opened: the host's kernel has accepted it already, and the stack opens its continuation to
/// the command, from the client's own address and port. Nothing is read from the client before that stands; where it fails the client
/// sees a reset.
/// </summary>
internal sealed class InboundTcpFlow : TcpRelay
{
    private readonly PublishedTcpPort _port;
    private readonly Endpoint _client;
    private Endpoint _source;
    private Endpoint _target;
    private bool _wasOtherFamilyTried;

    public InboundTcpFlow(PublishedTcpPort port, TcpProxy proxy, HostSocket host, in Endpoint client)
        : base(proxy, host)
    {
        _port = port;
        _client = client;
        _port.OpenCount++;
        if (!TryOpen(client.Address.IsIpv4) && !TryOtherFamily())
        {
            Refuse();
        }
    }

    private protected override void OnHostOpening(SocketEvents events)
    {
        if ((events & (SocketEvents.Error | SocketEvents.HangUp)) != 0)
        {
            // The client has given up.
            Break();
        }
    }

    private protected override void OnStackOpening(SocketEvents events)
    {
        if ((events & (SocketEvents.Error | SocketEvents.HangUp)) != 0)
        {
            Errno error = Proxy.Stack.Tcp.TakeError(Handle);
            Proxy.Stack.Tcp.Abort(Handle);
            HasHandle = false;
            if (error != Errno.ECONNREFUSED || !TryOtherFamily())
            {
                Refuse();
            }
        }
        else if ((events & SocketEvents.Writable) != 0)
        {
            Proxy.Counters[ProxyCounter.TcpInboundAccepted]++;
            SetOptions();
            BeginRelay();
        }
    }

    private protected override void OnHostEvent(TcpProxyEventKind kind, Errno error) =>
        Proxy.Observer?.OnProxyEvent(new TcpProxyEvent(kind, _target, _source, _client, error));

    private protected override void OnClosed() => _port.OpenCount--;

    /// <summary>
    /// A server may listen on one family only, while the port of the host is there on both: a client comes to it all the same, from
    /// host.portico's address.
    /// </summary>
    private bool TryOtherFamily()
    {
        if (_wasOtherFamilyTried)
        {
            return false;
        }

        _wasOtherFamilyTried = true;
        return TryOpen(!_client.Address.IsIpv4);
    }

    private bool TryOpen(bool isIpv4)
    {
        if (_port.Network.CommandOf(isIpv4) is not IpAddress command)
        {
            return false;
        }

        _source = _port.Network.SourceFor(_client, isIpv4);
        _target = new Endpoint(command, _port.Port);
        TcpOpenRequest request = new() { Local = _source, Remote = _target };
        Errno error = Proxy.Stack.Tcp.Open(request, this, out TcpHandle handle);
        if (error is Errno.EADDRINUSE or Errno.EADDRNOTAVAIL)
        {
            // The client has a connection from this port to another port of the host that leads to the same place.
            request.Local = new Endpoint(_source.Address, 0);
            error = Proxy.Stack.Tcp.Open(request, this, out handle);
        }

        Handle = handle;
        HasHandle = error == Errno.None;
        return HasHandle;
    }

    private void Refuse()
    {
        Proxy.Counters[ProxyCounter.TcpInboundRefused]++;
        End(isReset: true);
    }
}
