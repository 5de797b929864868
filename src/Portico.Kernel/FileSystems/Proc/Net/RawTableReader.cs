using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/raw and raw6, whose ports are protocols; icmp and icmp6 of the sockets for echo requests that have an identifier.</summary>
internal sealed class RawTableReader(NetworkStack stack, bool isIpv6, bool isEcho) : DatagramTableReader<RawSocketRecord>(isIpv6)
{
    protected override int Buckets => isEcho ? 64 : 256;

    protected override int PlaceWidth => isEcho || IsIpv6 ? 5 : 4;

    protected override bool IsPadded => isEcho;

    protected override string HeadingOfIpv4 => isEcho ? SocketTables.HeadingOfIcmp : SocketTables.HeadingOfRaw;

    protected override int ListSockets(ref int cursor, RawSocketRecord[] records) => stack.Raw.ListSockets(ref cursor, records);

    protected override bool TryShow(in RawSocketRecord record, out DatagramTableLine line)
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
        return record.IsIpv6 == IsIpv6 && record.IsEcho == isEcho && record.Local.Port != 0;
    }
}
