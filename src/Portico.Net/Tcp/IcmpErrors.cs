using System.Buffers.Binary;

namespace Portico.Net;

// ICMP errors about our segments (RFC 9293 3.9.2.2, RFC 1191, RFC 8201) with RFC 5927's checks: an error counts only if it quotes a
// sequence number that is in flight, and none ends an established connection.
public sealed unsafe partial class TcpLayer
{
    /// <summary>An ICMP error about a segment; <paramref name="quoted"/> is the quoted TCP header (at least 8 bytes).</summary>
    internal void HandleIcmpError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
        if (quoted.Length < 8)
        {
            ++Mib[TcpCounter.OutOfWindowIcmps];
            return;
        }

        ushort localPort = BinaryPrimitives.ReadUInt16BigEndian(quoted);
        ushort remotePort = BinaryPrimitives.ReadUInt16BigEndian(quoted[2..]);
        uint seq = BinaryPrimitives.ReadUInt32BigEndian(quoted[4..]);
        ulong hash = FlowHash(error.LocalAddress, error.RemoteAddress, localPort, remotePort);
        uint value = FindFlow(hash, error.LocalAddress, error.RemoteAddress, localPort, remotePort);
        if (value == 0 || (value & KindMask) == KindTimeWait)
        {
            return;
        }

        if ((value & KindMask) == KindRequest)
        {
            SynRequest* request = _requests.At(value & ~KindMask);
            if (request->Held || seq != request->Iss)
            {
                ++Mib[TcpCounter.OutOfWindowIcmps];
            }
            else if (EndsRequest(error))
            {
                ++Mib[TcpCounter.ListenDrops];
                ReportRequestEnd(request, TcpCause.IcmpError, error.Error);
                RemoveRequest(request);
            }

            return;
        }

        Tcb* c = _connections.At(value);
        bool fastOpen = Has(c, TcbExtras.FastOpenPending);
        if (!Seq.Between(fastOpen ? c->Iss : c->SndUna, seq, c->SndNxt))
        {
            ++Mib[TcpCounter.OutOfWindowIcmps];
            return;
        }

        if (error.Mtu >= 0)
        {
            _stack.Ip.LearnPathMtu(error);
            ApplyPathMtu(c);
        }
        else if (c->State is TcpState.SynSent or TcpState.SynReceived && (!fastOpen || Has(c, TcbFlags.InAcceptQueue)))
        {
            // As Linux (tcp_v4_err), whose users expect "no route to host" in seconds; RFC 5461 3.2 weighs that against RFC 1122 4.2.3.9.
            ++Mib[TcpCounter.AttemptFails];
            Finish(c, error.Error, TcpCause.IcmpError);
        }
        else
        {
            c->SoftError = (short)error.Error;
        }

        Reap();
    }

    /// <summary>
    /// Whether an error gives up a half-open connection, as Linux has it: of IPv4 what says that the opener cannot be reached (tcp_v4_err),
    /// of IPv6 what is permanent (tcp_v6_err).
    /// </summary>
    private static bool EndsRequest(in IcmpErrorInfo error)
    {
        bool isUnreachable = error.Type == IcmpType.DestinationUnreachable && error.Code <= 1;
        return error.Mtu < 0 && (error.LocalAddress.IsIpv4
            ? isUnreachable || error.Type is IcmpType.TimeExceeded or IcmpType.ParameterProblem
            : error.IsHard);
    }

    /// <summary>The path takes less than was thought: what is in flight and too large goes out again at once, in smaller segments.</summary>
    private void ApplyPathMtu(Tcb* c)
    {
        ushort before = c->Mss;
        bool isSyn = c->State == TcpState.SynSent;
        c->Route.Generation = 0;
        if (c->State == TcpState.Closed || (isSyn && !Has(c, TcbExtras.SynData)) || EnsureRoute(c) != Errno.None || c->Mss >= before || c->TxHead == null)
        {
            return;
        }

        ResendTooLarge(c, before);
    }

    /// <summary>
    /// Not congestion: the window stays, the segments count anew by the size of now, and those that are larger are sent again (Linux:
    /// tcp_simple_retransmit). Super-segments were sent in segments of <paramref name="sentMss"/> bytes.
    /// </summary>
    private void ResendTooLarge(Tcb* c, uint sentMss)
    {
        bool isSyn = c->State == TcpState.SynSent;
        AckState none = default;
        for (SendSegment* segment = c->TxHead; segment != null; segment = segment->Next)
        {
            bool tooLarge = (segment->PacketCount > 1 ? sentMss : PayloadLength(segment)) > c->Mss;
            RecountPackets(c, segment);

            // Of a SYN with data both are sent again: the SYN now, alone.
            if (tooLarge || isSyn)
            {
                MarkLost(c, segment, ref none);
            }
        }

        if (c->LostOut != 0)
        {
            if (!Has(c, TcbFlags.Sack))
            {
                LimitRenoSacks(c);
            }

            RetransmitWithoutCongestion(c, PacketNotes.PathMtuReduction);
        }
    }

    /// <summary>Sends again what is marked lost, though no congestion lost it (Linux: tcp_non_congestion_loss_retransmit).</summary>
    private void RetransmitWithoutCongestion(Tcb* c, PacketNotes cause)
    {
        if (c->CaState != CaState.Loss)
        {
            c->Flight->HighSeq = c->SndNxt;
            c->SsThresh = CurrentSsThresh(c);
            c->Flight->PriorSsThresh = 0;
            c->Flight->UndoMarker = 0;
            c->CaState = CaState.Loss;
        }

        RetransmitQueue(c, cause);
    }
}
