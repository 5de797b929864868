using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A TCP socket (tcp(7)): first nothing but options and perhaps a local end, then either a listener or one end of a connection of the
/// engine.
/// </summary>
internal sealed partial class InetStreamSocket : InetSocketFile
{
    private enum Stage : byte
    {
        /// <summary>Neither: made, or bound, or a connect failed.</summary>
        Idle,
        Listening,
        Connecting,

        /// <summary>There is a connection of the engine, in whatever state.</summary>
        Connected,
    }

    /// <summary>What bind and listen leave; most connections have none of it.</summary>
    private sealed class LocalEnd
    {
        public TcpBinding Binding;
        public IpAddress Address;
        public TcpListenerHandle Listener;

        /// <summary>The socket that the next accepted connection gets; made ahead, so that the connection has its owner from the start.</summary>
        public InetStreamSocket? Next;
    }

    private TcpHandle _handle;
    private LocalEnd? _local;

    /// <summary>What a connection that is gone has left for the next call.</summary>
    private short _error;
    private Stage _stage;

    /// <summary>SHUT_RD and SHUT_WR as bits, for a socket without a connection.</summary>
    private byte _shutdown;

    public InetStreamSocket(StackDriver driver, NetworkStack stack, AddressFamily family)
        : base(
            driver,
            stack,
            family,
            SocketType.SOCK_STREAM,
            (int)SocketLevel.IPPROTO_TCP,
            SocketOptionRecord.Initial(family == AddressFamily.AF_INET6, stack.Tcp.Settings.tcp_wmem.Default, stack.Tcp.Settings.tcp_rmem.Default))
    {
    }

    internal override bool WritesAll => true;

    private TcpLayer Tcp => Stack.Tcp;

    private bool HasConnection => _stage is Stage.Connecting or Stage.Connected;

    private bool IsBound => _local is { Binding.IsBound: true };

    private TcpBinding Binding => _local?.Binding ?? default;

    /// <summary>The address that bind has chosen; unspecified before that.</summary>
    private IpAddress BoundAddress => _local?.Address ?? (IsIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4);

    private LocalEnd OwnLocal => _local ??= new LocalEnd { Address = BoundAddress };

    public override SocketEvents Poll() => HasNotice ? PollStage() | SocketEvents.Error : PollStage();

    private SocketEvents PollStage()
    {
        switch (_stage)
        {
            case Stage.Listening:
                return WithNormal(Tcp.Poll(_local!.Listener));
            case Stage.Idle:
                SocketEvents events = SocketEvents.Writable | SocketEvents.WriteNormal | SocketEvents.HangUp;
                events |= _error == 0 ? SocketEvents.None : SocketEvents.Error;
                return (_shutdown & 1) == 0 ? events : events | SocketEvents.Readable | SocketEvents.ReadNormal | SocketEvents.ReadHangUp;
            default:
                SocketEvents ready = WithNormal(Tcp.Poll(_handle));
                return IsBelowLow(ready) ? ready & ~(SocketEvents.Readable | SocketEvents.ReadNormal) : ready;
        }
    }

    /// <summary>SO_RCVLOWAT: there is less to read than the program wants to hear of, and more may come.</summary>
    private bool IsBelowLow(SocketEvents ready) =>
        Generic.ReceiveLow > 1 && (ready & (SocketEvents.ReadHangUp | SocketEvents.HangUp | SocketEvents.Error)) == 0
        && Tcp.ReadableBytes(_handle) < Generic.ReceiveLow;

    public override Errno Bind(Process process, ReadOnlySpan<byte> address)
    {
        Errno error = InetAddress.ForBind(Family, IsIpv6Only, address, out Endpoint local);
        if (error != Errno.None)
        {
            return error;
        }

        bool isIpv6 = IsIpv6;
        if (isIpv6 && local.Address is { IsIpv4: false, IsMulticast: true })
        {
            return Errno.EINVAL;
        }

        // IPv4 looks at the address first, IPv6 at the socket; Linux lets IPv4 sockets have addresses that nobody can connect to.
        bool isUsable = local.Address.IsUnspecified || Stack.Ip.IsLocalAddress(local.Address)
            || (local.Address.IsIpv4 && (local.Address.IsMulticast || local.Address.IsLimitedBroadcast || Stack.Ip.IsSubnetBroadcast(local.Address))) || CanBindToAny;
        if (!isIpv6 && !isUsable)
        {
            return Errno.EADDRNOTAVAIL;
        }

        if (local.Port != 0 && local.Port < 1024 && !process.IsPrivileged)
        {
            return Errno.EACCES;
        }

        DropDeadConnection();
        if (_stage != Stage.Idle || IsBound)
        {
            return Errno.EINVAL;
        }

        if (isUsable && local.Port == 0 && Inet.Has(InetFlags.BindAddressNoPort))
        {
            // The port is left to connect, which knows the peer (IP_BIND_ADDRESS_NO_PORT).
            OwnLocal.Address = local.Address;
        }
        else
        {
            error = isUsable ? TakePort(local) : Errno.EADDRNOTAVAIL;
        }

        if (error == Errno.None && isIpv6 && local.Address is { IsIpv4: false, IsUnspecified: false })
        {
            // As in Linux: an address of IPv6 makes the socket one of IPv6 only.
            IsIpv6Only = true;
        }

        return error;
    }

