using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/udp and udp6: the datagram sockets that have a port, a line each.</summary>
internal sealed class UdpTableReader(NetworkStack stack, bool isIpv6) : DatagramTableReader<UdpSocketRecord>(isIpv6)
{
    protected override int Buckets => 2048;

    protected override string HeadingOfIpv4 => SocketTables.HeadingOfUdp;

    protected override int ListSockets(ref int cursor, UdpSocketRecord[] records) => stack.Udp.ListSockets(ref cursor, records);

    protected override bool TryShow(in UdpSocketRecord record, out DatagramTableLine line)
    {
        line = new DatagramTableLine
        {
            Local = record.Local,
            Remote = record.Remote,
            IsConnected = record.IsConnected,
            ReceiveQueue = record.ReceiveQueue,
            Drops = record.Drops,
            Owner = record.Owner,
            Cookie = record.Cookie,
        };
        return SocketTables.IsIpv6(record.Owner, record.Local.Address) == IsIpv6;
    }
}
