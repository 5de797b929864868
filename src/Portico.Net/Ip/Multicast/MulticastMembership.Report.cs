namespace Portico.Net;

public sealed partial class MulticastMembership
{
    /// <summary>An IGMP message for this interface; begins with the IGMP header. Takes ownership.</summary>
    internal static void HandleIgmp(Packet packet, in IpInfo info) => packet.Release();

    /// <summary>An MLD message (ICMPv6 types 130 to 132 and 143) whose checksum was right; begins with the ICMPv6 header. Takes ownership.</summary>
    internal static void HandleMld(Packet packet, in IpInfo info) => packet.Release();

    private static void Report(MulticastGroup group, bool wasMember, MulticastFilterMode before)
    {
    }
}