    public override Errno Connect(ReadOnlySpan<byte> address)
    {
        if (address.Length < sizeof(ushort))
        {
            return Errno.EINVAL;
        }

        if (SocketAddress.Family(address) == AddressFamily.AF_UNSPEC)
        {
            return Disconnect();
        }

        switch (_stage)
        {
            case Stage.Connecting when IsConnectDeferred:
                return Errno.EISCONN;
            case Stage.Connecting:
                Errno outcome = FinishConnect();
                return outcome == Errno.EAGAIN ? Errno.EALREADY : outcome;
            case Stage.Connected or Stage.Listening:
                return Errno.EISCONN;
        }

        Errno error = InetAddress.ForPeer(Family, IsIpv6Only, address, out Endpoint remote);
        bool isDeferred = false;
        if (error == Errno.None)
        {
            error = Open(remote, address, out isDeferred);
        }

        return error == Errno.None && !isDeferred ? Errno.EINPROGRESS : error;
    }

    public override Errno FinishConnect()
    {
        if (_stage != Stage.Connecting)
        {
            return _stage == Stage.Connected ? Errno.None : Errno.ECONNABORTED;
        }

        if (IsDead())
        {
            Errno error = Tcp.TakeError(_handle);
            GiveUpConnection();
            return error == Errno.None ? Errno.ECONNABORTED : error;
        }

        NoteConnected();
        return _stage == Stage.Connected ? Errno.None : Errno.EAGAIN;
    }

    public override Errno Listen(int backlog)
    {
        if (_stage == Stage.Listening)
        {
            return Tcp.SetBacklog(_local!.Listener, backlog);
        }

        if (_stage != Stage.Idle)
        {
            return Errno.EINVAL;
        }

        Errno error = IsBound ? Errno.None : TakePort(new Endpoint(BoundAddress, 0));
        if (error != Errno.None)
        {
            return error;
        }

        error = Tcp.Listen(ListenRequest(backlog), this, out _local!.Listener);
        _stage = error == Errno.None ? Stage.Listening : Stage.Idle;
        UpdateFastOpen();
        UpdateSignatureKeys();
        UpdateFilter();
        return error;
    }

    public override Errno CheckAccept() => _stage == Stage.Listening ? Errno.None : Errno.EINVAL;

    public override Errno Accept(out SocketFile? accepted)
    {
        accepted = null;
        if (_stage != Stage.Listening)
        {
            return Errno.EINVAL;
        }

        InetStreamSocket owner = _local!.Next ??= new InetStreamSocket(Driver, Stack, Family);
        Errno error = Tcp.Accept(_local.Listener, owner, out TcpHandle handle);
        if (error != Errno.None)
        {
            return error;
        }

        _local.Next = null;
        owner._handle = handle;
        owner._stage = Stage.Connected;
        owner.InheritOptions(this);
        accepted = owner;
        return Errno.None;
    }

    public override Errno GetAcceptedPeer(Span<byte> address, out int length)
    {
        Tcp.GetEndpoints(_handle, out _, out Endpoint remote);
        length = SocketAddress.Write(address, Family, remote);
        return Errno.None;
    }

    public override Errno GetName(bool ofPeer, Span<byte> address, out int length)
    {
        Endpoint local = GetLocal();
        Endpoint remote = default;
        if (HasConnection)
        {
            Tcp.GetEndpoints(_handle, out _, out remote);
        }

        length = 0;
        if (ofPeer && !IsPeerKnown())
        {
            return Errno.ENOTCONN;
        }

        length = ofPeer ? WritePeer(address, remote) : SocketAddress.Write(address, Family, local);
        return Errno.None;
    }

    public override Errno Shutdown(ShutdownHow how)
    {
        switch (_stage)
        {
            case Stage.Idle:
                // Remembered although it is an error, as in Linux.
                _shutdown |= (byte)((int)how + 1);
                return Errno.ENOTCONN;
            case Stage.Listening:
                if (how != ShutdownHow.SHUT_WR)
                {
                    StopListening();
                    Waiters.NotifyAll(Driver);
                }

                return Errno.None;
            case Stage.Connecting when !IsDead() && !NoteConnected():
                GiveUpConnection();
                _error = (short)Errno.ECONNRESET;
                Waiters.NotifyAll(Driver);
                return Errno.None;
            default:
                return Tcp.Shutdown(_handle, (TcpShutdown)how);
        }
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request is not (IoctlRequest.FIONREAD or IoctlRequest.SIOCOUTQ or IoctlRequest.SIOCATMARK))
        {
            return AnswerRequest(request, argument);
        }

