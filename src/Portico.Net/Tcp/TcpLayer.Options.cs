namespace Portico.Net;

// setsockopt, getsockopt, TCP_INFO.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Sets an option, with Linux's ranges. Errors: EINVAL for a value out of range, ENOPROTOOPT, EBADF for a stale handle.</summary>
    public Errno SetOption(TcpHandle handle, TcpOption option, int value)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        switch (option)
        {
            case TcpOption.TCP_NODELAY:
                SetFlag(c, TcbFlags.NoDelay, value != 0);
                if (value != 0)
                {
                    c->Flags |= TcbFlags.PushOnce;
                    SendPending(c);
                }

                return Errno.None;
            case TcpOption.TCP_CORK:
                SetFlag(c, TcbFlags.Cork, value != 0);
                if (value == 0)
                {
                    c->Flags |= Has(c, TcbFlags.NoDelay) ? TcbFlags.PushOnce : 0;
                    SendPending(c);
                }

                return Errno.None;
            case TcpOption.TCP_QUICKACK:
                SetFlag(c, TcbFlags.QuickAckLocked, value != 0);
                c->PingPong = value != 0 ? (byte)0 : Settings.tcp_pingpong_thresh;
                if (value != 0 && Has(c, TcbFlags.AckScheduled))
                {
                    SendAck(c);
                }

                return Errno.None;
            case TcpOption.TCP_MAXSEG:
                if (value != 0 && value is < 88 or > 32767)
                {
                    return Errno.EINVAL;
                }

                c->UserMss = (ushort)value;
                if (value != 0 && c->MssClamp > value)
                {
                    c->MssClamp = (ushort)value;
                    UpdateMss(c);
                }

                return Errno.None;
            case TcpOption.TCP_KEEPIDLE:
                return SetSeconds(value, 1, 32767, ref c->KeepIdleSeconds) is var idle && idle == Errno.None ? RestartKeepAlive(c) : idle;
            case TcpOption.TCP_KEEPINTVL:
                return SetSeconds(value, 1, 32767, ref c->KeepIntervalSeconds);
            case TcpOption.TCP_KEEPCNT:
                return SetByte(value, 1, 127, ref c->KeepCountMax);
            case TcpOption.TCP_SYNCNT:
                return SetByte(value, 1, 127, ref c->SynRetriesMax);
            case TcpOption.TCP_LINGER2:
                c->Linger2Seconds = (short)(value < 0 ? -1 : value > 120 ? 120 : value);
                return Errno.None;
            case TcpOption.TCP_USER_TIMEOUT:
                if (value < 0)
                {
                    return Errno.EINVAL;
                }

                c->UserTimeoutMillis = (uint)value;
                return Errno.None;
            case TcpOption.TCP_WINDOW_CLAMP:
                if (value == 0)
                {
                    return Errno.EINVAL;
                }

                c->WindowClamp = (uint)Math.Max(value, 1152);
                c->RcvSsThresh = Math.Min(c->RcvSsThresh, c->WindowClamp);
                return Errno.None;
            case TcpOption.TCP_CONGESTION:
                if (value is < (int)TcpCongestion.Cubic or > (int)TcpCongestion.Bbr)
                {
                    return Errno.ENOENT;
                }

                StopBbr(c);
                c->Algorithm = (TcpCongestion)value;
                c->Congestion = default;
                if (c->State is not (TcpState.SynSent or TcpState.SynReceived) || Has(c, TcbExtras.FastOpenChild))
                {
                    CongestionInitialize(c);
                }

                return Errno.None;
            case TcpOption.SO_DONTROUTE:
                SetExtra(c, TcbExtras.DontRoute, value != 0);
                c->Route.Generation = 0;
                return Errno.None;
            case TcpOption.SO_KEEPALIVE:
                SetFlag(c, TcbFlags.KeepAlive, value != 0);
                return RestartKeepAlive(c);
            case TcpOption.SO_SNDBUF:
                SetSendBuffer(c, Math.Max(value, 0));
                return Errno.None;
            case TcpOption.SO_RCVBUF:
                SetReceiveBuffer(c, Math.Max(value, 0));
                return Errno.None;
            case TcpOption.SO_LINGER:
                c->LingerSeconds = (short)Math.Clamp(value, -1, short.MaxValue);
                return Errno.None;
            case TcpOption.SO_OOBINLINE:
                SetFlag(c, TcbFlags.OobInline, value != 0);
                return Errno.None;
            case TcpOption.IP_TTL:
                if (value is not -1 and (< 1 or > 255))
                {
                    return Errno.EINVAL;
                }

                c->HopLimit = value == -1 ? (byte)0 : (byte)value;
                return Errno.None;
            case TcpOption.TCP_NOTSENT_LOWAT:
                return SetNotSentLow(c, (uint)value);
            case TcpOption.TCP_RTO_MAX_MS or TcpOption.TCP_RTO_MIN_US or TcpOption.TCP_DELACK_MAX_US:
                return SetTimeoutLimit(c, option, value);
            case TcpOption.IPV6_AUTOFLOWLABEL:
                SetAutoFlowLabel(c, value != 0 ? 1 : OptOut);
                return Errno.None;
            case TcpOption.SO_TXREHASH:
                SetExtra(c, TcbExtras.KeepsHash, value == 0);
                return Errno.None;
            case TcpOption.TCP_THIN_LINEAR_TIMEOUTS when value is 0 or 1:
                SetExtra(c, TcbExtras.ThinLinear, value != 0);
                return Errno.None;
            case TcpOption.TCP_DEFER_ACCEPT when value is >= 0 and <= byte.MaxValue:
                SetExtra(c, TcbExtras.DefersAck, value != 0);
                return Errno.None;
            case TcpOption.TCP_THIN_LINEAR_TIMEOUTS or TcpOption.TCP_DEFER_ACCEPT:
                return Errno.EINVAL;
            case TcpOption.IP_MINTTL:
                return SetByte(value, 0, 255, ref c->HopLimitMin);
            case TcpOption.IP_TOS:
                // The ECN bits are TCP's own (Linux: INET_ECN_MASK).
                c->TrafficClass = (byte)((value & ~3) | (c->TrafficClass & 3));
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    /// <summary>Reads an option. Errors: ENOPROTOOPT, EBADF for a stale handle.</summary>
    public Errno GetOption(TcpHandle handle, TcpOption option, out int value)
    {
        value = 0;
        Tcb* c = Find(handle);
        if (c == null)
        {
            return Errno.EBADF;
        }

        switch (option)
        {
            case TcpOption.TCP_NODELAY:
                value = Has(c, TcbFlags.NoDelay) ? 1 : 0;
                break;
            case TcpOption.TCP_CORK:
                value = Has(c, TcbFlags.Cork) ? 1 : 0;
                break;
            case TcpOption.TCP_QUICKACK:
                value = InPingPong(c) ? 0 : 1;
                break;
            case TcpOption.TCP_MAXSEG:
                value = c->State is TcpState.Closed or TcpState.SynSent && c->UserMss != 0 ? c->UserMss : c->Mss;
                break;
            case TcpOption.TCP_KEEPIDLE:
                value = (int)(KeepIdleMillis(c) / 1000);
                break;
            case TcpOption.TCP_KEEPINTVL:
                value = (int)(KeepIntervalMillis(c) / 1000);
                break;
            case TcpOption.TCP_KEEPCNT:
                value = KeepCount(c);
                break;
            case TcpOption.TCP_SYNCNT:
                value = c->SynRetriesMax != 0 ? c->SynRetriesMax : Settings.tcp_syn_retries;
                break;
            case TcpOption.TCP_LINGER2:
                value = c->Linger2Seconds != 0 ? c->Linger2Seconds : Settings.tcp_fin_timeout;
                break;
            case TcpOption.TCP_USER_TIMEOUT:
                value = (int)c->UserTimeoutMillis;
                break;
            case TcpOption.TCP_WINDOW_CLAMP:
                value = (int)c->WindowClamp;
                break;
            case TcpOption.TCP_CONGESTION:
                value = (int)c->Algorithm;
                break;
            case TcpOption.SO_KEEPALIVE:
                value = Has(c, TcbFlags.KeepAlive) ? 1 : 0;
                break;
            case TcpOption.SO_SNDBUF:
                value = c->SndBuf;
                break;
            case TcpOption.SO_RCVBUF:
                value = c->RcvBuf;
                break;
            case TcpOption.SO_LINGER:
                value = c->LingerSeconds;
                break;
            case TcpOption.SO_OOBINLINE:
                value = Has(c, TcbFlags.OobInline) ? 1 : 0;
                break;
            case TcpOption.SO_DONTROUTE:
                value = Has(c, TcbExtras.DontRoute) ? 1 : 0;
                break;
            case TcpOption.IP_TTL:
                value = c->HopLimit == 0 ? 64 : c->HopLimit;
                break;
            case TcpOption.IP_TOS:
                value = c->TrafficClass;
                break;
            case TcpOption.TCP_NOTSENT_LOWAT:
                value = (int)SideOf(c).NotSentLow;
                break;
            case TcpOption.IP_MINTTL:
                value = c->HopLimitMin;
                break;
            case TcpOption.TCP_RTO_MAX_MS:
                value = (int)RtoMaxMillis(c);
                break;
            case TcpOption.TCP_RTO_MIN_US:
                value = RtoMinMicros(c);
                break;
            case TcpOption.TCP_DELACK_MAX_US:
                value = OwnDelayedAckMaxMicros(c);
                break;
            case TcpOption.TCP_THIN_LINEAR_TIMEOUTS:
                value = Has(c, TcbExtras.ThinLinear) ? 1 : 0;
                break;
            default:
                return Errno.ENOPROTOOPT;
        }

        return Errno.None;
    }

    /// <summary>The two ends. Errors: EBADF for a stale handle.</summary>
    public Errno GetEndpoints(TcpHandle handle, out Endpoint local, out Endpoint remote)
    {
        Tcb* c = Find(handle);
        local = c == null ? default : new Endpoint(c->LocalAddress, c->LocalPort);
        remote = c == null ? default : new Endpoint(c->RemoteAddress, c->RemotePort);
        return c == null ? Errno.EBADF : Errno.None;
    }

    /// <summary>The connection's state and measurements, as TCP_INFO. Errors: EBADF for a stale handle.</summary>
    public Errno GetInfo(TcpHandle handle, out TcpInfo info)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            info = default;
            return Errno.EBADF;
        }

        FillInfo(c, out info);
        return Errno.None;
    }

    /// <summary>Payload that has been sent, what was sent again counted again; SYN and FIN are none.</summary>
    private static ulong BytesSent(Tcb* c)
    {
        ulong nearly = c->BytesAcked + (c->SndNxt - c->SndUna);
        uint exactly = c->SndNxt - c->Iss - (c->SndNxt == c->Iss ? 0u : 1) - (Has(c, TcbFlags.FinSent) ? 1u : 0);
        return (ulong)((long)nearly + (int)(exactly - (uint)nearly)) + c->BytesRetrans;
    }

    private void FillInfo(Tcb* c, out TcpInfo info)
    {
        uint now = NowMillis;
        info = new TcpInfo
        {
            State = c->State,
            CaState = (byte)c->CaState,
            Retransmits = c->Retransmits,
            Probes = c->ProbesOut,
            Backoff = c->Backoff,
            Timestamps = Has(c, TcbFlags.Timestamps),
            Sack = Has(c, TcbFlags.Sack),
            WindowScale = Has(c, TcbFlags.WindowScale),
            Ecn = Has(c, TcbExtras.EcnOk),
            EcnSeen = Has(c, TcbExtras.EcnSeen),
            SynData = Has(c, TcbExtras.SynDataAcked),
            FastOpenChild = Has(c, TcbExtras.FastOpenChild),
            FastOpenClientFail = (byte)((uint)(c->Extras & TcbExtras.FastOpenFailMask) >> (int)TcbExtras.FastOpenFailShift),
            SndWindShift = c->SndWindShift,
            RcvWindShift = c->RcvWindShift,
            RtoMicros = (uint)(RtoNanos(c) / 1000),
            AtoMicros = c->AtoMillis * 1000,
            SndMss = c->Mss,
            RcvMss = c->RcvMss,
            Unacked = c->PacketsOut,
            Sacked = c->SackedOut,
            Lost = c->LostOut,
            Retrans = c->RetransOut,
            PathMtu = (uint)c->Route.PathMtu,
            RcvSsThresh = c->RcvSsThresh,
            RttMicros = (uint)c->Rtt.SrttMicros,
            RttVarMicros = (uint)c->Rtt.RttVarMicros,
            MinRttMicros = (uint)c->Rtt.MinRttMicros,
            SndSsThresh = c->SsThresh,
            SndCwnd = c->Cwnd,
            AdvMss = c->AdvMss,
            Reordering = c->Reordering,
            ReorderSeen = c->ReorderSeen,
            DsackDuplicates = c->DsackDuplicates,
            TotalRto = c->TotalRto,
            Rehashes = Has(c, TcbExtras.KeepsHash) ? 0u : c->TotalRto,
            TotalRtoRecoveries = c->TotalRtoRecoveries,
            TotalRtoMillis = c->TotalRtoMillis,
            DeliveryRate = c->RateIntervalMicros == 0 ? 0 : (ulong)c->RateDelivered * c->Mss * 1_000_000 / c->RateIntervalMicros,
            IsDeliveryRateAppLimited = Has(c, TcbFlags.RateAppLimited),
            SndWnd = c->SndWnd,
            RcvWnd = c->RcvWnd,
            RcvSpace = c->RcvSpace,
            RcvRttMicros = c->RcvRttMicros,
            LastDataSentMillis = now - c->LastSentMillis,
            LastDataReceivedMillis = now - c->LastReceivedMillis,
            LastAckReceivedMillis = now - c->LastAckMillis,
            Delivered = c->Delivered,
            DeliveredMarked = SideOf(c).DeliveredMarked,
            TotalRetrans = c->TotalRetrans,
            NotSentBytes = HasUnsent(c) ? c->WriteSeq - c->SndNxt : 0,
            ReceiveQueueBytes = c->RxHead == null ? 0 : c->RcvNxt - c->CopiedSeq - (Has(c, TcbFlags.FinReceived) ? 1u : 0),
            SendQueueBytes = (uint)QueuedBytes(c),
            BytesAcked = c->BytesAcked,
            BytesReceived = c->BytesReceived,
            BytesSent = BytesSent(c),
            BytesRetrans = c->BytesRetrans,
            SegsOut = c->SegsOut,
            DataSegsOut = c->DataSegsOut,
            BusyMicros = 1000UL * (c->BusyMillis + c->WindowLimitedMillis + c->BufferLimitedMillis + (c->Activity != SenderActivity.None ? now - c->ActivitySinceMillis : 0)),
            WindowLimitedMicros = 1000UL * (c->WindowLimitedMillis + (c->Activity == SenderActivity.WindowLimited ? now - c->ActivitySinceMillis : 0)),
            BufferLimitedMicros = 1000UL * (c->BufferLimitedMillis + (c->Activity == SenderActivity.BufferLimited ? now - c->ActivitySinceMillis : 0)),
            PacingRate = c->State is TcpState.SynSent or TcpState.Closed ? PacingRateMax(c) : PacingRate(c),
            PacingRateMax = PacingRateMax(c),
            SegsIn = c->SegsIn,
            Congestion = c->Algorithm,
            ReceivedTrafficClass = SideOf(c).ReceivedTrafficClass,
        };
    }

    private static void SetFlag(Tcb* c, TcbFlags flag, bool on) => c->Flags = on ? c->Flags | flag : c->Flags & ~flag;

    private Errno RestartKeepAlive(Tcb* c)
    {
        if (!Has(c, TcbFlags.KeepAlive))
        {
            // FIN-WAIT-2 uses the same timer.
            c->KeepDeadline = c->State == TcpState.FinWait2 ? c->KeepDeadline : 0;
        }
        else if (c->State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.FinWait2)
        {
            uint silent = NowMillis - c->LastReceivedMillis;
            uint idle = KeepIdleMillis(c);
            ArmKeepAlive(c, idle > silent ? idle - silent : 1);
        }

        return Errno.None;
    }

    private static Errno SetSeconds(int value, int least, int most, ref ushort field)
    {
        if (value < least || value > most)
        {
            return Errno.EINVAL;
        }

        field = (ushort)value;
        return Errno.None;
    }

    private static Errno SetByte(int value, int least, int most, ref byte field)
    {
        if (value < least || value > most)
        {
            return Errno.EINVAL;
        }

        field = (byte)value;
        return Errno.None;
    }
}
