namespace Portico.Net;

// The slow timer: keepalive (RFC 9293 3.8.4) and the end of an abandoned FIN-WAIT-2.
public sealed unsafe partial class TcpLayer
{
    private uint KeepIdleMillis(Tcb* c) => (c->KeepIdleSeconds != 0 ? c->KeepIdleSeconds : (uint)Settings.tcp_keepalive_time) * 1000;

    private uint KeepIntervalMillis(Tcb* c) => (c->KeepIntervalSeconds != 0 ? c->KeepIntervalSeconds : (uint)Settings.tcp_keepalive_intvl) * 1000;

    private int KeepCount(Tcb* c) => c->KeepCountMax != 0 ? c->KeepCountMax : Settings.tcp_keepalive_probes;

    private void ArmKeepAlive(Tcb* c, uint millis)
    {
        c->KeepDeadline = NowNanos + (Math.Max(millis, 1) * 1_000_000L);
        ArmTimer(c);
    }

    private void OnKeepTimer(Tcb* c)
    {
        if (c->State == TcpState.FinWait2 && Has(c, TcbFlags.Orphan))
        {
            // The peer's FIN never came (RFC 9293 3.6, Linux's tcp_fin_timeout).
            Finish(c, Errno.None, TcpCause.FinTimeout);
            return;
        }

        if (!Has(c, TcbFlags.KeepAlive) || c->State is TcpState.SynSent or TcpState.Closed)
        {
            return;
        }

        uint idle = KeepIdleMillis(c);
        if (c->PacketsOut > 0 || HasUnsent(c))
        {
            ArmKeepAlive(c, idle);
            return;
        }

        uint silent = Math.Min(NowMillis - c->LastReceivedMillis, NowMillis - c->LastAckMillis);
        if (silent < idle)
        {
            ArmKeepAlive(c, idle - silent);
            return;
        }

        bool dead = c->UserTimeoutMillis != 0
            ? silent >= c->UserTimeoutMillis && c->ProbesOut > 0
            : c->ProbesOut >= KeepCount(c);
        if (dead)
        {
            SendResetFor(c);
            GiveUp(c, TcpCause.KeepAliveTimeout);
            return;
        }

        ++Mib[TcpCounter.TCPKeepAlive];
        SendProbe(c, PacketNotes.KeepAlive);
        c->ProbesOut++;
        ArmKeepAlive(c, KeepIntervalMillis(c));
    }

    /// <summary>Our FIN is acknowledged and nobody waits for the peer's: for tcp_fin_timeout, or TCP_LINGER2.</summary>
    private void EnterOrphanFinWait2(Tcb* c)
    {
        if (c->Linger2Seconds < 0)
        {
            SendResetFor(c);
            ++Mib[TcpCounter.TCPAbortOnLinger];
            Finish(c, Errno.None, TcpCause.Linger);
            return;
        }

        int seconds = c->Linger2Seconds > 0 ? c->Linger2Seconds : Settings.tcp_fin_timeout;
        ArmKeepAlive(c, (uint)seconds * 1000);
    }
}
