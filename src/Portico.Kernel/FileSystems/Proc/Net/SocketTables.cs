using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>What the tables of sockets have in common: headings, ends, and who a socket belongs to.</summary>
internal static class SocketTables
{
    public const string HeadingOfTcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
    public const string HeadingOfTcp6 =
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
    public const string HeadingOfUdp = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
    public const string HeadingOfRaw = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";
    public const string HeadingOfIcmp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops";
    public const string HeadingOfUdp6 =
        "  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n";

    /// <summary>Whether a socket is one of IPv6; without a file that knows, the address says.</summary>
    public static bool IsIpv6(ISocketOwner? owner, in IpAddress local) =>
        owner is SocketFile file ? file.Family == AddressFamily.AF_INET6 : !local.IsIpv4;

    public static int UserOf(ISocketOwner? owner) => owner is SocketFile file ? file.UserId : 0;

    public static long InodeOf(ISocketOwner? owner) => owner is SocketFile file ? file.InodeNumber : 0;

    /// <summary>An end as the tables have it: words of 32 bits as they lie in memory, and the port.</summary>
    public static void WriteEnd(in Endpoint end, bool isIpv6, ProcText text)
    {
        if (isIpv6)
        {
            IpAddress address = end.Address.IsIpv4 && end.Address.IsUnspecified ? IpAddress.AnyIpv6 : end.Address;
            text.Add($"{Swap(address.High >> 32):X8}{Swap(address.High):X8}{Swap(address.Low >> 32):X8}{Swap(address.Low):X8}:{end.Port:X4}");
        }
        else
        {
            text.Add($"{Swap(end.Address.Ipv4Value):X8}:{end.Port:X4}");
        }
    }

    public static uint Swap(ulong word) => BinaryPrimitives.ReverseEndianness((uint)word);
}
