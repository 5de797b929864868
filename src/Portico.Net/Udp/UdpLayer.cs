namespace Portico.Net;

/// <summary>STUB: owned by the udp helper.</summary>
public sealed class UdpLayer
{
    internal const byte MtuDiscoverDont = 0;
    internal const byte MtuDiscoverWant = 1;

    private readonly NetworkStack _stack;

    internal UdpLayer(NetworkStack stack) => _stack = stack;

    /// <summary>A datagram for this stack; its linear part begins with the UDP header. Takes ownership.</summary>
    internal void HandleDatagram(Packet packet, in IpInfo info) => packet.Release();

    /// <summary>An ICMP error about a datagram; <paramref name="quoted"/> is the quoted UDP header (at least 8 bytes).</summary>
    internal void HandleIcmpError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
    }
}
