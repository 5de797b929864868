namespace Portico.Net;

public sealed unsafe partial class IpLayer
{
    /// <summary>
    /// A neighbour did not answer, so that a packet which begins with its IP header cannot be sent. A transport on this host hears EHOSTUNREACH as
    /// from ICMP (Linux: ipv4_link_failure); whoever sent a forwarded packet gets the ICMP error. Takes ownership.
    /// </summary>
    internal void HandleLinkFailure(Packet packet, NetworkInterface output) => _stack.Icmp.HandleLinkFailure(packet, output);
}
