using System.Runtime.CompilerServices;

namespace Portico.Net;

// TCP Fast Open (RFC 7413) of the opener: data in the SYN, with a cookie that the destination has given us before; asking for one; and
// what becomes of the data when the SYN-ACK does not acknowledge it.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Room that a SYN with data leaves for options that boxes on the path may add (RFC 7413 4.2.1).</summary>
    private const int OptionBytesMax = 40;

    /// <summary>Most data of a SYN, which lies in as few blocks as a packet has room for.</summary>
    private const int SynDataMax = 32 * 1024;

    private const int FailCookieUnavailable = 1;
    private const int FailDataNotAcked = 2;
    private const int FailSynRetransmitted = 3;

    private DestinationCache _destinations = null!;

    /// <summary>When Fast Open was last paused.</summary>
    private long _fastOpenPausedNanos;

    /// <summary>Forgets what has been learned of destinations: cookies and the rest (ip tcp_metrics flush all).</summary>
    public void FlushMetrics() => _destinations.Clear();

    /// <summary>Destinations of which something is remembered.</summary>
    public int MetricsCount => _destinations.Count;

    /// <summary>
    /// TCP_FASTOPEN_CONNECT: whether the connect of a prepared connection succeeds at once, since the destination's cookie is there; the SYN
    /// then goes out with the first data, by <see cref="StartFastOpen"/>.
    /// </summary>
    public bool DeferConnect(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c == null || !ChooseCookie(c, out _, out _))
        {
            return false;
        }

        c->Extras |= TcbExtras.DeferredConnect;
        return true;
    }

    /// <summary>Whether the connection waits for its first data to be opened.</summary>
    public bool IsConnectDeferred(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c != null && Has(c, TcbExtras.DeferredConnect);
    }

    /// <summary>
    /// Sends the SYN of a prepared connection with as much of the data as it may carry, or without any and a request for a cookie
    /// (MSG_FASTOPEN). <paramref name="waits"/>: the application waits for the handshake to send the rest. Errors: EBADF, ENOBUFS.
    /// </summary>
    public Errno StartFastOpen(TcpHandle handle, ReadOnlySpan<byte> data, bool waits, out int sent)
    {
        sent = 0;
        Tcb* c = Find(handle);
        SendSegment* syn = c == null ? null : NewSegment(c);
        if (syn == null)
        {
            return c == null ? Errno.EBADF : Errno.ENOBUFS;
        }

        c->Extras &= ~TcbExtras.DeferredConnect;
        BeginOpen(c, syn);
        SendSegment* carried = null;
        bool mayCarry = ChooseCookie(c, out FastOpenCookie cookie, out ushort mss);
        if (mayCarry)
        {
            c->MssClamp = c->UserMss != 0 ? Math.Min(mss, c->UserMss) : mss;
            UpdateMss(c);
            int space = Math.Min(MssOfPath(c) - OptionBytesMax, SynDataMax);
            if (space > 0 && !data.IsEmpty)
            {
                carried = QueueSynData(c, data[..Math.Min(space, data.Length)], out sent);
            }
        }
        else if (cookie.Length > 0)
        {
            cookie.Length = 0;
        }

        if (cookie.Length >= 0)
        {
            c->Extras |= TcbExtras.SynFastOpen | (cookie.IsExperimental ? TcbExtras.SynFastOpenExperimental : 0);
        }

        // Whoever still has data to send will have it carry the ACK of the SYN-ACK.
        SetExtra(c, TcbExtras.WritePending, waits && (sent < data.Length || !mayCarry));
        if (TransmitSyn(c, syn, PacketNotes.None, cookie, carried) && carried != null)
        {
            StampSent(c, carried);
        }

        ArmRetransmit(c, RtoMicros(c) * 1000L);
        return Errno.None;
    }

    /// <summary>The same of a prepared connection without data that asks for a cookie (TCP_FASTOPEN_CONNECT without one).</summary>
    public Errno StartWithCookieRequest(TcpHandle handle) => StartFastOpen(handle, default, waits: false, out _);

    /// <summary>An application waits for the handshake with something to send (sk_write_pending).</summary>
    public void NoteWritePending(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        if (c != null && c->State is TcpState.SynSent or TcpState.SynReceived)
        {
            c->Extras |= TcbExtras.WritePending;
        }
    }

    /// <summary>
    /// The option for the SYN: the destination's cookie, a request (length 0) or none (-1). True when data may go with it (Linux:
    /// tcp_fastopen_cookie_check).
    /// </summary>
    private bool ChooseCookie(Tcb* c, out FastOpenCookie cookie, out ushort mss)
    {
        cookie = default;
        mss = c->AdvMss;
        ref DestinationMetrics known = ref _destinations.Find(c->LocalAddress, c->RemoteAddress);
        if (!Unsafe.IsNullRef(ref known))
        {
            mss = known.FastOpenMss != 0 ? known.FastOpenMss : mss;
            cookie = known.Cookie;
            cookie.IsExperimental |= cookie.Length <= 0 && known.TryExperimental == 1;
        }

        if (IsFastOpenPaused())
        {
            cookie.Length = -1;
            return false;
        }

        SetExtra(c, TcbExtras.FastOpenTries, Settings.tcp_fastopen_blackhole_timeout_sec != 0 && Settings.FastOpenPauses != 0);

        if ((Settings.tcp_fastopen & TcpSettings.FastOpenClientNoCookie) != 0 || Has(c, TcbExtras.FastOpenNoCookie))
        {
            cookie.Length = -1;
            return true;
        }

        if (cookie.Length > 0)
        {
            return true;
        }

        SetFastOpenFailure(c, FailCookieUnavailable);
        return false;
    }

    /// <summary>The bytes after the SYN's sequence number become a segment of their own, which is sent again alone when need be.</summary>
    private SendSegment* QueueSynData(Tcb* c, ReadOnlySpan<byte> data, out int taken)
    {
        taken = 0;
        SendSegment* segment = NewSegment(c);
        if (segment == null)
        {
            return null;
        }

        taken = CopyIn(c, data, data.Length);
        if (taken == 0)
        {
            FreeSegment(c, segment);
            return null;
        }

        segment->Node.Start = c->SndNxt;
        segment->Node.End = c->SndNxt + (uint)taken;
        segment->Block = c->SndBlockHead;
        segment->Flags = TcpFlags.Psh;
        segment->PacketCount = 1;
        LinkSegment(c, segment);
        c->SndNxt = c->WriteSeq = segment->Node.End;
        c->PushedSeq = c->SndNxt;
        c->PacketsOut++;
        c->Extras |= TcbExtras.SynData;
        ++Mib[TcpCounter.TCPOrigDataSent];
        return segment;
    }

    /// <summary>
    /// The SYN-ACK of a SYN with Fast Open has come (Linux: tcp_rcv_fastopen_synack): its cookie is kept, and what it did not acknowledge of
    /// the data goes out again, as not congestion but the peer's choice lost it. True when that has been done, which acknowledges, too.
    /// </summary>
    private bool FinishFastOpen(Tcb* c, ref Arrival seg)
    {
        bool unacked = Has(c, TcbExtras.SynData) && c->TxHead != null;
        FastOpenCookie cookie = ReadCookie(ref seg);
        bool synLost = false;
        byte tryExperimental = 0;
        if (!Has(c, TcbExtras.SynFastOpen))
        {
            cookie.Length = -1;
        }
        else if (c->TotalRetrans != 0)
        {
            synLost = cookie.Length < 0 && unacked;
        }
        else if (cookie.Length < 0 && !Has(c, TcbExtras.SynData))
        {
            // Asked for and not given: the other option is tried next time, once.
            tryExperimental = Has(c, TcbExtras.SynFastOpenExperimental) ? (byte)2 : (byte)1;
        }

        RememberCookie(c, seg.Options.Mss, cookie, synLost, tryExperimental);
        if (unacked)
        {
            SetFastOpenFailure(c, c->TotalRetrans != 0 ? FailSynRetransmitted : FailDataNotAcked);
            AckState none = default;
            for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
            {
                MarkLost(c, segment, ref none);
            }

            RetransmitWithoutCongestion(c, PacketNotes.None);
            ++Mib[TcpCounter.TCPFastOpenActiveFail];
            return true;
        }

        if (Has(c, TcbExtras.SynData))
        {
            c->Extras |= TcbExtras.SynDataAcked;
            ++Mib[TcpCounter.TCPFastOpenActive];

            // SYN and data were one packet.
            c->Delivered -= c->Delivered > 1 ? 1u : 0;
        }

        return false;
    }

    private void RememberCookie(Tcb* c, ushort mss, in FastOpenCookie cookie, bool synLost, byte tryExperimental)
    {
        ref DestinationMetrics known = ref _destinations.Need(c->LocalAddress, c->RemoteAddress);
        known.FastOpenMss = mss != 0 ? mss : DefaultPeerMss(c->RemoteAddress);
        if (cookie.Length > 0)
        {
            known.Cookie = cookie;
        }
        else if (tryExperimental > known.TryExperimental && known.Cookie is { Length: <= 0, IsExperimental: false })
        {
            known.TryExperimental = tryExperimental;
        }

        known.SynLosses = synLost ? (ushort)Math.Min(known.SynLosses + 1, ushort.MaxValue) : (ushort)0;
    }

    private static FastOpenCookie ReadCookie(ref Arrival seg)
    {
        ref TcpOptions options = ref seg.Options;
        return options.FastOpenCookieLength < 0
            ? FastOpenCookie.Absent
            : new FastOpenCookie(
                seg.Packet.Linear.Slice(TcpHeader.LengthMin + options.FastOpenCookieOffset, options.FastOpenCookieLength),
                options.IsFastOpenExperimental);
    }

    private static void SetFastOpenFailure(Tcb* c, int why) =>
        c->Extras = (c->Extras & ~TcbExtras.FastOpenFailMask) | (TcbExtras)(why << (int)TcbExtras.FastOpenFailShift);

    /// <summary>
    /// A path that swallows SYNs with data, or all that follows them: Fast Open pauses for all destinations, each time for longer (Linux:
    /// tcp_fastopen_active_disable). Off by default, as tcp_fastopen_blackhole_timeout_sec is 0.
    /// </summary>
    private void PauseFastOpen()
    {
        if (Settings.tcp_fastopen_blackhole_timeout_sec != 0)
        {
            _fastOpenPausedNanos = NowNanos;
            Settings.FastOpenPauses++;
            ++Mib[TcpCounter.TCPFastOpenBlackhole];
        }
    }

    private bool IsFastOpenPaused()
    {
        const int DoublingsMax = 6;
        if (Settings.tcp_fastopen_blackhole_timeout_sec == 0 || Settings.FastOpenPauses == 0)
        {
            return false;
        }

        long pause = (long)Settings.tcp_fastopen_blackhole_timeout_sec * 1_000_000_000 << Math.Min(Settings.FastOpenPauses - 1, DoublingsMax);
        return NowNanos - _fastOpenPausedNanos < pause;
    }

    /// <summary>
    /// The end of a connection that was opened with Fast Open (tcp_fastopen_active_disable_ofo_check): one to which nothing but a FIN behind a
    /// hole has come stands for a path that swallows what follows the SYN; one that has worked after a pause ends the pauses.
    /// </summary>
    private void JudgeFastOpenPath(Tcb* c)
    {
        if (!Has(c, TcbExtras.SynFastOpen))
        {
            return;
        }

        if (HasReceivedNothing(c))
        {
            SegmentNode* first = SegmentTree.First(c->OutOfOrderRoot);
            if (first != null && ((RxSegment*)first)->Fin)
            {
                PauseFastOpen();
            }
        }
        else if (Has(c, TcbExtras.FastOpenTries) && _stack.Ip.InterfaceAt(c->Route.InterfaceIndex) is { IsLoopback: false })
        {
            Settings.FastOpenPauses = 0;
        }
    }

    /// <summary>The same of a reset that is not where the next byte should be, before any byte has come.</summary>
    private void JudgeFastOpenReset(Tcb* c)
    {
        if (Has(c, TcbExtras.SynFastOpen) && c->State == TcpState.Established && HasReceivedNothing(c))
        {
            PauseFastOpen();
        }
    }

    /// <summary>No data segment has come (data_segs_in): nothing in order, and behind a hole a FIN at most.</summary>
    private static bool HasReceivedNothing(Tcb* c)
    {
        SegmentNode* first = SegmentTree.First(c->OutOfOrderRoot);
        return c->BytesReceived == 0 && (first == null || ((RxSegment*)first)->Fin);
    }

    /// <summary>Timeouts of a connection with Fast Open: the third in a row, or the last, pauses it for all.</summary>
    private void DetectFastOpenBlackhole(Tcb* c, bool expired)
    {
        if (Has(c, TcbExtras.SynFastOpen | TcbExtras.SynData | TcbExtras.SynDataAcked)
            && (c->Retransmits == 2 || (c->Retransmits < 2 && expired)))
        {
            PauseFastOpen();
        }
    }
}
