using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt and setsockopt of TCP sockets. Options that are set before there is a connection wait for it, and those of a listener pass
// on to what it accepts.
internal sealed partial class InetStreamSocket
{
    private const int TCP_INFO = 11;
    private const int TCP_CONGESTION = 13;
    private const int IPV6_V6ONLY = 26;

    /// <summary>What was set before there was a connection.</summary>
    private sealed class Options
    {
        private const int Count = (int)TcpOption.IP_TOS + 1;
        private readonly int[] _values = new int[Count];
        private uint _set;

        public bool ReuseAddress { get; set; }

        public bool ReusePort { get; set; }

        public bool Ipv6Only { get; set; }

        public int InterfaceIndex { get; set; }

        public int SendBufferBytes => TryGet(TcpOption.SO_SNDBUF, out int bytes) ? bytes : 0;

        public int ReceiveBufferBytes => TryGet(TcpOption.SO_RCVBUF, out int bytes) ? bytes : 0;

        public bool TryGet(TcpOption option, out int value)
        {
            value = _values[(int)option];
            return (_set & (1u << (int)option)) != 0;
        }

        public void Set(TcpOption option, int value)
        {
            _values[(int)option] = value;
            _set |= 1u << (int)option;
        }

        /// <summary>A copy for an accepted connection.</summary>
        public Options Inherit()
        {
            Options copy = new() { ReuseAddress = ReuseAddress, ReusePort = ReusePort, Ipv6Only = Ipv6Only, InterfaceIndex = InterfaceIndex };
            _values.CopyTo(copy._values, 0);
            copy._set = _set;
            return copy;
        }

        public void ApplyTo(TcpLayer tcp, TcpHandle handle)
        {
            for (int i = 0; i < Count; i++)
            {
                // Buffers are given when the connection is opened: the window is chosen by them.
                if ((_set & (1u << i)) != 0 && (TcpOption)i is not (TcpOption.SO_SNDBUF or TcpOption.SO_RCVBUF))
                {
                    tcp.SetOption(handle, (TcpOption)i, _values[i]);
                }
            }
        }
    }

    private Options? _options;

