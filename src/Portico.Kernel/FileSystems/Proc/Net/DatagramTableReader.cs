using Portico.Net;

namespace Portico.Kernel;

/// <summary>A socket as the tables of sockets without streams show it.</summary>
internal struct DatagramTableLine
{
    public Endpoint Local;
    public Endpoint Remote;
    public bool IsConnected;
    public uint ReceiveQueue;
    public long Drops;
    public ISocketOwner? Owner;
    public ulong Cookie;
}

/// <summary>/proc/net/udp, raw and icmp, and the same of IPv6: a line for each socket, whose records are read some at a time.</summary>
internal abstract class DatagramTableReader<TRecord>(bool isIpv6) : ProcReader
    where TRecord : struct
{
    private const int PaddedWidth = 127;
    private const int Connected = 1;
    private const int Unconnected = 7;
    private readonly TRecord[] _batch = new TRecord[32];
    private int _cursor;
    private int _count;
    private int _next;
    private bool _hasHeading;

    protected bool IsIpv6 { get; } = isIpv6;

    /// <summary>A line begins with a place in a hash table, which is as large as this in a small Linux.</summary>
    protected abstract int Buckets { get; }

    /// <summary>Digits that this place has room for.</summary>
    protected virtual int PlaceWidth => 5;

    protected virtual string HeadingOfIpv4 => SocketTables.HeadingOfRaw;

    /// <summary>Whether lines of IPv4 are filled up with spaces.</summary>
    protected virtual bool IsPadded => true;

    /// <summary>Reads the next records from a cursor, which begins with 0; returns how many, 0 at the end.</summary>
    protected abstract int ListSockets(ref int cursor, TRecord[] records);

    /// <summary>What the table shows of a socket; false where it has no line in it.</summary>
    protected abstract bool TryShow(in TRecord record, out DatagramTableLine line);

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
            text.Append(IsIpv6 ? SocketTables.HeadingOfUdp6 : HeadingOfIpv4);
        }
        else if (TryNext(out DatagramTableLine line))
        {
            Write(line, text);
        }
        else
        {
            return false;
        }

        EndLine(text, start);
        return true;
    }

    /// <summary>The next socket; false at the end.</summary>
    private bool TryNext(out DatagramTableLine line)
    {
        while (true)
        {
            if (_next == _count)
            {
                _next = 0;
                _count = ListSockets(ref _cursor, _batch);
                if (_count == 0)
                {
                    line = default;
                    return false;
                }
            }

            if (TryShow(_batch[_next++], out line))
            {
                return true;
            }
        }
    }

    private void Write(in DatagramTableLine line, ProcText text)
    {
        int place = line.Local.Port % Buckets;
        if (PlaceWidth == 5)
        {
            text.Add($"{place,5}: ");
        }
        else
        {
            text.Add($"{place,4}: ");
        }

        SocketTables.WriteEnd(line.Local, IsIpv6, text);
        text.Append((byte)' ');
        SocketTables.WriteEnd(line.Remote, IsIpv6, text);
        text.Add($" {(line.IsConnected ? Connected : Unconnected):X2} {0:X8}:{line.ReceiveQueue:X8} 00:{0:X8} {0:X8}");
        text.Add($" {SocketTables.UserOf(line.Owner),5} {0,8} {SocketTables.InodeOf(line.Owner)} 2 {line.Cookie:x16} {line.Drops}");
    }

    private void EndLine(ProcText text, int start)
    {
        if (!IsIpv6 && IsPadded)
        {
            text.PadTo(start, PaddedWidth);
        }

        if (text.Bytes[^1] != '\n')
        {
            text.Append((byte)'\n');
        }
    }
}
