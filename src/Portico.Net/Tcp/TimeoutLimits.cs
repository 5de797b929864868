using System.Runtime.CompilerServices;

namespace Portico.Net;

// The limits of timeouts that a connection may have of its own: TCP_RTO_MAX_MS, TCP_RTO_MIN_US, TCP_DELACK_MAX_US.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Linux's clock of timers has a tick of four milliseconds, and no timeout is shorter than two (TCP_TIMEOUT_MIN).</summary>
    private const int TickMicros = 4000;
    private const int TimeoutMinMicros = 2 * TickMicros;

    /// <summary>The longest that an ACK is delayed (TCP_DELACK_MAX), and the largest TCP_RTO_MIN_US.</summary>
    private const int DelayedAckMaxMicros = 200_000;
    private const int RtoMaxMillisMost = 120_000;
    private const int RtoMaxMillisLeast = 1000;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint RtoMaxMillis(Tcb* c)
    {
        uint own = SideOf(c).RtoMaxMillis;
        return own != 0 ? own : (uint)Settings.tcp_rto_max_ms;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private long RtoMaxNanos(Tcb* c) => RtoMaxMillis(c) * 1_000_000L;

    private int RtoMinMicros(Tcb* c)
    {
        uint own = SideOf(c).RtoMinMicros;
        return own != 0 ? (int)own : Settings.tcp_rto_min_us;
    }

    private int OwnDelayedAckMaxMicros(Tcb* c)
    {
        uint own = SideOf(c).DelayedAckMaxMicros;
        return own != 0 ? (int)own : DelayedAckMaxMicros;
    }

    /// <summary>An ACK is not to be later than a timeout of a peer with the same least one (tcp_delack_max).</summary>
    private uint DelayedAckMaxMillis(Tcb* c) =>
        (uint)Math.Min(OwnDelayedAckMaxMicros(c), Math.Max(RtoMinMicros(c), TimeoutMinMicros) - TickMicros) / 1000;

    private Errno SetTimeoutLimit(Tcb* c, TcpOption option, int value)
    {
        Errno error = CheckOption(option, value);
        TcpSide* side = error == Errno.None ? NeedSide(c) : null;
        if (side == null)
        {
            return error == Errno.None ? Errno.ENOBUFS : error;
        }

        switch (option)
        {
            case TcpOption.TCP_RTO_MAX_MS:
                side->RtoMaxMillis = (uint)value;
                break;
            case TcpOption.TCP_RTO_MIN_US:
                side->RtoMinMicros = (uint)value;
                break;
            default:
                side->DelayedAckMaxMicros = (uint)value;
                break;
        }

        return Errno.None;
    }

    /// <summary>A listener's limits hold for its connections from their first segment on.</summary>
    private void InheritTimeoutLimits(Tcb* c, in TcpListenRequest request)
    {
        if ((request.RtoMaxMillis | request.RtoMinMicros | request.DelayedAckMaxMicros) == 0)
        {
            return;
        }

        TcpSide* side = NeedSide(c);
        if (side != null)
        {
            side->RtoMaxMillis = (uint)request.RtoMaxMillis;
            side->RtoMinMicros = (uint)request.RtoMinMicros;
            side->DelayedAckMaxMicros = (uint)request.DelayedAckMaxMicros;
        }
    }
}
