using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/raw and raw6, whose ports are protocols; icmp and icmp6 of the sockets for echo requests that have an identifier.</summary>
internal sealed class RawTableReader(NetworkStack stack, bool isIpv6, bool isEcho) : DatagramTableReader(isIpv6)
{
    private readonly RawSocketRecord[] _batch = new RawSocketRecord[32];
    private int _cursor;
    private int _count;
    private int _next;

    protected override int Buckets => isEcho ? 64 : 256;

    protected override int PlaceWidth => isEcho || IsIpv6 ? 5 : 4;

    protected override bool IsPadded => isEcho;

    protected override string HeadingOfIpv4 => isEcho ? SocketTables.HeadingOfIcmp : SocketTables.HeadingOfRaw;

    protected override void RestartSockets() => _cursor = _count = _next = 0;

    protected override bool TryNext(out DatagramTableLine line)
    {
        while (true)
        {
            if (_next == _count)
            {
                _next = 0;
                _count = stack.Raw.ListSockets(ref _cursor, _batch);
                if (_count == 0)
                {
                    line = default;
                    return false;
                }
            }

            ref readonly RawSocketRecord record = ref _batch[_next++];
            if (record.IsIpv6 == IsIpv6 && record.IsEcho == isEcho && record.Local.Port != 0)
            {
                line = new DatagramTableLine
                {
                    Local = record.Local,
                    Remote = isEcho ? record.Remote : new Endpoint(record.Remote.Address, 0),
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
