namespace Portico.Net;

// The socket tables from outside, as sock_diag(7) shows them.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Places of a table that one call looks at, so that a large table that has become empty does not hold anybody up.</summary>
    private const int ListScanMax = 16 * 1024;

    /// <summary>
    /// Writes the next sockets behind the cursor (a new one begins at the beginning) and returns how many; there may be none although
    /// it is not at its end. Call again until it is: the stack may go on between two calls, and what is there all the time is listed
    /// exactly once. Allocates nothing.
    /// </summary>
    public int ListSockets(ref TcpSocketCursor cursor, Span<TcpSocketRecord> records)
    {
        int count = 0;
        int looked = 0;
        while (!cursor.IsAtEnd && count < records.Length && looked < ListScanMax)
        {
            uint end = cursor.Table switch
            {
                0 => (uint)_listeners.Count,
                1 => _requests.IndexEnd,
                2 => _connections.IndexEnd,
                _ => _timeWaits.IndexEnd,
            };
            if (++cursor.Next >= end)
            {
                cursor.Table++;
                cursor.Next = 0;
                continue;
            }

            looked++;
            if (Describe(cursor.Table, cursor.Next, out records[count]))
            {
                count++;
            }
        }

        return count;
    }

    private bool Describe(int table, uint index, out TcpSocketRecord record)
    {
        record = default;
        switch (table)
        {
            case 0:
                return _listeners[(int)index] is Listener listener && Describe(listener, ref record);
            case 1:
                return _requests.IsInUse(index) && Describe(_requests.At(index), ref record);
            case 2:
                return _connections.IsInUse(index) && Describe(_connections.At(index), ref record);
            default:
                return _timeWaits.IsInUse(index) && Describe(_timeWaits.At(index), ref record);
        }
    }

    private bool Describe(Listener listener, ref TcpSocketRecord record)
    {
        record.Local = listener.Request.Local;
        record.Remote = new Endpoint(record.Local.Address.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6, 0);
        record.State = TcpState.Listen;
        record.ReceiveQueue = (uint)listener.AcceptCount;
        record.SendQueue = (uint)listener.Backlog;
        record.Cookie = Cookie(0, listener.Index, listener.Generation);
        record.Owner = _engine.OwnerAt(listener.Owner);
        record.Ipv6Only = listener.Request.Ipv6Only;
        return true;
    }

    private bool Describe(SynRequest* r, ref TcpSocketRecord record)
    {
        record.Local = new Endpoint(r->LocalAddress, r->LocalPort);
        record.Remote = new Endpoint(r->RemoteAddress, r->RemotePort);
        record.State = TcpState.SynReceived;
        record.Cookie = Cookie(1, r->Index, _requests.Generation(r->Index));

        // A request that the forwarder holds has sent nothing that could be repeated.
        if (!r->Held)
        {
            SetTimer(ref record, TcpTimerKind.On, r->Timer.Deadline, r->Retransmits);
        }

        return true;
    }

    private bool Describe(Tcb* c, ref TcpSocketRecord record)
    {
        if (c->State == TcpState.Closed || Has(c, TcbFlags.InDoomedList))
        {
            return false;
        }

        record.Local = new Endpoint(c->LocalAddress, c->LocalPort);
        record.Remote = new Endpoint(c->RemoteAddress, c->RemotePort);
        record.State = c->State;
        record.Owner = _engine.OwnerAt(c->Owner);
        record.Cookie = Cookie(2, c->Index, _connections.Generation(c->Index));
        record.IsReceiveShut = Has(c, TcbFlags.FinReceived | TcbFlags.ReceiveShutdown | TcbFlags.Orphan);
        record.IsSendShut = Has(c, TcbFlags.FinQueued | TcbFlags.Orphan);
        record.HasInfo = true;
        FillInfo(c, out record.Info);
        record.ReceiveQueue = record.Info.ReceiveQueueBytes;

        // As in Linux, where a SYN or FIN that is not acknowledged counts.
        record.SendQueue = (uint)Math.Max((int)(c->WriteSeq + (Has(c, TcbFlags.FinQueued) ? 1u : 0u) - c->SndUna), 0);
        if (c->RetransmitDeadline != 0)
        {
            bool persist = c->Pending == PendingTimer.Persist;
            SetTimer(ref record, persist ? TcpTimerKind.Persist : TcpTimerKind.On, c->RetransmitDeadline, persist ? c->ProbesOut : c->Retransmits);
        }
        else if (c->KeepDeadline != 0)
        {
            SetTimer(ref record, TcpTimerKind.KeepAlive, c->KeepDeadline, c->ProbesOut);
        }

        return true;
    }

    private bool Describe(TimeWaitRecord* t, ref TcpSocketRecord record)
    {
        record.Local = new Endpoint(t->LocalAddress, t->LocalPort);
        record.Remote = new Endpoint(t->RemoteAddress, t->RemotePort);
        record.State = TcpState.TimeWait;
        record.Cookie = Cookie(3, t->Index, _timeWaits.Generation(t->Index));
        record.IsReceiveShut = record.IsSendShut = true;
        SetTimer(ref record, TcpTimerKind.TimeWait, t->DeadlineNanos, 0);
        return true;
    }

    /// <summary>The tables name their records by index and generation; together with the table that is unique.</summary>
    private static ulong Cookie(uint table, uint index, uint generation) => ((ulong)generation << 32) | (index << 2) | table;

    private void SetTimer(ref TcpSocketRecord record, TcpTimerKind kind, long deadlineNanos, byte retransmits)
    {
        record.Timer = kind;
        record.TimerMillis = (uint)(Math.Max(deadlineNanos - NowNanos, 0) / 1_000_000);
        record.TimerRetransmits = retransmits;
    }
}
