using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>More booleans of a connection: of what most connections do not use.</summary>
[Flags]
internal enum TcbExtras : uint
{
    None = 0,

    /// <summary>connect has succeeded without a SYN, which waits for the first data (Linux: DEFER_CONNECT).</summary>
    DeferredConnect = 1 << 0,

    /// <summary>The SYN had a Fast Open option (Linux: syn_fastopen).</summary>
    SynFastOpen = 1 << 1,

    /// <summary>That option was the experimental one (RFC 6994; syn_fastopen_exp).</summary>
    SynFastOpenExperimental = 1 << 2,

    /// <summary>The SYN carried data (syn_data).</summary>
    SynData = 1 << 3,

    /// <summary>The data of the SYN, ours or the peer's, was acknowledged with it (syn_data_acked).</summary>
    SynDataAcked = 1 << 4,

    /// <summary>Made from a SYN with Fast Open (syn_fastopen_child).</summary>
    FastOpenChild = 1 << 5,

    /// <summary>The same, and the handshake's last ACK has not come (fastopen_rsk).</summary>
    FastOpenPending = 1 << 6,

    /// <summary>A pause of Fast Open is over, and this connection tells whether the path is good again (syn_fastopen_ch).</summary>
    FastOpenTries = 1 << 7,

    /// <summary>TCP_FASTOPEN_NO_COOKIE.</summary>
    FastOpenNoCookie = 1 << 8,

    /// <summary>An application waits for the handshake with data to send, which can carry the ACK (sk_write_pending).</summary>
    WritePending = 1 << 9,

    /// <summary>There are <see cref="SendTimestamps"/> of the connection.</summary>
    Timestamped = 1 << 30,

    /// <summary>Why Fast Open failed: tcpi_fastopen_client_fail, in two bits.</summary>
    FastOpenFailShift = 10,
    FastOpenFailMask = 3 << 10,

    /// <summary>ECN is agreed on (RFC 3168), or asked for in SYN-SENT (Linux: TCP_ECN_OK and its companions).</summary>
    EcnOk = 1 << 12,

    /// <summary>The window was reduced: the next new data says so (CWR).</summary>
    EcnQueueCwr = 1 << 13,

    /// <summary>CE has come in: every segment has ECE until the peer answers by CWR.</summary>
    EcnDemandCwr = 1 << 14,

    /// <summary>Data with ECT or CE has come in.</summary>
    EcnSeen = 1 << 15,

    /// <summary>The SYN or SYN-ACK that began the connection was lost.</summary>
    SynLost = 1 << 16,

    /// <summary>SO_MAX_PACING_RATE was set: packets are paced whatever the stack does (Linux: SK_PACING_NEEDED).</summary>
    PacingNeeded = 1 << 17,

    /// <summary>And it limits the pace, to <see cref="TcpSide.PacingRateMax"/>.</summary>
    PacingLimited = 1 << 18,

    /// <summary>TCP_THIN_LINEAR_TIMEOUTS.</summary>
    ThinLinear = 1 << 19,

    /// <summary>TCP_DEFER_ACCEPT of an opener: the handshake's last ACK waits for data to carry it.</summary>
    DefersAck = 1 << 20,

    /// <summary>SO_DONTROUTE: the route goes through no gateway.</summary>
    DontRoute = 1 << 21,

    /// <summary>Larger segments are tried (RFC 4821); the side record has how large.</summary>
    ProbesMtu = 1 << 29,

    /// <summary>There is a key for the peer: segments are signed both ways (RFC 2385).</summary>
    Signed = 1 << 22,

    /// <summary>SO_ATTACH_FILTER: a filter says what arrives.</summary>
    Filtered = 1 << 26,

    /// <summary>IPV6_AUTOFLOWLABEL was set to 0, or to 1; neither leaves it to the stack.</summary>
    NoAutoFlowLabel = 1 << 23,
    AutoFlowLabel = 1 << 24,

    /// <summary>SO_TXREHASH is off: a timeout does not change the flow label.</summary>
    KeepsHash = 1 << 25,

