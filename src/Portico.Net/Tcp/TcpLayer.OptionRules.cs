namespace Portico.Net;

// What is said about options without a connection: by sockets that have none yet.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Whether a value is in an option's range. Errors: EINVAL, ENOENT for an unknown congestion control.</summary>
    public static Errno CheckOption(TcpOption option, int value)
    {
        bool isValid = option switch
        {
            TcpOption.TCP_MAXSEG => value == 0 || value is >= 88 and <= 32767,
            TcpOption.TCP_KEEPIDLE or TcpOption.TCP_KEEPINTVL => value is >= 1 and <= 32767,
            TcpOption.TCP_KEEPCNT or TcpOption.TCP_SYNCNT => value is >= 1 and <= 127,
            TcpOption.TCP_USER_TIMEOUT => value >= 0,
            TcpOption.IP_MINTTL => value is >= 0 and <= 255,
            TcpOption.IP_TTL => value == -1 || value is >= 1 and <= 255,
            TcpOption.TCP_RTO_MAX_MS => value is >= RtoMaxMillisLeast and <= RtoMaxMillisMost,
            TcpOption.TCP_RTO_MIN_US or TcpOption.TCP_DELACK_MAX_US => value is >= TimeoutMinMicros and <= DelayedAckMaxMicros,
            TcpOption.TCP_THIN_LINEAR_TIMEOUTS => value is 0 or 1,
            TcpOption.TCP_DEFER_ACCEPT => value is >= 0 and <= byte.MaxValue,
            TcpOption.TCP_CONGESTION => value is >= (int)TcpCongestion.Cubic and <= (int)TcpCongestion.Bbr,
            _ => true,
        };
        return isValid ? Errno.None : option == TcpOption.TCP_CONGESTION ? Errno.ENOENT : Errno.EINVAL;
    }

    /// <summary>What an option reads as where nobody has set it.</summary>
    public int DefaultOption(TcpOption option) => option switch
    {
        TcpOption.TCP_QUICKACK => 1,
        TcpOption.TCP_MAXSEG => 536,
        TcpOption.TCP_KEEPIDLE => Settings.tcp_keepalive_time,
        TcpOption.TCP_KEEPINTVL => Settings.tcp_keepalive_intvl,
        TcpOption.TCP_KEEPCNT => Settings.tcp_keepalive_probes,
        TcpOption.TCP_SYNCNT => Settings.tcp_syn_retries,
        TcpOption.TCP_LINGER2 => Settings.tcp_fin_timeout,
        TcpOption.TCP_CONGESTION => (int)Settings.tcp_congestion_control,
        TcpOption.SO_SNDBUF => Settings.tcp_wmem.Default,
        TcpOption.SO_RCVBUF => Settings.tcp_rmem.Default,
        TcpOption.SO_LINGER => -1,
        TcpOption.TCP_RTO_MAX_MS => Settings.tcp_rto_max_ms,
        TcpOption.TCP_RTO_MIN_US => Settings.tcp_rto_min_us,
        TcpOption.TCP_DELACK_MAX_US => DelayedAckMaxMicros,
        TcpOption.IP_TTL => _stack.Ip.Options.ip_default_ttl,
        _ => 0,
    };

    /// <summary>What a value that was set reads as: buffers are doubled, and so on.</summary>
    public int EffectiveOption(TcpOption option, int value) => option switch
    {
        TcpOption.SO_SNDBUF => SendBufferBytes(value),
        TcpOption.SO_RCVBUF => ReceiveBufferBytes(value),
        TcpOption.TCP_LINGER2 => value < 0 ? -1 : value == 0 ? Settings.tcp_fin_timeout : Math.Min(value, 120),
        TcpOption.IP_TOS => value & ~3 & 0xFF,
        TcpOption.IP_TTL when value == -1 => _stack.Ip.Options.ip_default_ttl,
        TcpOption.TCP_NODELAY or TcpOption.TCP_CORK or TcpOption.SO_KEEPALIVE or TcpOption.SO_OOBINLINE or TcpOption.SO_DONTROUTE or TcpOption.TCP_QUICKACK =>
            value != 0 ? 1 : 0,
        TcpOption.TCP_WINDOW_CLAMP when value != 0 => Math.Max(value, 1152),
        TcpOption.TCP_MAXSEG when value == 0 => 536,
        _ => value,
    };

    /// <summary>SO_SNDBUF is doubled, as in Linux, for the kernel's own use of the memory.</summary>
    private int SendBufferBytes(int bytes) => Math.Max((int)Math.Min((uint)bytes, (uint)Settings.wmem_max) * 2, 4608);

    /// <summary>The same of SO_RCVBUF.</summary>
    private int ReceiveBufferBytes(int bytes) => Math.Max((int)Math.Min((uint)bytes, (uint)Settings.rmem_max) * 2, 2304);

    /// <summary>Buffers in bytes of memory, as they read; 0 leaves a buffer to choose its own size from now on.</summary>
    public void SetBuffers(TcpHandle handle, int sendBytes, int receiveBytes)
    {
        Tcb* c = Find(handle);
        if (c == null)
        {
            return;
        }

        c->SndBuf = sendBytes != 0 ? sendBytes : c->SndBuf;
        c->RcvBuf = receiveBytes != 0 ? receiveBytes : c->RcvBuf;
        SetFlag(c, TcbFlags.SendBufferLocked, sendBytes != 0);
        SetFlag(c, TcbFlags.ReceiveBufferLocked, receiveBytes != 0);
    }

    /// <summary>What connections that are accepted from now on get: all of the request but its local end, its backlog and what concerns binding.</summary>
    public void UpdateListener(TcpListenerHandle handle, in TcpListenRequest request)
    {
        Listener? listener = Find(handle);
        if (listener != null)
        {
            ref TcpListenRequest kept = ref listener.Request;
            kept = request with
            {
                Local = kept.Local,
                Binding = kept.Binding,
                Backlog = kept.Backlog,
                Ipv6Only = kept.Ipv6Only,
                ReuseAddress = kept.ReuseAddress,
                ReusePort = kept.ReusePort,
            };
        }
    }
}
