using System.Runtime.InteropServices;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt and setsockopt of TCP sockets. Options that are set before there is a connection wait for it, and those of a listener pass
// on to what it accepts.
internal sealed partial class InetStreamSocket
{
    private const int CongestionNameBytes = 16;
    private const int FastOpenKeyBytes = 16;
    private const int InitialTimeoutSeconds = 1;
    private const int RtoMaxSeconds = 120;

    /// <summary>What has been set for the level IPPROTO_TCP, to be written to.</summary>
    private TcpOptionValues OwnTcp => OwnOptions.Tcp ??= new TcpOptionValues();

    protected override bool IsListening => _stage == Stage.Listening;

    protected override bool IsEstablished => IsPeerKnown();

    protected override bool CanNumberTimestamps => HasConnection;

    protected override int ReceivedTos => HasConnection ? Info().ReceivedTrafficClass : 0;

    protected override int EcnMark => HasConnection ? Get(TcpOption.IP_TOS) & EcnMask : 0;

    protected override int LocalNumber => GetLocal().Port;

    protected override IpAddress LocalAddress => GetLocal().Address;

    protected override int SendBuffer => HasConnection ? Get(TcpOption.SO_SNDBUF) : Generic.SendBuffer;

    protected override int ReceiveBuffer => HasConnection ? Get(TcpOption.SO_RCVBUF) : Generic.ReceiveBuffer;

    /// <summary>What the program has asked for, as setsockopt takes it; 0 where the buffer chooses its own size.</summary>
    private int ChosenSendBuffer => (Generic.BufferLocks & 1) != 0 ? Generic.SendBuffer / 2 : 0;

    private int ChosenReceiveBuffer => (Generic.BufferLocks & 2) != 0 ? Generic.ReceiveBuffer / 2 : 0;

    protected override Errno GetPathMtu(out int mtu)
    {
        mtu = (int)Info().PathMtu;
        if (HasConnection)
        {
            // A packet of IPv4 cannot be larger, whatever the link takes.
            Tcp.GetEndpoints(_handle, out _, out Endpoint remote);
            mtu = remote.Address.IsIpv4 ? Math.Min(mtu, ushort.MaxValue) : mtu;
        }

        return mtu == 0 ? Errno.ENOTCONN : Errno.None;
    }

    protected override Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        if (level != (int)SocketLevel.IPPROTO_TCP)
        {
            return base.GetProtocolOption(level, option, value, out length);
        }