    /// <summary>Duplicate ACKs wait to go out as one; <see cref="SackReport.Compressed"/> of them (Linux: compressed_ack).</summary>
    AckCompressed = 1 << 27,
}

/// <summary>What only connections with such features have: a record beside the TCB, in a slab of its own.</summary>
internal struct TcpSide
{
    public uint Index;

    /// <summary>The half-open request of a connection that was made from a SYN with data, until the handshake is complete; 0 for none.</summary>
    public uint FastOpenRequest;

    /// <summary>TCP_NOTSENT_LOWAT; 0 for the stack's.</summary>
    public uint NotSentLow;

    /// <summary>Segments that were delivered by ACKs with ECE (tcpi_delivered_ce).</summary>
    public uint DeliveredMarked;

    /// <summary>SO_MAX_PACING_RATE, in bytes a second, while <see cref="TcbExtras.PacingLimited"/>.</summary>
    public ulong PacingRateMax;

    /// <summary>TCP_RTO_MAX_MS; 0 for the stack's.</summary>
    public uint RtoMaxMillis;

    /// <summary>TCP_RTO_MIN_US; 0 for the stack's.</summary>
    public uint RtoMinMicros;

    /// <summary>TCP_DELACK_MAX_US; 0 for Linux's.</summary>
    public uint DelayedAckMaxMicros;

    /// <summary>The headers of the SYN that the connection was made from (TCP_SAVED_SYN); 0 for none.</summary>
    public uint SavedSyn;

    /// <summary>The flow label of its packets; 0 for none.</summary>
    public uint FlowLabel;

    /// <summary>Of a probe that is in flight (RFC 4821) the bytes of its IP packet and its sequence numbers; 0 bytes for none.</summary>
    public ushort ProbeBytes;

    /// <summary>Packets so long arrive, and longer ones than this do not (eff_pmtu and search_high of RFC 4821 7.2).</summary>
    public ushort ProbeLow;
    public ushort ProbeHigh;
    public uint ProbeStart;
    public uint ProbeEnd;

    /// <summary>When the search began.</summary>
    public uint ProbeStampMillis;

    /// <summary>The type of service of the packet that made the connection (Linux: rcv_tos).</summary>
    public byte ReceivedTrafficClass;

    /// <summary>The place of its keys (TCP_MD5SIG); 0 for none.</summary>
    public uint Signatures;
}

// Side records come with the first feature that needs one, and go with the connection.
public sealed unsafe partial class TcpLayer
{
    private static readonly TcpSide s_noSide;

    private Slab<TcpSide> _sides = null!;

    private static bool Has(Tcb* c, TcbExtras extra) => (c->Extras & extra) != 0;

    private static void SetExtra(Tcb* c, TcbExtras extra, bool on) => c->Extras = on ? c->Extras | extra : c->Extras & ~extra;

    /// <summary>The side record, to read what it says; one of zeros where there is none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private ref readonly TcpSide SideOf(Tcb* c)
    {
        if (c->Side == 0)
        {
            return ref s_noSide;
        }

        return ref *_sides.At(c->Side);
    }

    /// <summary>The side record, made when there is none; null without memory.</summary>
    private TcpSide* NeedSide(Tcb* c)
    {
        if (c->Side == 0)
        {
            TcpSide* side = _sides.Rent(out uint index);
            if (side == null)
            {
                ++Mib[TcpCounter.NoMemory];
                return null;
            }

            side->Index = index;
            c->Side = index;
        }

        return _sides.At(c->Side);
    }

    private void SetFlowLabel(Tcb* c, uint label)
    {
        TcpSide* side = label == 0 ? null : NeedSide(c);
        if (side != null)
        {
            side->FlowLabel = label;
        }
    }

    private void FreeSide(Tcb* c)
    {
        FreeTimestamps(c);
        if (c->Side != 0)
        {
            ReleaseFastOpenRequest(c, isReset: false);
            FreeSavedSyn(ref _sides.At(c->Side)->SavedSyn);
            DropKeys(ref _sides.At(c->Side)->Signatures);
            _sides.Return(c->Side);
            c->Side = 0;
        }
    }
}