    public override Errno GetOption(int level, int option, Span<byte> value, out int length)
    {
        switch (level, option)
        {
            case ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER):
                int seconds = Get(TcpOption.SO_LINGER);
                ReadOnlySpan<int> linger = [seconds >= 0 ? 1 : 0, Math.Max(seconds, 0)];
                return Return(System.Runtime.InteropServices.MemoryMarshal.AsBytes(linger), value, out length);
            case ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_BINDTODEVICE):
                return GetDevice(value, out length);
            case ((int)SocketLevel.IPPROTO_TCP, TCP_CONGESTION):
                Span<byte> name = stackalloc byte[16];
                name.Clear();
                Encoding.ASCII.GetBytes(Get(TcpOption.TCP_CONGESTION) == (int)TcpCongestion.Reno ? "reno" : "cubic", name);
                return Return(name, value, out length);
            case ((int)SocketLevel.IPPROTO_TCP, TCP_INFO):
                Span<byte> info = stackalloc byte[TcpInfoStructure.Bytes];
                TcpInfoStructure.Write(info, Info());
                return Return(info, value, out length);
            default:
                return base.GetOption(level, option, value, out length);
        }
    }

    public override Errno SetOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        switch (level, option)
        {
            case ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_LINGER):
                return value.Length < 8
                    ? Errno.EINVAL
                    : Set(TcpOption.SO_LINGER, BitConverter.ToInt32(value) == 0 ? -1 : Math.Max(0, BitConverter.ToInt32(value[4..])));
            case ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_BINDTODEVICE):
                return SetDevice(value);
            case ((int)SocketLevel.IPPROTO_TCP, TCP_CONGESTION):
                int end = value.IndexOf((byte)0);
                return Encoding.ASCII.GetString(end < 0 ? value : value[..end]) switch
                {
                    _ when value.IsEmpty => Errno.EINVAL,
                    "cubic" => Set(TcpOption.TCP_CONGESTION, (int)TcpCongestion.Cubic),
                    "reno" => Set(TcpOption.TCP_CONGESTION, (int)TcpCongestion.Reno),
                    _ => Errno.ENOENT,
                };
            default:
                return base.SetOption(process, level, option, value);
        }
    }

    protected override Errno GetInteger(int level, int option, out int value)
    {
        value = 0;
        if (TryTranslate(level, option, out TcpOption known))
        {
            value = Get(known);
            return Errno.None;
        }

        switch (level, (SocketOption)option)
        {
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_ERROR):
                value = (int)TakeError();
                return Errno.None;
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_ACCEPTCONN):
                value = _stage == Stage.Listening ? 1 : 0;
                return Errno.None;
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_REUSEADDR):
                value = _options is { ReuseAddress: true } ? 1 : 0;
                return Errno.None;
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_REUSEPORT):
                value = _options is { ReusePort: true } ? 1 : 0;
                return Errno.None;
            case ((int)SocketLevel.IPPROTO_IPV6, (SocketOption)IPV6_V6ONLY) when Family == AddressFamily.AF_INET6:
                value = _options is { Ipv6Only: true } ? 1 : 0;
                return Errno.None;
            default:
                return base.GetInteger(level, option, out value);
        }
    }

    protected override Errno SetInteger(Process process, int level, int option, int value)
    {
        if (TryTranslate(level, option, out TcpOption known))
        {
            return Set(known, value);
        }

        _options ??= new Options();
        switch (level, (SocketOption)option)
        {
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_REUSEADDR):
                _options.ReuseAddress = value != 0;
                return UpdateBinding();
            case ((int)SocketLevel.SOL_SOCKET, SocketOption.SO_REUSEPORT):
                _options.ReusePort = value != 0;
                return UpdateBinding();
            case ((int)SocketLevel.IPPROTO_IPV6, (SocketOption)IPV6_V6ONLY) when Family == AddressFamily.AF_INET6:
                // Too late once there is a local end.
                if (_binding.IsBound || _stage != Stage.Idle)
                {
                    return Errno.EINVAL;
                }

                _options.Ipv6Only = value != 0;
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private static bool TryTranslate(int level, int option, out TcpOption known)
    {
        TcpOption? found = (level, option) switch
        {
            ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_KEEPALIVE) => TcpOption.SO_KEEPALIVE,
            ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_SNDBUF) => TcpOption.SO_SNDBUF,
            ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RCVBUF) => TcpOption.SO_RCVBUF,
            ((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_OOBINLINE) => TcpOption.SO_OOBINLINE,
            ((int)SocketLevel.IPPROTO_TCP, 1) => TcpOption.TCP_NODELAY,
            ((int)SocketLevel.IPPROTO_TCP, 2) => TcpOption.TCP_MAXSEG,
            ((int)SocketLevel.IPPROTO_TCP, 3) => TcpOption.TCP_CORK,
            ((int)SocketLevel.IPPROTO_TCP, 4) => TcpOption.TCP_KEEPIDLE,
            ((int)SocketLevel.IPPROTO_TCP, 5) => TcpOption.TCP_KEEPINTVL,
            ((int)SocketLevel.IPPROTO_TCP, 6) => TcpOption.TCP_KEEPCNT,
            ((int)SocketLevel.IPPROTO_TCP, 7) => TcpOption.TCP_SYNCNT,
            ((int)SocketLevel.IPPROTO_TCP, 8) => TcpOption.TCP_LINGER2,
            ((int)SocketLevel.IPPROTO_TCP, 10) => TcpOption.TCP_WINDOW_CLAMP,
            ((int)SocketLevel.IPPROTO_TCP, 12) => TcpOption.TCP_QUICKACK,
            ((int)SocketLevel.IPPROTO_TCP, 18) => TcpOption.TCP_USER_TIMEOUT,
            ((int)SocketLevel.IPPROTO_IP, 1) => TcpOption.IP_TOS,
            ((int)SocketLevel.IPPROTO_IP, 2) => TcpOption.IP_TTL,
            _ => null,
        };
        known = found ?? default;
        return found != null;
    }

    private int Get(TcpOption option)
    {
        if (HasConnection)
        {
            Tcp.GetOption(_handle, option, out int value);
            return value;
        }

        return _options != null && _options.TryGet(option, out int set) ? Tcp.EffectiveOption(option, set) : Tcp.DefaultOption(option);
    }

    private Errno Set(TcpOption option, int value)
    {
        Errno error = HasConnection ? Tcp.SetOption(_handle, option, value) : TcpLayer.CheckOption(option, value);
        if (error == Errno.None && !HasConnection)
        {
            _options ??= new Options();
            _options.Set(option, value);
        }

        return error;
    }

    private void ApplyOptions() => _options?.ApplyTo(Tcp, _handle);

    private Errno UpdateBinding()
    {
        if (_binding.IsBound)
        {
            Tcp.Update(_binding, _bound, _options!.ReuseAddress, _options.ReusePort, _options.InterfaceIndex);
        }

        return Errno.None;
    }

    private Errno TakeError()
    {
        if (HasConnection)
        {
            return Tcp.TakeError(_handle);
        }

        Errno left = _error;
        _error = Errno.None;
        return left;
    }

    private TcpInfo Info()
    {
        TcpInfo info = new() { State = _stage == Stage.Listening ? TcpState.Listen : TcpState.Closed };
        if (HasConnection)
        {
            Tcp.GetInfo(_handle, out info);
        }

        return info;
    }

    private Errno GetDevice(Span<byte> value, out int length)
    {
        length = 0;
        int index = _options?.InterfaceIndex ?? 0;
        Net.NetworkInterface? device = index == 0 ? null : Stack.Interfaces.FirstOrDefault(i => i.Index == index);
        return device == null ? Errno.None : Return(Encoding.ASCII.GetBytes(device.Name + "\0"), value, out length);
    }

    private Errno SetDevice(ReadOnlySpan<byte> value)
    {
        int end = value.IndexOf((byte)0);
        string name = Encoding.ASCII.GetString(end < 0 ? value : value[..end]);
        Net.NetworkInterface? device = Stack.Interfaces.FirstOrDefault(i => i.Name == name);
        if (name.Length > 0 && device == null)
        {
            return Errno.ENODEV;
        }

        _options ??= new Options();
        _options.InterfaceIndex = device?.Index ?? 0;
        return UpdateBinding();
    }
}
