using System.Runtime.CompilerServices;

namespace Portico.Net;

// How much window to offer: silly window avoidance (RFC 9293 3.8.6.2.2), and a buffer that grows with the application's reading rate.
public sealed unsafe partial class TcpLayer
{
    private const uint ShortPathMicros = 5_000;

    /// <summary>The largest window without scaling.</summary>
    private uint WindowMaxUnscaled => Settings.tcp_workaround_signed_windows ? 32767u : 65535u;

    /// <summary>Window space that an amount of buffer memory stands for: half of it, as with Linux's default tcp_adv_win_scale.</summary>
    private static int WindowFromSpace(int space) => space <= 0 ? 0 : space >> 1;

    private static int FullWindowSpace(Tcb* c) => WindowFromSpace(c->RcvBuf);

    private static int FreeWindowSpace(Tcb* c) => WindowFromSpace(c->RcvBuf - c->RcvMemory);

    /// <summary>Before the first segment: the window of the SYN and the scale that the largest buffer needs (Linux: tcp_select_initial_window).</summary>
    private void SelectInitialWindow(in IpAddress remote, int space, int mss, bool scaling, out uint window, out byte shift, out uint clamp)
    {
        clamp = 65535u << 14;
        long usable = Math.Min(space, (long)clamp);
        if (mss > 0 && usable > mss)
        {
            usable -= usable % mss;
        }

        window = (uint)Math.Min(usable, WindowMaxUnscaled);
        if (_stack.Ip.Routes.LookupForTcp(remote, 0) is { InitRwnd: > 0 } route)
        {
            window = (uint)Math.Min(window, (long)route.InitRwnd * mss);
        }

        shift = 0;
        if (scaling)
        {
            long most = Math.Max(Math.Max(usable, Settings.tcp_rmem.Max), Settings.rmem_max);
            while (most > 65535 && shift < 14)
            {
                most >>= 1;
                shift++;
            }
        }

        clamp = Math.Min(clamp, 65535u << shift);
    }

    /// <summary>Established: the congestion window that the route gives (Linux: tcp_init_cwnd).</summary>
    private void InitializeFromRoute(Tcb* c)
    {
        if (_stack.Ip.Routes.LookupForTcp(c->RemoteAddress, c->BoundInterface) is { InitCwnd: > 0 } route)
        {
            c->Cwnd = (uint)route.InitCwnd;
        }
    }

    /// <summary>Established: buffers and thresholds from what was agreed (Linux: tcp_init_buffer_space).</summary>
    private void InitializeBuffers(Tcb* c)
    {
        if (!Has(c, TcbFlags.SendBufferLocked))
        {
            ExpandSendBuffer(c);
        }

        if (Has(c, TcbFlags.Timestamps))
        {
            c->AdvMss -= TcpOptions.TimestampBytes;
        }

        c->WindowClamp = BeginningClamp(c);
        c->RcvSsThresh = Math.Min(Math.Max(c->RcvWnd, c->RcvSsThresh), c->WindowClamp);
        c->RcvSpace = Math.Min(Math.Min(c->RcvWnd, c->RcvSsThresh), 10u * c->AdvMss);
        c->RcvSpaceSeq = c->CopiedSeq;
        c->RcvSpaceTimeMicros = NowMicros;
    }

    /// <summary>What fits into the buffer but the application's part (tcp_app_win), or what was asked for (TCP_WINDOW_CLAMP), a segment below the first.</summary>
    private uint BeginningClamp(Tcb* c)
    {
        int share = Settings.tcp_app_win;
        uint mss = c->AdvMss;
        uint full = (uint)FullWindowSpace(c);
        uint clamp = c->WindowClamp;
        if (clamp >= full)
        {
            clamp = share != 0 && full > 4 * mss ? Math.Max(full - (full >> share), 4 * mss) : full;
        }

        return share != 0 && clamp > 2 * mss && clamp + mss > full ? Math.Max(2 * mss, full - mss) : clamp;
    }

