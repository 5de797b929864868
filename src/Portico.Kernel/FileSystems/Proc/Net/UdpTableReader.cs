using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/udp and udp6: the datagram sockets that have a port, a line each.</summary>
internal sealed class UdpTableReader(NetworkStack stack, bool isIpv6) : DatagramTableReader(isIpv6)
{
    private readonly UdpSocketRecord[] _batch = new UdpSocketRecord[32];
    private int _cursor;
    private int _count;
    private int _next;

    protected override int Buckets => 2048;

    protected override string HeadingOfIpv4 => SocketTables.HeadingOfUdp;

    protected override void RestartSockets() => _cursor = _count = _next = 0;

    protected override bool TryNext(out DatagramTableLine line)
    {
        while (true)
        {
            if (_next == _count)
            {
                _next = 0;
                _count = stack.Udp.ListSockets(ref _cursor, _batch);
                if (_count == 0)
                {
                    line = default;
                    return false;
                }
            }

            ref readonly UdpSocketRecord record = ref _batch[_next++];
            if (SocketTables.IsIpv6(record.Owner, record.Local.Address) == IsIpv6)
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
                return true;
            }
        }
    }
}
