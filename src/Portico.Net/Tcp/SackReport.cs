namespace Portico.Net;

/// <summary>
/// What a receiver has to report by SACK: there is one while something is out of order, a duplicate has not been told yet, or ACKs wait to
/// go out as one.
/// </summary>
internal struct SackReport
{
    /// <summary>The blocks beyond RCV.NXT, the newest first; <see cref="Tcb.SackCount"/> of them.</summary>
    public SackRanges Blocks;

    /// <summary>What has come twice, while <see cref="TcbFlags.DsackPending"/> (RFC 2883).</summary>
    public SeqRange Duplicate;

    /// <summary>RCV.NXT when duplicate ACKs were last counted (Linux: compressed_ack_rcv_nxt), and how many of it went out at once.</summary>
    public uint DuplicatesRcvNxt;
    public byte DuplicatesSent;

    /// <summary>ACKs that wait, while <see cref="TcbExtras.AckCompressed"/>.</summary>
    public byte Compressed;

    public uint Index;
}

// What a receiver says of bytes that came out of order or twice (RFC 2018, RFC 2883).
public sealed unsafe partial class TcpLayer
{
    /// <summary>Blocks that an ACK has room for beside other options, and one less in case one is lost (Linux: TCP_SACK_BLOCKS_EXPECTED).</summary>
    private const int BlocksExpected = 2;

    private readonly Slab<SackReport> _sackReports;

    /// <summary>The connection's report, made where there is none. There is room for one of each connection.</summary>
    private SackReport* ReportOf(Tcb* c)
    {
        if (c->Report == null)
        {
            c->Report = _sackReports.Rent(out uint index);
            c->Report->Index = index;
        }

        return c->Report;
    }

    /// <summary>Gives the report back where nothing is in it, nor will be without a new hole.</summary>
    private void DropReport(Tcb* c)
    {
        if (c->Report != null && c->OutOfOrderRoot == null && c->SackCount == 0 && !Has(c, TcbFlags.DsackPending) && !Has(c, TcbExtras.AckCompressed))
        {
            _sackReports.Return(c->Report->Index);
            c->Report = null;
        }
    }

    /// <summary>
    /// RFC 2018 4: the first block holds the segment that caused the ACK, joined with what touches it; then the recent ones. An ACK that waits
    /// goes out before a block beyond <see cref="BlocksExpected"/> comes to the front, so that each has been in front once; that counts
    /// as the segment's ACK, too (Linux: tcp_sack_new_ofo_skb).
    /// </summary>
    private void AddSack(Tcb* c, uint left, uint right)
    {
        SackReport* report = ReportOf(c);
        SeqRange added = new() { Left = left, Right = right };
        if (Has(c, TcbExtras.AckCompressed))
        {
            int touched = 0;
            while (touched < c->SackCount && !Touches(report->Blocks[touched], added))
            {
                touched++;
            }

            if (touched < c->SackCount)
            {
                Join(ref report->Blocks[touched], added);
            }

            if (touched >= BlocksExpected)
            {
                SendCompressedAck(c);
            }
        }

        int kept = 0;
        for (int i = 0; i < c->SackCount; i++)
        {
            SeqRange block = report->Blocks[i];
            if (Touches(block, added))
            {
                Join(ref added, block);
            }
            else
            {
                report->Blocks[kept++] = block;
            }
        }

        // A join may reach blocks that were passed before it grew: they are adjacent only through the new one, so once is enough.
        kept = Math.Min(kept, 3);
        for (int i = kept; i > 0; i--)
        {
            report->Blocks[i] = report->Blocks[i - 1];
        }

        report->Blocks[0] = added;
        c->SackCount = (byte)(kept + 1);
    }

    private static bool Touches(in SeqRange a, in SeqRange b) => Seq.Leq(a.Left, b.Right) && Seq.Geq(a.Right, b.Left);

    private static void Join(ref SeqRange range, in SeqRange other)
    {
        range.Left = Seq.Min(range.Left, other.Left);
        range.Right = Seq.Max(range.Right, other.Right);
    }

    /// <summary>Forgets the blocks that RCV.NXT has passed.</summary>
    private void PruneSacks(Tcb* c)
    {
        if (c->Report == null)
        {
            return;
        }

        if (c->OutOfOrderRoot == null)
        {
            c->SackCount = 0;
            DropReport(c);
            return;
        }

        SackReport* report = c->Report;
        int kept = 0;
        for (int i = 0; i < c->SackCount; i++)
        {
            if (Seq.Gt(report->Blocks[i].Left, c->RcvNxt))
            {
                report->Blocks[kept++] = report->Blocks[i];
            }
        }

        c->SackCount = (byte)kept;
        DropReport(c);
    }

    private void SetDsack(Tcb* c, uint left, uint right)
    {
        if (!Has(c, TcbFlags.Sack) || !Settings.tcp_dsack || left == right)
        {
            return;
        }

        SackReport* report = ReportOf(c);
        SeqRange added = new() { Left = left, Right = right };
        if (Has(c, TcbFlags.DsackPending) && Touches(report->Duplicate, added))
        {
            Join(ref report->Duplicate, added);
            return;
        }

        ++Mib[Seq.Lt(left, c->RcvNxt) ? TcpCounter.TCPDSACKOldSent : TcpCounter.TCPDSACKOfoSent];
        c->Flags |= TcbFlags.DsackPending;
        report->Duplicate = added;
    }
}
