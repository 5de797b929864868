namespace Portico.Net;

/// <summary>What a receiver has to report by SACK: there is one while there are blocks, or a duplicate that has not been told yet.</summary>
internal struct SackReport
{
    /// <summary>The blocks beyond RCV.NXT, the newest first; <see cref="Tcb.SackCount"/> of them.</summary>
    public SackRanges Blocks;

    /// <summary>What has come twice, while <see cref="TcbFlags.DsackPending"/> (RFC 2883).</summary>
    public SeqRange Duplicate;

    public uint Index;
}

// What a receiver says of bytes that came out of order or twice (RFC 2018, RFC 2883).
public sealed unsafe partial class TcpLayer
{
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

    /// <summary>Gives the report back where nothing is in it.</summary>
    private void DropReport(Tcb* c)
    {
        if (c->Report != null && c->SackCount == 0 && !Has(c, TcbFlags.DsackPending))
        {
            _sackReports.Return(c->Report->Index);
            c->Report = null;
        }
    }

    /// <summary>RFC 2018 4: the first block holds the segment that caused the ACK, joined with what touches it; then the recent ones.</summary>
    private void AddSack(Tcb* c, uint left, uint right)
    {
        SackReport* report = ReportOf(c);
        SeqRange added = new() { Left = left, Right = right };
        int kept = 0;
        for (int i = 0; i < c->SackCount; i++)
        {
            SeqRange block = report->Blocks[i];
            if (Seq.Leq(block.Left, added.Right) && Seq.Geq(block.Right, added.Left))
            {
                added.Left = Seq.Min(added.Left, block.Left);
                added.Right = Seq.Max(added.Right, block.Right);
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

    /// <summary>Forgets the blocks that RCV.NXT has passed.</summary>
    private void PruneSacks(Tcb* c)
    {
        if (c->SackCount == 0)
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
        if (Has(c, TcbFlags.DsackPending) && Seq.Leq(left, report->Duplicate.Right) && Seq.Geq(right, report->Duplicate.Left))
        {
            report->Duplicate.Left = Seq.Min(report->Duplicate.Left, left);
            report->Duplicate.Right = Seq.Max(report->Duplicate.Right, right);
            return;
        }

        ++Mib[Seq.Lt(left, c->RcvNxt) ? TcpCounter.TCPDSACKOldSent : TcpCounter.TCPDSACKOfoSent];
        c->Flags |= TcbFlags.DsackPending;
        report->Duplicate.Left = left;
        report->Duplicate.Right = right;
    }
}
