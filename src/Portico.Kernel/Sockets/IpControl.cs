using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Control messages of IP: the structures that go with them.</summary>
internal static class IpControl
{
    /// <summary>sizeof(struct in_pktinfo).</summary>
    public const int PacketInfoBytes = 12;

    /// <summary>sizeof(struct in6_pktinfo).</summary>
    public const int Ipv6PacketInfoBytes = 20;

    /// <summary>struct in_pktinfo: the interface, the address that answers come from, and the packet's destination.</summary>
    public static void WritePacketInfo(Span<byte> to, int interfaceIndex, in IpAddress local, in IpAddress destination)
    {
        MemoryMarshal.Write(to, interfaceIndex);
        local.WriteIpv4(to[4..]);
        destination.WriteIpv4(to[8..]);
    }
}
