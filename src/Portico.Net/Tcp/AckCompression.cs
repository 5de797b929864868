namespace Portico.Net;

// Compressed ACKs, as in Linux: beyond a hole each segment is to be acknowledged at once (RFC 5681 4.2), which is as many ACKs as there are
// segments behind a loss. Once the peer has the three duplicates that fast retransmit waits for, what the others say by SACK is said by one
// of them, a twentieth of a round trip later.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Duplicates that mean loss (RFC 5681 3.2).</summary>
    private const int FastRetransmitThreshold = 3;

    /// <summary>More than any wait need be, and little enough to be added to a time.</summary>
    private const ulong SlackNanosMax = 1UL << 60;

    /// <summary>An ACK is owed while something is out of order: now, or together with others (Linux: __tcp_ack_snd_check).</summary>
    private void CompressAck(Tcb* c)
    {
        if (!Has(c, TcbFlags.Sack) || !MayCompress(c, ReportOf(c)))
        {
            SendAck(c);
            return;
        }

        bool runs = Has(c, TcbExtras.AckCompressed);
        c->Report->Compressed++;
        c->Extras |= TcbExtras.AckCompressed;
        if (!runs)
        {
            ArmAckTimer(c, NowNanos + CompressionNanos(c));
        }
    }

    private bool MayCompress(Tcb* c, SackReport* report)
    {
        if (report->Compressed >= Settings.tcp_comp_sack_nr)
        {
            return false;
        }

        if (report->DuplicatesRcvNxt != c->RcvNxt)
        {
            report->DuplicatesRcvNxt = c->RcvNxt;
            report->DuplicatesSent = 0;
        }

        if (report->DuplicatesSent == FastRetransmitThreshold)
        {
            return true;
        }

        report->DuplicatesSent++;
        return false;
    }

    /// <summary>A twentieth of the shorter round trip of both directions, nothing where the receiver has measured none; bounded by the settings.</summary>
    private long CompressionNanos(Tcb* c)
    {
        const uint Parts = 20;
        ulong roundTrip = c->RcvRttMicros * 1000UL;
        if (c->Rtt.HasSample)
        {
            roundTrip = Math.Min(roundTrip, (ulong)c->Rtt.SrttTimes8 * 125);
        }

        return (long)(Math.Min(roundTrip / Parts, Settings.tcp_comp_sack_delay_ns) + Math.Min(Settings.tcp_comp_sack_slack_ns, SlackNanosMax));
    }

    /// <summary>Sends the one ACK that stands for those that wait, if any do (Linux: tcp_sack_compress_send_ack, tcp_compressed_ack_kick).</summary>
    private void SendCompressedAck(Tcb* c)
    {
        c->Report->Compressed--;
        EndCompression(c);
        SendAck(c);
    }

    /// <summary>Another ACK says what those would that wait: they are not sent.</summary>
    private void EndCompression(Tcb* c)
    {
        Mib[TcpCounter.TCPAckCompressed] += c->Report->Compressed;
        c->Report->Compressed = 0;
        c->Extras &= ~TcbExtras.AckCompressed;
        DropReport(c);
    }
}
