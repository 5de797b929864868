namespace Portico.Net;

public sealed unsafe partial class IpLayer
{
    private bool CheckIpv4Options(Packet packet, in IpInfo info, int headerLength, MibTable<IpCounter> mib) => true;

    private void ReassembleIpv4(Packet packet, in IpInfo info, int headerLength) => packet.Release();

    private void HandleExtensionHeaders(Packet packet, ref IpInfo info) => packet.Release();

    private void Forward(Packet packet, in IpInfo info, MibTable<IpCounter> mib) =>
        Drop(packet, mib, IpCounter.InAddrErrors, IpCounter.DropNotForUs);

    private bool IsMember(in IpAddress group)
    {
        foreach (NetworkInterface candidate in _stack.Interfaces)
        {
            if (candidate.Multicast.IsMember(group))
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsMemberOn(NetworkInterface input, in IpAddress group) => input.Multicast.IsMember(group);

    private void LoopBackGroupPacket(Packet packet, NetworkInterface output, in RouteCache route, in IpSend send)
    {
    }

    private Errno SendIpv4Fragments(Packet packet, in RouteCache route)
    {
        packet.Release();
        return Errno.EMSGSIZE;
    }

    private Errno SendIpv6Fragments(Packet packet, in RouteCache route)
    {
        packet.Release();
        return Errno.EMSGSIZE;
    }

    private ushort NextIpv4Identification(in IpAddress source, in IpAddress destination, IpProtocol protocol) =>
        (ushort)_stack.Engine.Random.NextUInt32();
}
