using System.Runtime.CompilerServices;

namespace Portico.Net;

// RFC 9293 3.10.7, "SEGMENT ARRIVES", in the order of its steps, with the checks of RFC 5961 and RFC 7323.
public sealed unsafe partial class TcpLayer
{
    /// <summary>A segment for this stack; its linear part begins with the TCP header. Takes ownership.</summary>
    internal void HandleSegment(Packet packet, in IpInfo info)
    {
        ++Mib[TcpCounter.InSegs];
        scoped Arrival seg = default;
        seg.Info = ref info;
        seg.Packet = packet;
        if (!TryParse(ref seg))
        {
            packet.Release();
            return;
        }

        // Segments come in trains: the connection of the last one is tried before the table (30 ns each for hash and look-up).
        uint value = _recentConnection;
        if (value == 0 || !Matches(_connections.At(value), ref seg))
        {
            ulong hash = FlowHash(info.Destination, info.Source, seg.DestinationPort, seg.SourcePort);
            value = FindFlow(hash, info.Destination, info.Source, seg.DestinationPort, seg.SourcePort);
        }

        if (value != 0 && (value & KindMask) == KindConnection)
        {
            Tcb* c = _connections.At(value);
            _recentConnection = value;
            c->SegsIn++;
            if (info.HopLimit < c->HopLimitMin)
            {
                CountDrop(TcpCounter.TCPMinTTLDrop);
            }
            else if (((!Has(c, TcbExtras.Signed) && seg.Options.Md5Offset == 0) || IsWellSigned(KeysOf(c), ref seg))
                && (!Has(c, TcbExtras.Filtered) || Passes(_filters[c->Index], ref seg)))
            {
                ArriveAtConnection(c, ref seg);
            }
        }
        else if (value == 0)
        {
            ArriveAtListener(ref seg);
        }
        else if ((value & KindMask) == KindRequest)
        {
            ArriveAtRequest(_requests.At(value & ~KindMask), ref seg);
        }
        else
        {
            ArriveAtTimeWait(_timeWaits.At(value & ~KindMask), ref seg);
        }

        // Whatever wanted the payload has taken references to its blocks; the packet itself goes back here, always.
        packet.Release();
        Reap();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Matches(Tcb* c, ref Arrival seg) =>
        c->RemotePort == seg.SourcePort && c->LocalPort == seg.DestinationPort && c->RemoteAddress == seg.Info.Source
        && c->LocalAddress == seg.Info.Destination;

    private bool TryParse(ref Arrival seg)
    {
        Packet packet = seg.Packet;
        if (!packet.EnsureLinear(TcpHeader.LengthMin) || !TcpHeader.TryParse(packet.Linear, out TcpHeader header))
        {
            // The data offset may reach into a fragment.
            int want = packet.LinearLength >= TcpHeader.LengthMin ? (packet.Linear[12] >> 4) * 4 : int.MaxValue;
            if (want > packet.Length || !packet.EnsureLinear(want) || !TcpHeader.TryParse(packet.Linear, out header))
            {
                ++Mib[TcpCounter.InErrs];
                CountDrop(TcpCounter.HeaderErrors);
                return false;
            }
        }

        if (packet.Checksum == ChecksumState.Unverified && !ChecksumOffload.Verify(packet, seg.Info))
        {
            ++Mib[TcpCounter.InErrs];
            CountDrop(TcpCounter.InCsumErrors);
            return false;
        }

        seg.Seq = header.Sequence;
        seg.Ack = header.Acknowledgment;
        seg.Window = header.Window;
        seg.UrgentPointer = header.UrgentPointer;
        seg.SourcePort = header.SourcePort;
        seg.DestinationPort = header.DestinationPort;
        seg.HeaderLength = header.HeaderLength;
        seg.Flags = header.Flags;
        seg.Length = packet.Length - header.HeaderLength;
        seg.EndSeq = seg.Seq + (uint)seg.Length + (seg.Has(TcpFlags.Syn) ? 1u : 0) + (seg.Has(TcpFlags.Fin) ? 1u : 0);
        if (header.HeaderLength > TcpHeader.LengthMin)
        {
            TcpOptions.Parse(header.OptionBytes, out seg.Options);
        }
        else
        {
            seg.Options.WindowScale = -1;
        }

        return true;
    }

    private void ArriveAtConnection(Tcb* c, ref Arrival seg)
    {
        if (c->State == TcpState.Established && TryFastPath(c, ref seg))
        {
            return;
        }

        if (c->State == TcpState.SynSent)
        {
            ArriveInSynSent(c, ref seg);
            return;
        }

        if ((Has(c, TcbExtras.FastOpenPending) && !CheckFastOpenSegment(c, ref seg)) || !Validate(c, ref seg))
        {
            return;
        }

        ArriveSynchronized(c, ref seg);
    }

    /// <summary>
    /// Header prediction (Van Jacobson): the next segment in order of an established connection, with nothing in it but data or
    /// an acknowledgment, and nothing unusual pending. Everything that it skips cannot apply.
    /// </summary>
    private bool TryFastPath(Tcb* c, ref Arrival seg)
    {
        const TcpFlags Significant = TcpFlags.Fin | TcpFlags.Syn | TcpFlags.Rst | TcpFlags.Ack | TcpFlags.Urg
            | TcpFlags.Ece | TcpFlags.Cwr;
        if ((seg.Flags & Significant) != TcpFlags.Ack || seg.Seq != c->RcvNxt || seg.Options.SackCount != 0
            || c->OutOfOrderRoot != null || Seq.Gt(seg.Ack, c->SndNxt) || Seq.Lt(seg.Ack, c->SndUna)
            || Seq.Gt(seg.EndSeq, c->RcvWup + c->RcvWnd))
        {
            return false;
        }

        if (Has(c, TcbFlags.Timestamps))
        {
            if (!seg.Options.HasTimestamp || (int)(seg.Options.TsVal - c->TsRecent) < 0)
            {
                return false;
            }

            if (Seq.Leq(seg.Seq, c->RcvWup))
            {
                StoreTsRecent(c, seg.Options.TsVal);
            }
        }

        if ((c->Flags & (TcbFlags.ReceiveShutdown | TcbFlags.Orphan)) != 0 || c->Urgent != UrgentState.None)
        {
            return false;
        }

        if (seg.Length == 0)
        {
            ++Mib[TcpCounter.TCPHPAcks];
            HandleAck(c, ref seg);
            SendPending(c);
            TellOfRoom(c);
            return true;
        }

        if (c->RcvMemory > c->RcvBuf)
        {
            return false;
        }

        ++Mib[TcpCounter.TCPHPHits];
        if (seg.Ack != c->SndUna || c->SndWnd != seg.Window << c->SndWindShift)
        {
            HandleAck(c, ref seg);
            QueueInOrder(c, ref seg);
            SendPending(c);
            TellOfRoom(c);
        }
        else
        {
            c->LastAckMillis = NowMillis;
            QueueInOrder(c, ref seg);
        }

        AckAfterData(c);
        return true;
    }

    /// <summary>The fifth step onward: ACK, URG, data, FIN.</summary>
    private void ArriveSynchronized(Tcb* c, ref Arrival seg)
    {
        if (!seg.Has(TcpFlags.Ack))
        {
            CountDrop(TcpCounter.NoAckFlag);
            return;
        }

        // RFC 5961 5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT. Which ACKs of what was never sent are answered: as in Linux.
        if (Seq.Gt(seg.Ack, c->SndNxt))
        {
            CountDrop(TcpCounter.InvalidAcks);
            if (c->State == TcpState.SynReceived)
            {
                SendReset(ref seg);
            }
            else if (c->State != TcpState.Established)
            {
                // Linux: tcp_rcv_state_process answers, tcp_rcv_established does not.
                SendChallengeAck(c);
            }

            return;
        }

        if (Seq.Lt(seg.Ack, c->SndUna) && Seq.Lt(seg.Ack, c->SndUna - c->MaxWindow))
        {
            CountDrop(TcpCounter.InvalidAcks);
            if (c->State == TcpState.SynReceived)
            {
                SendReset(ref seg);
            }
            else
            {
                SendChallengeAck(c);
            }

            return;
        }

        if (c->State == TcpState.SynReceived)
        {
            if (Seq.Leq(seg.Ack, c->Iss))
            {
                CountDrop(TcpCounter.InvalidAcks);
                SendReset(ref seg);
                return;
            }

            c->SndWnd = seg.Window << c->SndWindShift;
            c->SndWl1 = seg.Seq;
            c->MaxWindow = Math.Max(c->MaxWindow, c->SndWnd);
            UpdateMss(c);
            NoteLostSyn(c, ref seg);
            HandleAck(c, ref seg);
            BecomeEstablished(c, ref seg);
        }
        else
        {
            HandleAck(c, ref seg);
            if (Has(c, TcbExtras.FastOpenPending))
            {
                CompleteFastOpen(c, ref seg);
            }
        }

        if (!AdvanceClosing(c))
        {
            return;
        }

        HandleUrgent(c, ref seg);
        if (seg.Length > 0 || seg.Has(TcpFlags.Fin))
        {
            if (RefusesData(c, ref seg))
            {
                return;
            }

            QueueData(c, ref seg);
            if (c->State == TcpState.Closed)
            {
                return;
            }
        }
        else if (c->State == TcpState.Established && seg.Length == 0)
        {
            ++Mib[TcpCounter.TCPPureAcks];
        }

        SendPending(c);
        if (c->State != TcpState.Closed)
        {
            TellOfRoom(c);
            AckAfterData(c);
        }
    }

    /// <summary>Our FIN may have been acknowledged: FIN-WAIT-1, CLOSING and LAST-ACK move on. False when the connection is over.</summary>
    private bool AdvanceClosing(Tcb* c)
    {
        bool finAcknowledged = Has(c, TcbFlags.FinSent) && c->SndUna == c->WriteSeq + 1;
        if (!finAcknowledged)
        {
            return true;
        }

        switch (c->State)
        {
            case TcpState.FinWait1:
                SetState(c, TcpState.FinWait2, TcpCause.AckReceived);
                Notify(c, SocketEvents.Writable);
                if (Has(c, TcbFlags.Orphan))
                {
                    EnterOrphanFinWait2(c);
                    return c->State != TcpState.Closed;
                }

                return true;
            case TcpState.Closing:
                EnterTimeWait(c, TcpCause.AckReceived);
                return false;
            case TcpState.LastAck:
                SaveMetrics(c);
                Finish(c, Errno.None, TcpCause.AckReceived);
                return false;
            default:
                return true;
        }
    }

    /// <summary>
    /// Data after close(2), or after a shutdown of both directions, cannot be delivered to anybody: the peer must hear of it (RFC 9293 3.6.1,
    /// RFC 2525 2.17).
    /// </summary>
    private bool RefusesData(Tcb* c, ref Arrival seg)
    {
        if (!Has(c, TcbFlags.ReceiveShutdown) || c->State is not (TcpState.FinWait1 or TcpState.FinWait2))
        {
            return false;
        }

        if (seg.Length > 0 && Seq.Gt(seg.EndSeq - (seg.Has(TcpFlags.Fin) ? 1u : 0), c->RcvNxt))
        {
            CountDrop(TcpCounter.TCPAbortOnData);
            SendReset(ref seg);
            Finish(c, Errno.ECONNRESET, TcpCause.DataAfterClose);
            return true;
        }

        return false;
    }
}
