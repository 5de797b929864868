using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/packet: the packet sockets, a line each.</summary>
internal sealed class PacketTableReader(NetworkStack stack) : ProcReader
{
    private readonly PacketSocketRecord[] _one = new PacketSocketRecord[1];
    private int _cursor;
    private bool _hasHeading;

    protected override void Restart()
    {
        _cursor = 0;
        _hasHeading = false;
    }

    protected override bool WriteRecord(ProcText text)
    {
        const int References = 2;
        if (!_hasHeading)
        {
            _hasHeading = true;
            text.Append("sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
            return true;
        }

        if (stack.PacketSockets.ListSockets(ref _cursor, _one) == 0)
        {
            return false;
        }

        ref readonly PacketSocketRecord record = ref _one[0];
        int type = (int)(record.IsCooked ? SocketType.SOCK_DGRAM : SocketType.SOCK_RAW);
        int running = record.IsRunning ? 1 : 0;
        text.Add($"{record.Cookie:x16} {References + running,-6} {type,-4} {record.Protocol:x4}   {record.InterfaceIndex,-5} {running}");
        text.Add($" {record.ReceiveQueue,-6} {SocketTables.UserOf(record.Owner),-6} {SocketTables.InodeOf(record.Owner),-6}\n");
        return true;
    }
}
