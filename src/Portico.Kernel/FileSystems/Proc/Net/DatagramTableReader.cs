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

/// <summary>/proc/net/udp, raw and icmp, and the same of IPv6: a line for each socket.</summary>
internal abstract class DatagramTableReader(bool isIpv6) : ProcReader
{
    private const int PaddedWidth = 127;
    private const int Connected = 1;
    private const int Unconnected = 7;
    private bool _hasHeading;

    protected bool IsIpv6 { get; } = isIpv6;

    /// <summary>A line begins with a place in a hash table, which is as large as this in a small Linux.</summary>
    protected abstract int Buckets { get; }

    /// <summary>Digits that this place has room for.</summary>
    protected virtual int PlaceWidth => 5;

    protected virtual string HeadingOfIpv4 => SocketTables.HeadingOfRaw;

    /// <summary>Whether lines of IPv4 are filled up with spaces.</summary>
    protected virtual bool IsPadded => true;

    /// <summary>Begins again with the first socket.</summary>
    protected abstract void RestartSockets();

    /// <summary>The next socket; false at the end.</summary>
    protected abstract bool TryNext(out DatagramTableLine line);

    protected override void Restart()
    {
        RestartSockets();
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
