using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of unix sockets: only SOL_SOCKET has any.
internal sealed partial class UnixSocket
{
    private const int SendMemoryMin = 4608;
    private const int ReceiveMemoryMin = 2304;

    /// <summary>SO_SNDBUF as it is kept, doubled: what the messages of the socket may be charged.</summary>
    private int _sendMemoryMax;

    /// <summary>SO_RCVBUF, which bounds nothing here.</summary>
    private int _receiveMemoryMax;

    private int _receiveLow = 1;

    /// <summary>SO_PEEK_OFF: where in the queue the next peek begins; -1 for always at the front.</summary>
    private int _peekOffset = -1;
    private bool _passesCredentials;
    private bool _passesRights = true;

    /// <summary>Options that are only kept, by their number.</summary>
    private Dictionary<int, int>? _kept;

    public override Errno GetOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        if (level != (int)SocketLevel.SOL_SOCKET)
        {
            return Errno.EOPNOTSUPP;
        }

        switch ((SocketOption)option)
        {
            case SocketOption.SO_PEERCRED:
                return Return(MemoryMarshal.AsBytes(new ReadOnlySpan<UnixCredentials>(ref _peerCredentials)), value, out length);
            case SocketOption.SO_LINGER:
                long linger = Kept(SocketOption.SO_LINGER) == 0 ? 0 : 1 | ((long)(Kept(SocketOption.SO_LINGER) - 1) << 32);
                return Return(MemoryMarshal.AsBytes(new ReadOnlySpan<long>(ref linger)), value, out length);
            default:
                return base.GetOption(level, option, value, out length);
        }
    }

    public override Errno SetOption(Process process, int level, int option, ReadOnlySpan<byte> value) =>
        level != (int)SocketLevel.SOL_SOCKET ? Errno.EOPNOTSUPP
        : (SocketOption)option == SocketOption.SO_LINGER ? SetLinger(value)
        : base.SetOption(process, level, option, value);

    protected override Errno GetInteger(int level, int option, out int value)
    {
        int? found = (SocketOption)option switch
        {
            SocketOption.SO_ERROR => (int)TakeError(),
            SocketOption.SO_SNDBUF => _sendMemoryMax,
            SocketOption.SO_RCVBUF => _receiveMemoryMax,
            SocketOption.SO_RCVLOWAT => _receiveLow,
            SocketOption.SO_PASSCRED => _passesCredentials ? 1 : 0,
            SocketOption.SO_PASSRIGHTS => _passesRights ? 1 : 0,
            SocketOption.SO_PEEK_OFF => _peekOffset,
            SocketOption.SO_OOBINLINE => _readsInline ? 1 : 0,
            SocketOption.SO_ACCEPTCONN => _stage == Stage.Listening ? 1 : 0,
            SocketOption.SO_DEBUG or SocketOption.SO_REUSEADDR or SocketOption.SO_REUSEPORT or SocketOption.SO_DONTROUTE
                or SocketOption.SO_BROADCAST or SocketOption.SO_KEEPALIVE or SocketOption.SO_NO_CHECK or SocketOption.SO_PRIORITY
                => Kept((SocketOption)option),
            _ => null,
        };
        value = found ?? 0;
        return found != null ? Errno.None : base.GetInteger(level, option, out value);
    }

    protected override Errno SetInteger(Process process, int level, int option, int value)
    {
        switch ((SocketOption)option)
        {
            case SocketOption.SO_SNDBUF:
                _sendMemoryMax = Doubled(value, Stack.Udp.Options.wmem_max, SendMemoryMin);
                Waiters.Notify(WriteRoom, Driver);
                return Errno.None;
            case SocketOption.SO_RCVBUF:
                _receiveMemoryMax = Doubled(value, Stack.Udp.Options.rmem_max, ReceiveMemoryMin);
                return Errno.None;
            case SocketOption.SO_RCVLOWAT:
                _receiveLow = value < 0 ? int.MaxValue : Math.Max(1, value);
                return Errno.None;
            case SocketOption.SO_PASSCRED:
                _passesCredentials = value != 0;
                return Errno.None;
            case SocketOption.SO_PASSRIGHTS:
                _passesRights = value != 0;
                return Errno.None;
            case SocketOption.SO_PEEK_OFF:
                _peekOffset = value;
                return Errno.None;
            case SocketOption.SO_OOBINLINE:
                _readsInline = value != 0;
                return Errno.None;
            case SocketOption.SO_SNDBUFFORCE or SocketOption.SO_RCVBUFFORCE when !process.IsPrivileged:
                return Errno.EPERM;
            case SocketOption.SO_SNDBUFFORCE:
                _sendMemoryMax = Doubled(value, int.MaxValue / 2, SendMemoryMin);
                return Errno.None;
            case SocketOption.SO_RCVBUFFORCE:
                _receiveMemoryMax = Doubled(value, int.MaxValue / 2, ReceiveMemoryMin);
                return Errno.None;
            case SocketOption.SO_PRIORITY when value is < 0 or > 6 && !process.IsPrivileged:
                return Errno.EPERM;
            case SocketOption.SO_DEBUG when value != 0 && !process.IsPrivileged:
                return Errno.EACCES;
            case SocketOption.SO_REUSEPORT when value != 0:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_PRIORITY:
                Keep(SocketOption.SO_PRIORITY, value);
                return Errno.None;
            case SocketOption.SO_REUSEADDR or SocketOption.SO_REUSEPORT or SocketOption.SO_DONTROUTE or SocketOption.SO_DEBUG
                or SocketOption.SO_BROADCAST or SocketOption.SO_KEEPALIVE or SocketOption.SO_NO_CHECK:
                Keep((SocketOption)option, value != 0 ? 1 : 0);
                return Errno.None;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    private static int Doubled(int value, int most, int least) => Math.Max((int)Math.Min((uint)value, (uint)most) * 2, least);

    /// <summary>struct linger; a close of a unix socket never lingers.</summary>
    private Errno SetLinger(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 2 * sizeof(int))
        {
            return Errno.EINVAL;
        }

        int seconds = BitConverter.ToInt32(bytes[sizeof(int)..]);
        Keep(SocketOption.SO_LINGER, BitConverter.ToInt32(bytes) == 0 ? 0 : seconds + 1);
        return Errno.None;
    }

    private int Kept(SocketOption option) => _kept?.GetValueOrDefault((int)option) ?? 0;

    private void Keep(SocketOption option, int value) => (_kept ??= [])[(int)option] = value;

    private void MovePeekOffset(int by)
    {
        if (_peekOffset >= 0)
        {
            _peekOffset = Math.Max(0, _peekOffset + by);
        }
    }
}