    /// <summary>The window to offer now (Linux: __tcp_select_window): nothing silly, never more than what memory allows.</summary>
    private uint ComputeWindow(Tcb* c)
    {
        int mss = c->RcvMss;
        int free = FreeWindowSpace(c);
        int allowed = FullWindowSpace(c);
        int full = (int)Math.Min(c->WindowClamp, (uint)allowed);
        if (mss > full)
        {
            mss = full;
            if (mss <= 0)
            {
                return 0;
            }
        }

        if (free < full >> 1)
        {
            if (MayShrink(c))
            {
                return ComputeShrinkingWindow(c, free, full, allowed, mss);
            }

            NoteTightMemory(c);
            free &= ~((1 << c->RcvWindShift) - 1);
            if (free < allowed >> 4 || free < mss)
            {
                return 0;
            }
        }

        // A threshold below a segment, as TCP_WINDOW_CLAMP may leave it, must not keep the window closed.
        uint least = Math.Max(c->RcvSsThresh, (uint)mss);
        uint usable = (uint)Math.Max(free, 0);
        if (c->RcvWindShift != 0)
        {
            uint unit = 1u << c->RcvWindShift;
            return usable < least + unit && MayShrink(c) ? ComputeShrinkingWindow(c, free, full, allowed, mss) : RoundUp(Math.Min(usable, least), unit);
        }

        free = (int)Math.Min(usable, least);

        // Signed: with less room than a segment needs, a window that was closed may still open by what there is.
        int window = (int)c->RcvWnd;
        if (window <= free - mss || window > free)
        {
            window = free - (free % Math.Max(mss, 1));
        }
        else if (mss == full && free > window + (full >> 1))
        {
            window = free;
        }

        return (uint)window;
    }

    /// <summary>Less than half of the buffer is free: no more ACKs than need be, and with little memory in the whole stack no growth either.</summary>
    private void NoteTightMemory(Tcb* c)
    {
        c->QuickAcks = 0;
        if (_receiveMemory > Settings.tcp_mem_high / 2)
        {
            c->RcvSsThresh = Math.Min(c->RcvSsThresh, 4u * c->AdvMss);
        }
    }

    /// <summary>To a multiple of a unit of the window's scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint RoundUp(uint window, uint unit) => (window + unit - 1) & ~(unit - 1);

    /// <summary>Whether a window may be taken back (tcp_shrink_window), as it may be where it is scaled (RFC 7323 2.4).</summary>
    private bool MayShrink(Tcb* c) => Settings.tcp_shrink_window && c->RcvWindShift != 0;

    /// <summary>The same where a window may be taken back: what memory allows, rounded down to what the scale can say.</summary>
    private uint ComputeShrinkingWindow(Tcb* c, int free, int full, int allowed, int mss)
    {
        int unit = 1 << c->RcvWindShift;
        free &= ~(unit - 1);
        if (free < full >> 1)
        {
            NoteTightMemory(c);
            if (free < allowed >> 4 || free < mss || free < unit)
            {
                return 0;
            }
        }

        // The threshold is no bound of memory: rounded up.
        return (uint)free > c->RcvSsThresh ? RoundUp(c->RcvSsThresh, (uint)unit) : (uint)free;
    }

    /// <summary>RCV.WND for the segment that is about to be sent; a window once offered is not taken back (RFC 9293 3.8.6), but see tcp_shrink_window.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private uint SelectWindow(Tcb* c)
    {
        uint current = ReceiveWindow(c);
        uint window = ComputeWindow(c);
        if (window < current && !MayShrink(c))
        {
            if (window == 0)
            {
                ++Mib[TcpCounter.TCPWantZeroWindowAdv];
            }

            window = RoundUp(current, 1u << c->RcvWindShift);
        }

        uint most = c->RcvWindShift == 0 ? WindowMaxUnscaled : 65535u << c->RcvWindShift;
        window = Math.Min(window, most);
        if (window == 0 && c->RcvWnd != 0)
        {
            ++Mib[TcpCounter.TCPToZeroWindowAdv];
            ReportWindow(c, window, isPeers: false);
        }
        else if (window != 0 && c->RcvWnd == 0)
        {
            ++Mib[TcpCounter.TCPFromZeroWindowAdv];
            ReportWindow(c, window, isPeers: false);
        }

        c->RcvWnd = window;
        c->RcvWup = c->RcvNxt;
        return window;
    }

