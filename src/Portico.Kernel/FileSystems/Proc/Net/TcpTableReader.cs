using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/tcp and tcp6: listeners, half-open, full and TIME-WAIT connections, a line each.</summary>
internal sealed class TcpTableReader(NetworkStack stack, bool isIpv6) : ProcReader
{
    private const int LineWidth = 149;
    private const int TickMillis = 10;
    private readonly TcpSocketRecord[] _batch = new TcpSocketRecord[32];
    private TcpSocketCursor _cursor;
    private int _count;
    private int _next;
    private int _line = -1;

    protected override void Restart()
    {
        _cursor = default;
        _count = _next = 0;
        _line = -1;
    }

    protected override bool WriteRecord(ProcText text)
    {
        if (_line < 0)
        {
            _line = 0;
            int start = text.Length;
            text.Append(isIpv6 ? SocketTables.HeadingOfTcp6 : SocketTables.HeadingOfTcp);
            EndLine(text, start);
            return true;
        }

        while (_next < _count || TryFill())
        {
            ref readonly TcpSocketRecord record = ref _batch[_next++];
            if (SocketTables.IsIpv6(record.Owner, record.Local.Address) == isIpv6)
            {
                Write(record, text);
                return true;
            }
        }

        return false;
    }

    private bool TryFill()
    {
        _next = _count = 0;
        while (_count == 0 && !_cursor.IsAtEnd)
        {
            _count = stack.Tcp.ListSockets(ref _cursor, _batch);
        }

        return _count > 0;
    }

    private void Write(in TcpSocketRecord record, ProcText text)
    {
        int start = text.Length;
        bool isListener = record.State == TcpState.Listen;
        text.Add($"{_line++,4}: ");
        SocketTables.WriteEnd(record.Local, isIpv6, text);
        text.Append((byte)' ');
        SocketTables.WriteEnd(record.Remote, isIpv6, text);

        // A listener's sending queue is its backlog to others; here it is the bytes that it has not sent.
        text.Add($" {StateNumber(record.State):X2} {(isListener ? 0 : record.SendQueue):X8}:{record.ReceiveQueue + FinOf(record.State):X8}");
        text.Add($" {(int)record.Timer:X2}:{(record.TimerMillis + TickMillis - 1) / TickMillis:X8} ");
        bool isProbing = record.Timer is TcpTimerKind.KeepAlive or TcpTimerKind.Persist;
        text.Add($"{(isProbing ? 0 : record.TimerRetransmits):X8} {SocketTables.UserOf(record.Owner),5} {(isProbing ? record.TimerRetransmits : 0),8}");
        text.Add($" {SocketTables.InodeOf(record.Owner)} {ReferencesOf(record)} {record.Cookie:x16}");
        if (isListener)
        {
            text.Add($" 100 0 0 10 0");
        }
        else if (record.HasInfo)
        {
            WriteMeasurements(record.Info, text);
        }

        EndLine(text, start);
    }

    private static void WriteMeasurements(in TcpInfo info, ProcText text)
    {
        const uint TickMicros = TickMillis * 1000;
        text.Add($" {info.RtoMicros / TickMicros} {info.AtoMicros / TickMicros} 0 {info.SndCwnd} ");
        text.Add($"{(info.SndSsThresh >= int.MaxValue ? -1 : (long)info.SndSsThresh)}");
    }

    /// <summary>IPv4's lines are of one length, so that one can seek in them.</summary>
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

    /// <summary>Whoever has it open, and the timer that runs.</summary>
    private static int ReferencesOf(in TcpSocketRecord record) => record.State switch
    {
        TcpState.SynReceived => 0,
        TcpState.TimeWait => 3,
        _ => record.Timer == TcpTimerKind.Off ? 1 : 2,
    };

    /// <summary>A FIN that has come counts as a byte that nobody reads.</summary>
    private static uint FinOf(TcpState state) => state is TcpState.CloseWait or TcpState.LastAck or TcpState.Closing ? 1u : 0u;

    private static int StateNumber(TcpState state) => state switch
    {
        TcpState.Established => 1,
        TcpState.SynSent => 2,
        TcpState.SynReceived => 3,
        TcpState.FinWait1 => 4,
        TcpState.FinWait2 => 5,
        TcpState.TimeWait => 6,
        TcpState.CloseWait => 8,
        TcpState.LastAck => 9,
        TcpState.Listen => 10,
        TcpState.Closing => 11,
        _ => 7,
    };
}
