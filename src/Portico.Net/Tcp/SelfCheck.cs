namespace Portico.Net;

// What tests and soaks ask a stack: whether something waits that nothing will end, and whether something is left.
public sealed unsafe partial class TcpLayer
{
    /// <summary>
    /// Records of any kind that are in use: connections in all states, half-open ones, TIME-WAIT, segments, and what lies beside them. 0 when
    /// all that there was is over.
    /// </summary>
    public int RecordsInUse => _connections.Count + _sendSegments.Count + _rxSegments.Count + FlightCount + _bbrStates.Count + _sackReports.Count
        + _sides.Count + _timestamps.Count + _savedSyns.Count + _requests.Count + _timeWaits.Count;

    /// <summary>
    /// A connection that has something to send or in flight and no timer that would ever do anything about it, or whose timer is later than
    /// what it is for; null where there is none. Looks at all connections.
    /// </summary>
    public string? FindStoppedTimer()
    {
        for (uint index = 1; index < _connections.IndexEnd; index++)
        {
            Tcb* c = _connections.IsInUse(index) ? _connections.At(index) : null;
            if (c == null || c->State == TcpState.Closed || Has(c, TcbFlags.InDoomedList) || Has(c, TcbExtras.DeferredConnect))
            {
                continue;
            }

            long earliest = EarliestDeadline(c);
            bool waits = c->PacketsOut > 0 || c->UnsentHead != null;
            bool hasTimer = c->RetransmitDeadline != 0 || (c->Flight != null && c->Flight->PacingDeadline != 0);
            bool isLate = earliest != long.MaxValue && (!c->Timer.IsArmed || c->Timer.Deadline > earliest);
            if ((waits && !hasTimer) || isLate)
            {
                return $"{FlowOf(c)} {c->State}, {c->PacketsOut} in flight, unsent {c->UnsentHead != null}, pending {c->Pending}, earliest {earliest}, "
                    + $"armed {c->Timer.IsArmed} for {c->Timer.Deadline}, now {NowNanos}";
            }
        }

        return null;
    }
}