    /// <summary>RFC 7323 4.2's idea for a receiver: the time between a byte's offer and its arrival, or an echoed timestamp, is an RTT.</summary>
    private void MeasureRcvRtt(Tcb* c, ref Arrival seg)
    {
        if (Has(c, TcbFlags.Timestamps) && seg.Options.TsEcr != 0 && seg.Length >= c->RcvMss)
        {
            int millis = (int)(TsClock(c) - seg.Options.TsEcr);
            if (millis >= 0 && millis < 60_000)
            {
                UpdateRcvRtt(c, (uint)Math.Max(millis * 1000, 1));
            }

            return;
        }

        uint now = NowMicros;
        if (c->RcvRttTimeMicros == 0)
        {
            c->RcvRttTimeMicros = now;
            c->RcvRttSeq = c->RcvNxt + c->RcvWnd;
        }
        else if (Seq.Geq(c->RcvNxt, c->RcvRttSeq))
        {
            UpdateRcvRtt(c, Math.Max(now - c->RcvRttTimeMicros, 1));
            c->RcvRttSeq = c->RcvNxt + c->RcvWnd;
            c->RcvRttTimeMicros = now;
        }
    }

    private static void UpdateRcvRtt(Tcb* c, uint sample)
    {
        uint old = c->RcvRttMicros;
        c->RcvRttMicros = old == 0 ? sample : sample < old ? sample : old + ((sample - old) >> 3);
    }

    /// <summary>The window opens by two segments for each good one until the buffer's share is reached (Linux: tcp_grow_window).</summary>
    private void GrowWindow(Tcb* c)
    {
        int room = (int)(Math.Min(c->WindowClamp, (uint)FullWindowSpace(c)) - c->RcvSsThresh);
        if (room <= 0 || _receiveMemory > Settings.tcp_mem_high / 2)
        {
            return;
        }

        c->RcvSsThresh += (uint)Math.Min(room, 2 * c->AdvMss);
    }

    /// <summary>Dynamic right-sizing: the buffer holds twice what the application reads in a round trip (Linux: tcp_rcv_space_adjust).</summary>
    private void AdjustReceiveSpace(Tcb* c)
    {
        uint now = NowMicros;
        uint elapsed = now - c->RcvSpaceTimeMicros;
        if (elapsed < c->RcvRttMicros || c->RcvRttMicros == 0)
        {
            return;
        }

        uint copied = c->CopiedSeq - c->RcvSpaceSeq;
        if (copied > c->RcvSpace)
        {
            if (Settings.tcp_moderate_rcvbuf && !Has(c, TcbFlags.ReceiveBufferLocked))
            {
                ulong window = (2UL * copied) + (16UL * c->AdvMss);
                ulong grow = window * (copied - c->RcvSpace) / Math.Max(c->RcvSpace, 1u);
                window += grow << 1;
                int most = c->RcvRttMicros < ShortPathMicros
                    ? Math.Min(Settings.tcp_rmem.Max, Settings.ShortPathReceiveBufferMax)
                    : Settings.tcp_rmem.Max;
                int buffer = (int)Math.Min(window * 2, (ulong)most);
                if (buffer > c->RcvBuf)
                {
                    c->RcvBuf = buffer;
                    c->WindowClamp = (uint)WindowFromSpace(buffer);
                }
            }

            c->RcvSpace = copied;
        }

        c->RcvSpaceSeq = c->CopiedSeq;
        c->RcvSpaceTimeMicros = now;
    }
}
