using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// A flow that a client outside has opened: its datagrams come to the command from the client's own address and port, and answers go
/// back from the address that the client had sent to.
/// </summary>
internal sealed class InboundUdpFlow(
    PublishedUdpPort port, UdpProxy proxy, Endpoint source, Endpoint destination, Endpoint client, IpAddress local)
    : UdpProxyFlow(proxy, source, destination)
{
    public Endpoint Client => client;

    /// <summary>The address of the host that the client sends to.</summary>
    public IpAddress Local => local;

    /// <summary>Carries a datagram of the client's in.</summary>
    public void Deliver(ReadOnlySpan<byte> payload)
    {
        Proxy.Touch(this);
        Proxy.Counters[ProxyCounter.UdpIn]++;
        if (Proxy.Stack.Udp.SendFrom(Destination, Source, payload) != Errno.None)
        {
            Proxy.Counters[ProxyCounter.UdpErrors]++;
        }
    }

    private protected override Errno SendToHost(ReadOnlySpan<byte> payload)
    {
        WasAnswered = true;
        return port.Socket.SendTo(payload, client, local);
    }

    private protected override bool TakeErrors() => port.TakeErrors();

    public override void OnInsideError(Errno error) => port.TellClient(this, error);

    public override void Close() => port.Forget(this);
}