        length = 0;
        switch ((TcpOptionNumber)option)
        {
            case TcpOptionNumber.TCP_CONGESTION:
                Span<byte> name = stackalloc byte[CongestionNameBytes];
                name.Clear();
                Encoding.ASCII.GetBytes(CongestionSysctls.NameOf((TcpCongestion)Get(TcpOption.TCP_CONGESTION)), name);
                return Return(name, value, out length);
            case TcpOptionNumber.TCP_INFO:
                Span<byte> info = stackalloc byte[TcpInfoStructure.Bytes];
                TcpInfoStructure.Write(info, Info());
                return Return(info, value, out length);
            case TcpOptionNumber.TCP_FASTOPEN_KEY when Options.Tcp is { FastOpenKey: { } key }:
                return Return(key, value, out length);
            case TcpOptionNumber.TCP_SAVED_SYN when HasConnection:
                return Tcp.TakeSavedSyn(_handle, value, out length);
            case TcpOptionNumber.TCP_ULP or TcpOptionNumber.TCP_FASTOPEN_KEY or TcpOptionNumber.TCP_SAVED_SYN:
                // There is none.
                return Errno.None;
            default:
                return GetNumber((TcpOptionNumber)option) is int number ? Return(number, value, out length) : Errno.ENOPROTOOPT;
        }
    }

    protected override Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        if (level != (int)SocketLevel.IPPROTO_TCP)
        {
            return base.SetProtocolOption(process, level, option, value);
        }

        switch ((TcpOptionNumber)option)
        {
            case TcpOptionNumber.TCP_CONGESTION:
                return SetCongestion(process, value);
            case TcpOptionNumber.TCP_ULP:
                return value.IsEmpty ? Errno.EINVAL : Errno.ENOENT;
            case TcpOptionNumber.TCP_MD5SIG or TcpOptionNumber.TCP_MD5SIG_EXT:
                return SetSignatureKey(value, isExtended: (TcpOptionNumber)option == TcpOptionNumber.TCP_MD5SIG_EXT);
            case TcpOptionNumber.TCP_FASTOPEN_KEY:
                if (value.Length is not (FastOpenKeyBytes or 2 * FastOpenKeyBytes))
                {
                    return Errno.EINVAL;
                }

                OwnTcp.FastOpenKey = value.ToArray();
                UpdateFastOpen();
                return Errno.None;
            default:
                return value.Length < sizeof(int) ? Errno.EINVAL : SetNumber((TcpOptionNumber)option, MemoryMarshal.Read<int>(value));
        }
    }

    protected override void OnGenericChanged(SocketOption option)
    {
        switch (option)
        {
            case SocketOption.SO_REUSEADDR or SocketOption.SO_REUSEPORT or SocketOption.SO_BINDTODEVICE or SocketOption.SO_BINDTOIFINDEX:
                UpdateBinding();
                break;
            case SocketOption.SO_SNDBUF or SocketOption.SO_SNDBUFFORCE or SocketOption.SO_RCVBUF or SocketOption.SO_RCVBUFFORCE
                or SocketOption.SO_BUF_LOCK:
                UpdateBuffers();
                break;
            case SocketOption.SO_TIMESTAMPING or SocketOption.SO_TIMESTAMPING_NEW:
                UpdateTimestamping();
                break;
            case SocketOption.SO_KEEPALIVE:
                Set(TcpOption.SO_KEEPALIVE, Generic.Has(GenericFlags.KeepAlive) ? 1 : 0);
                break;
            case SocketOption.SO_DONTROUTE:
                Set(TcpOption.SO_DONTROUTE, Generic.Has(GenericFlags.DontRoute) ? 1 : 0);
                break;
            case SocketOption.SO_OOBINLINE:
                Set(TcpOption.SO_OOBINLINE, Generic.Has(GenericFlags.OobInline) ? 1 : 0);
                break;
            case SocketOption.SO_TXREHASH:
                Set(TcpOption.SO_TXREHASH, Generic.Rehash);
                break;
            case SocketOption.SO_MAX_PACING_RATE:
                UpdatePacing();
                break;
            case SocketOption.SO_LINGER:
                Set(TcpOption.SO_LINGER, Generic.Has(GenericFlags.Linger) ? (int)Math.Min(Generic.LingerSeconds, short.MaxValue) : -1);
                break;
        }
    }

    protected override void OnIpChanged(IpOption option)
    {
        if (option is IpOption.IP_TTL or IpOption.IP_TOS or IpOption.IP_MINTTL)
        {
            UpdateHeader();
            UpdateListener();
        }
    }

    protected override void OnIpv6Changed(Ipv6Option option)
    {
        if (option is Ipv6Option.IPV6_UNICAST_HOPS or Ipv6Option.IPV6_TCLASS or Ipv6Option.IPV6_MINHOPCOUNT)
        {
            UpdateHeader();
            UpdateListener();
        }
        else if (option == Ipv6Option.IPV6_AUTOFLOWLABEL)
        {
            Set(TcpOption.IPV6_AUTOFLOWLABEL, Inet.Has(InetFlags.Ipv6AutoFlowLabel) ? 1 : 0);
        }
    }

    /// <summary>At most half of the receive buffer.</summary>
    protected override int BoundReceiveLow(int bytes) =>
        Math.Min(bytes, (Generic.BufferLocks & 2) != 0 ? ReceiveBuffer / 2 : Tcp.Settings.tcp_rmem.Max / 2);

    private static TcpOption? ToEngine(TcpOptionNumber option) => option switch
    {
        TcpOptionNumber.TCP_NODELAY => TcpOption.TCP_NODELAY,
        TcpOptionNumber.TCP_MAXSEG => TcpOption.TCP_MAXSEG,
        TcpOptionNumber.TCP_CORK => TcpOption.TCP_CORK,
        TcpOptionNumber.TCP_KEEPIDLE => TcpOption.TCP_KEEPIDLE,
        TcpOptionNumber.TCP_KEEPINTVL => TcpOption.TCP_KEEPINTVL,
        TcpOptionNumber.TCP_KEEPCNT => TcpOption.TCP_KEEPCNT,
        TcpOptionNumber.TCP_SYNCNT => TcpOption.TCP_SYNCNT,
        TcpOptionNumber.TCP_LINGER2 => TcpOption.TCP_LINGER2,
        TcpOptionNumber.TCP_WINDOW_CLAMP => TcpOption.TCP_WINDOW_CLAMP,
        TcpOptionNumber.TCP_QUICKACK => TcpOption.TCP_QUICKACK,
        TcpOptionNumber.TCP_USER_TIMEOUT => TcpOption.TCP_USER_TIMEOUT,
        TcpOptionNumber.TCP_NOTSENT_LOWAT => TcpOption.TCP_NOTSENT_LOWAT,
        TcpOptionNumber.TCP_RTO_MAX_MS => TcpOption.TCP_RTO_MAX_MS,
        TcpOptionNumber.TCP_RTO_MIN_US => TcpOption.TCP_RTO_MIN_US,
        TcpOptionNumber.TCP_DELACK_MAX_US => TcpOption.TCP_DELACK_MAX_US,
        TcpOptionNumber.TCP_THIN_LINEAR_TIMEOUTS => TcpOption.TCP_THIN_LINEAR_TIMEOUTS,
        _ => null,
    };

    private int? GetNumber(TcpOptionNumber option)
    {
        if (ToEngine(option) is { } known)
        {
            return Get(known);
        }

        return option switch
        {
            TcpOptionNumber.TCP_DEFER_ACCEPT => RetransmissionsToSeconds(Options.Tcp?.DeferAccept ?? 0),
            TcpOptionNumber.TCP_THIN_DUPACK or TcpOptionNumber.TCP_REPAIR or TcpOptionNumber.TCP_IS_MPTCP => 0,
            TcpOptionNumber.TCP_FASTOPEN => _stage == Stage.Listening ? Tcp.FastOpenQueueMax(_local!.Listener) : Options.Tcp?.FastOpenQueue ?? 0,
            TcpOptionNumber.TCP_TIMESTAMP => (int)(uint)(Stack.Engine.Now.Nanoseconds / 1_000_000),
            TcpOptionNumber.TCP_SAVE_SYN => Options.Tcp?.SaveSyn ?? 0,
            TcpOptionNumber.TCP_FASTOPEN_CONNECT => Options.Tcp is { FastOpenConnect: true } ? 1 : 0,
            TcpOptionNumber.TCP_FASTOPEN_NO_COOKIE => Options.Tcp is { FastOpenNoCookie: true } ? 1 : 0,
            TcpOptionNumber.TCP_INQ => Options.Tcp is { TellsQueueLength: true } ? 1 : 0,
            _ => null,
        };
    }

    private Errno SetNumber(TcpOptionNumber option, int number)
    {
        if (ToEngine(option) is { } known)
        {
            bool liftsClamp = option == TcpOptionNumber.TCP_WINDOW_CLAMP && number == 0;
            return liftsClamp && _stage != Stage.Idle ? Errno.EINVAL : Set(known, InTicks(known, number));
        }

        TcpOptionValues options = OwnTcp;
        bool isBool = number is 0 or 1;
        switch (option)
        {
            case TcpOptionNumber.TCP_DEFER_ACCEPT:
                options.DeferAccept = SecondsToRetransmissions(number);
                if (HasConnection)
                {
                    Tcp.SetOption(_handle, TcpOption.TCP_DEFER_ACCEPT, options.DeferAccept);
                }

                UpdateListener();
                return Errno.None;
            case TcpOptionNumber.TCP_THIN_DUPACK when isBool:
                return Errno.None;
            case TcpOptionNumber.TCP_REPAIR or TcpOptionNumber.TCP_TIMESTAMP:
                return Errno.EPERM;
            case TcpOptionNumber.TCP_FASTOPEN when number >= 0 && !HasConnection:
                options.FastOpenQueue = Math.Min(number, Tcp.Settings.somaxconn);
                UpdateFastOpen();
                return Errno.None;
            case TcpOptionNumber.TCP_SAVE_SYN when number is >= 0 and <= 2:
                options.SaveSyn = (byte)number;
                UpdateListener();
                return Errno.None;
            case TcpOptionNumber.TCP_FASTOPEN_CONNECT when isBool && (Tcp.Settings.tcp_fastopen & FastOpenClient) == 0:
                return Errno.EOPNOTSUPP;
            case TcpOptionNumber.TCP_FASTOPEN_CONNECT when isBool && _stage == Stage.Idle:
                options.FastOpenConnect = number != 0;
                return Errno.None;
            case TcpOptionNumber.TCP_FASTOPEN_NO_COOKIE when isBool && !HasConnection:
                options.FastOpenNoCookie = number != 0;
                UpdateFastOpen();
                return Errno.None;
            case TcpOptionNumber.TCP_INQ when isBool:
                options.TellsQueueLength = number != 0;
                return Errno.None;
            case TcpOptionNumber.TCP_THIN_DUPACK or TcpOptionNumber.TCP_FASTOPEN or TcpOptionNumber.TCP_SAVE_SYN
                or TcpOptionNumber.TCP_FASTOPEN_CONNECT or TcpOptionNumber.TCP_FASTOPEN_NO_COOKIE or TcpOptionNumber.TCP_INQ:
                return Errno.EINVAL;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    /// <summary>The one that the socket has already everybody may choose; others as net.ipv4.tcp_allowed_congestion_control says.</summary>
    private Errno SetCongestion(Process process, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return Errno.EINVAL;
        }

        value = value[..Math.Min(value.Length, CongestionNameBytes - 1)];
        int end = value.IndexOf((byte)0);
        if (CongestionSysctls.Find(Encoding.ASCII.GetString(end < 0 ? value : value[..end])) is not { } algorithm)
        {
            return Errno.ENOENT;
        }

        bool isAllowed = process.IsPrivileged || algorithm == (TcpCongestion)Get(TcpOption.TCP_CONGESTION)
            || Tcp.Settings.tcp_allowed_congestion_control.Contains(algorithm);
        return isAllowed ? Set(TcpOption.TCP_CONGESTION, (int)algorithm) : Errno.EPERM;
    }

    /// <summary>Linux counts some times in ticks of its clock, rounded up; a value that is out of range stays so.</summary>
    private static int InTicks(TcpOption option, int number) => option switch
    {
        TcpOption.TCP_RTO_MAX_MS when number is >= 1000 and <= RtoMaxSeconds * 1000 => RoundUp(number, 1000 / GenericOptions.JiffiesPerSecond),
        TcpOption.TCP_RTO_MIN_US or TcpOption.TCP_DELACK_MAX_US when number is > 0 and < 1_000_000 =>
            RoundUp(number, 1_000_000 / GenericOptions.JiffiesPerSecond),
        _ => number,
    };

    private static int RoundUp(int number, int step) => (number + step - 1) / step * step;

    /// <summary>How many times a SYN-ACK is repeated in a time (secs_to_retrans).</summary>
    private static byte SecondsToRetransmissions(int seconds)
    {
        if (seconds <= 0)
        {
            return 0;
        }

        int count = 1;
        int timeout = InitialTimeoutSeconds;
        for (int period = timeout; seconds > period && count < byte.MaxValue; period += timeout)
        {
            count++;
            timeout = Math.Min(timeout * 2, RtoMaxSeconds);
        }

        return (byte)count;
    }

    /// <summary>And back.</summary>
    private static int RetransmissionsToSeconds(int count)
    {
        int timeout = InitialTimeoutSeconds;
        int period = count > 0 ? timeout : 0;
        for (; count > 1; count--)
        {
            timeout = Math.Min(timeout * 2, RtoMaxSeconds);
            period += timeout;
        }

        return period;
    }

    private int Get(TcpOption option)
    {
        if (HasConnection)
        {
            Tcp.GetOption(_handle, option, out int value);
            return value;
        }

        return Options.Tcp is { } chosen && chosen.TryGet(option, out int set) ? Tcp.EffectiveOption(option, set) : Tcp.DefaultOption(option);
    }

    private Errno Set(TcpOption option, int value)
    {
        Errno error = HasConnection ? Tcp.SetOption(_handle, option, value) : TcpLayer.CheckOption(option, value);
        if (error == Errno.None && !HasConnection)
        {
            OwnTcp.Set(option, value);
            UpdateBuffers();
        }

        return error;
    }

    /// <summary>An accepted socket has all that its listener has.</summary>
    private void InheritOptions(InetStreamSocket listener)
    {
        Options = listener.Options.ForAccepted();
        InheritSignatureKeys();
        InheritTrafficClass();
        ApplyOptions();
    }

    /// <summary>The connection has had it since the SYN: the listener's of then, or the SYN's own (net.ipv4.tcp_reflect_tos).</summary>
    private void InheritTrafficClass()
    {
        Tcp.GetEndpoints(_handle, out _, out Endpoint remote);
        byte given = (byte)(Get(TcpOption.IP_TOS) & ~EcnMask);
        if (remote.Address.IsIpv4 && given != Inet.Tos)
        {
            OwnInet.Tos = given;
        }
        else if (!remote.Address.IsIpv4 && given != Inet.TrafficClass)
        {
            OwnInet.TrafficClass = given;
        }
    }

    private void ApplyOptions()
    {
        Options.Tcp?.ApplyTo(Tcp, _handle);
        UpdateSignatureKeys();
        UpdateFilter();
        UpdateBuffers();
        UpdateHeader();
        UpdatePacing();
        if (Generic.Timestamping != TimestampingFlags.None)
        {
            UpdateTimestamping();
        }
    }

    private void UpdatePacing()
    {
        if (HasConnection && Generic.Has(GenericFlags.Paced))
        {
            Tcp.SetPacing(_handle, Generic.PacingRate);
        }
    }

    private void UpdateTimestamping()
    {
        if (HasConnection)
        {
            Tcp.SetTimestamping(_handle, Generic.Timestamping);
        }
    }

    /// <summary>TTL and type of service, which IPv6 has under names of its own.</summary>
    private void UpdateHeader()
    {
        if (HasConnection)
        {
            Tcp.GetEndpoints(_handle, out _, out Endpoint remote);
            Tcp.SetOption(_handle, TcpOption.IP_TTL, remote.Address.IsIpv4 ? Inet.Ttl : Inet.HopLimit);
            Tcp.SetOption(_handle, TcpOption.IP_MINTTL, remote.Address.IsIpv4 ? Inet.MinTtl : Inet.MinHopCount);
            Tcp.SetOption(_handle, TcpOption.IP_TOS, remote.Address.IsIpv4 ? Inet.Tos : Inet.TrafficClass);
        }
    }

    protected override SocketFilter? Filter
    {
        get => Options.Tcp?.Filter;
        set
        {
            OwnTcp.Filter = value;
            UpdateFilter();
        }
    }

    private void UpdateFilter()
    {
        if (HasConnection)
        {
            Tcp.AttachFilter(_handle, Filter);
        }
        else if (_stage == Stage.Listening)
        {
            Tcp.AttachFilter(_local!.Listener, Filter);
        }
    }

    private void UpdateBuffers()
    {
        if (HasConnection)
        {
            Tcp.SetBuffers(_handle, ChosenSendBuffer == 0 ? 0 : Generic.SendBuffer, ChosenReceiveBuffer == 0 ? 0 : Generic.ReceiveBuffer);
        }
        else
        {
            UpdateListener();
        }
    }

    /// <summary>What is set on a listener is told to the engine, for the connections to come.</summary>
    private void UpdateListener()
    {
        if (_stage == Stage.Listening)
        {
            Tcp.UpdateListener(_local!.Listener, ListenRequest(0));
        }
    }

    private TcpListenRequest ListenRequest(int backlog)
    {
        TcpOptionValues? values = Options.Tcp;
        return new TcpListenRequest
        {
            Local = new Endpoint(BoundAddress, Binding.Port),
            Binding = Binding,
            Backlog = backlog,
            Ipv6Only = IsIpv6Only,
            ReuseAddress = Generic.Has(GenericFlags.ReuseAddress),
            ReusePort = Generic.Has(GenericFlags.ReusePort),
            InterfaceIndex = Generic.InterfaceIndex,
            SendBufferBytes = ChosenSendBuffer,
            ReceiveBufferBytes = ChosenReceiveBuffer,
            SegmentBytesMax = values?[TcpOption.TCP_MAXSEG] ?? 0,
            DeferAcceptTimeouts = values?.DeferAccept ?? 0,
            AutoFlowLabel = values == null || !values.TryGet(TcpOption.IPV6_AUTOFLOWLABEL, out int label) ? 0 : label != 0 ? 1 : -1,
            TypeOfService = Inet.Tos,
            TrafficClass = Inet.TrafficClass,
            SaveSyn = values?.SaveSyn ?? 0,
            SynRetriesMax = values?[TcpOption.TCP_SYNCNT] ?? 0,
            RtoMaxMillis = values?[TcpOption.TCP_RTO_MAX_MS] ?? 0,
            RtoMinMicros = values?[TcpOption.TCP_RTO_MIN_US] ?? 0,
            DelayedAckMaxMicros = values?[TcpOption.TCP_DELACK_MAX_US] ?? 0,
        };
    }

    private void UpdateBinding()
    {
        if (IsBound)
        {
            bool sharesAddress = Generic.Has(GenericFlags.ReuseAddress);
            Tcp.Update(Binding, BoundAddress, sharesAddress, Generic.Has(GenericFlags.ReusePort), Generic.InterfaceIndex);
        }

        UpdateBuffers();
    }

    protected override Errno TakeError()
    {
        if (HasConnection)
        {
            return Tcp.TakeError(_handle);
        }

        Errno left = (Errno)_error;
        _error = 0;
        return left;
    }

    private TcpInfo Info()
    {
        TcpInfo info = new()
        {
            State = _stage == Stage.Listening ? TcpState.Listen : TcpState.Closed,
            PacingRate = Generic.PacingRate,
            PacingRateMax = Generic.PacingRate,
        };
        if (HasConnection)
        {
            Tcp.GetInfo(_handle, out info);
        }

        return info;
    }

    private Endpoint GetLocal()
    {
        Endpoint local = new(BoundAddress, Binding.Port);
        if (HasConnection)
        {
            Tcp.GetEndpoints(_handle, out local, out _);
        }

        return local;
    }
}
