using Portico.Net;

namespace Portico.Cli;

/// <summary>Shows a tracer what passes over a link, in both directions, and changes nothing.</summary>
internal sealed class TraceLink(ILink inner, Tracer tracer) : ILink, ILinkClient
{
    private ILinkClient? _client;

    public LinkKind Kind => inner.Kind;

    public int Mtu => inner.Mtu;

    public MacAddress Address => inner.Address;

    public LinkFeatures Features => inner.Features;

    public void Attach(ILinkClient client)
    {
        _client = client;
        inner.Attach(this);
    }

    public void Transmit(Packet packet)
    {
        tracer.OnPacket(packet, fromCommand: false);
        inner.Transmit(packet);
    }

    public void HandleFrame(Packet packet)
    {
        tracer.OnPacket(packet, fromCommand: true);
        _client!.HandleFrame(packet);
        tracer.OnPacketHandled();
    }

    public void Flush() => inner.Flush();
}