        if (_stage == Stage.Listening && request != IoctlRequest.SIOCATMARK)
        {
            return Errno.EINVAL;
        }

        int value = !HasConnection ? 0 : request switch
        {
            IoctlRequest.FIONREAD => Tcp.ReadableBytes(_handle),
            IoctlRequest.SIOCOUTQ => Tcp.UnacknowledgedBytes(_handle),
            _ => Tcp.IsAtMark(_handle) ? 1 : 0,
        };
        return MemoryMarshal.TryWrite(argument, value) ? Errno.None : Errno.EFAULT;
    }

    internal override void OnReleased(OpenFileDescription description)
    {
        if (_stage == Stage.Listening)
        {
            StopListening();
        }
        else if (HasConnection)
        {
            if (Generic.Has(GenericFlags.Linger) && description.Kernel.MayLinger && Tcp.BeginClose(_handle))
            {
                description.Kernel.Lingering.Add(this);
                return;
            }

            Tcp.Close(_handle);
        }

        ReleaseBinding();
    }

    /// <summary>How long the last close waits for what is on its way (SO_LINGER).</summary>
    internal TimeSpan LingerTime => Generic.LingerSeconds > int.MaxValue ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(Generic.LingerSeconds);

    /// <summary>Whether there is still something to wait for.</summary>
    internal bool IsClosing => Tcp.IsClosing(_handle);

    /// <summary>The last close has waited, and the connection goes on by itself, if it is not over.</summary>
    internal void EndLinger()
    {
        Tcp.Close(_handle);
        ReleaseBinding();
    }

    private void ReleaseBinding()
    {
        if (IsBound)
        {
            Tcp.Release(_local!.Binding);
            _local.Binding = default;
        }
    }

    private Errno TakePort(in Endpoint local)
    {
        TcpBindRequest request = new()
        {
            Local = local,
            ReuseAddress = Generic.Has(GenericFlags.ReuseAddress),
            ReusePort = Generic.Has(GenericFlags.ReusePort),
            Ipv6Only = IsIpv6Only,
            InterfaceIndex = Generic.InterfaceIndex,
            AnyAddress = CanBindToAny,
            RangeFirst = (ushort)Inet.LocalPortRange,
            RangeLast = (ushort)(Inet.LocalPortRange >> 16),
        };
        Errno error = Tcp.Bind(request, out TcpBinding binding);
        if (error == Errno.None)
        {
            OwnLocal.Binding = binding;
            OwnLocal.Address = local.Address;
        }

        return error;
    }

    /// <summary>connect(2) with AF_UNSPEC: the socket is as it was before, and a connection is reset.</summary>
    private Errno Disconnect()
    {
        if (_stage == Stage.Listening)
        {
            StopListening();
        }
        else if (HasConnection)
        {
            Tcp.GetInfo(_handle, out TcpInfo info);
            Errno left = Tcp.TakeError(_handle);
            bool isReset = info.State is TcpState.Established or TcpState.CloseWait or TcpState.FinWait1 or TcpState.FinWait2
                or TcpState.SynReceived or TcpState.SynSent;
            _error = (short)(isReset ? Errno.ECONNRESET : left);
            GiveUpConnection();
        }

        _shutdown = 0;
        return Errno.None;
    }

    private void GiveUpConnection()
    {
        Tcp.Abort(_handle);
        _stage = Stage.Idle;
    }

    /// <summary>The engine has given the connection up: refused, reset, or ended by both.</summary>
    private bool IsDead() => Tcp.GetInfo(_handle, out TcpInfo info) != Errno.None || info.State == TcpState.Closed;

    private bool NoteConnected()
    {
        if (_stage == Stage.Connecting && Tcp.GetInfo(_handle, out TcpInfo info) == Errno.None
            && info.State is not (TcpState.Closed or TcpState.SynSent or TcpState.SynReceived))
        {
            _stage = Stage.Connected;
        }

        return _stage == Stage.Connected;
    }

    /// <summary>A connection that is gone has given its port back, and bind may take another.</summary>
    private void DropDeadConnection()
    {
        if (HasConnection && !IsBound && IsDead())
        {
            _error = (short)Tcp.TakeError(_handle);
            _shutdown = 3;
            GiveUpConnection();
        }
    }

    private void StopListening()
    {
        Tcp.Close(_local!.Listener);
        _stage = Stage.Idle;
    }

    private bool IsPeerKnown() => HasConnection && NoteConnected() && !IsDead();
}
