namespace Portico.Net;

/// <summary>ICMP and ICMPv6 of one stack.</summary>
public sealed partial class IcmpLayer
{
    private readonly NetworkStack _stack;

    internal IcmpLayer(NetworkStack stack) => _stack = stack;

    /// <summary>
    /// Reports an error about a packet that came in (its IP header is still at <see cref="Packet.NetworkOffset"/>) to whoever sent it, where the
    /// rules and the rate limits allow that. The packet stays the caller's.
    /// </summary>
    internal void SendError(Packet offending, in IpInfo info, IcmpErrorKind kind, int parameter = 0)
    {
    }

    internal void HandleMessage(Packet packet, in IpInfo info)
    {
        if (!info.Destination.IsIpv4 && packet.EnsureLinear(Icmpv6Header.Length) && ChecksumOffload.Verify(packet, info)
            && packet.Linear[0] is >= Icmpv6Type.RouterSolicitation and <= Icmpv6Type.Redirect)
        {
            info.Interface.HandleNeighbourDiscovery(packet, info);
            return;
        }

        packet.Release();
    }
}
