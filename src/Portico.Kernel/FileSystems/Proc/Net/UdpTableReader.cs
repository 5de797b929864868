using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/udp and udp6: the datagram sockets that have a port, a line each.</summary>
internal sealed class UdpTableReader(NetworkStack stack, bool isIpv6) : ProcReader
{
    private const int LineWidth = 127;

    /// <summary>A line begins with a place in a hash table by port, which is as large as this in a small Linux.</summary>
    private const int Buckets = 2048;
    private const int Connected = 1;
    private const int Unconnected = 7;
    private readonly UdpSocketRecord[] _batch = new UdpSocketRecord[32];
    private int _cursor;
    private int _count;
    private int _next;
    private bool _hasHeading;

    protected override void Restart()
    {
        _cursor = _count = _next = 0;
        _hasHeading = false;
    }

    protected override bool WriteRecord(ProcText text)
    {
        int start = text.Length;
        if (!_hasHeading)
        {
            _hasHeading = true;
            text.Append(isIpv6 ? SocketTables.HeadingOfUdp6 : SocketTables.HeadingOfUdp);
            EndLine(text, start);
            return true;
        }

        while (true)
        {
            if (_next == _count)
            {
                _next = 0;
                _count = stack.Udp.ListSockets(ref _cursor, _batch);
                if (_count == 0)
                {
                    return false;
                }
            }

            ref readonly UdpSocketRecord record = ref _batch[_next++];
            if (SocketTables.IsIpv6(record.Owner, record.Local.Address) == isIpv6)
            {
                Write(record, text);
                EndLine(text, start);
                return true;
            }
        }
    }

    private void Write(in UdpSocketRecord record, ProcText text)
    {
        text.Add($"{record.Local.Port % Buckets,5}: ");
        SocketTables.WriteEnd(record.Local, isIpv6, text);
        text.Append((byte)' ');
        SocketTables.WriteEnd(record.Remote, isIpv6, text);
        text.Add($" {(record.IsConnected ? Connected : Unconnected):X2} {0:X8}:{record.ReceiveQueue:X8} 00:{0:X8} {0:X8}");
        text.Add($" {SocketTables.UserOf(record.Owner),5} {0,8} {SocketTables.InodeOf(record.Owner)} 2 {record.Cookie:x16} {record.Drops}");
    }

    private void EndLine(ProcText text, int start)
    {
        if (!isIpv6)
        {
            text.PadTo(start, LineWidth);
        }

        if (text.Bytes[^1] != '\n')
        {
            text.Append((byte)'\n');
        }
    }
}
