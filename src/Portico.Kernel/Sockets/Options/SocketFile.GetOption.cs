using System.Runtime.InteropServices;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) of the level SOL_SOCKET, which is the same for all sockets (sk_getsockopt in Linux).
internal abstract partial class SocketFile
{
    private const int InterfaceNameBytes = 16;

    /// <summary>What is kept for the level SOL_SOCKET, to be looked at.</summary>
    internal ref readonly GenericOptions Generic => ref Options.Generic;

    /// <summary>The same to be written to.</summary>
    protected ref GenericOptions OwnGeneric => ref OwnOptions.Generic;

    /// <summary>getsockopt(2): the value's bytes, cut to the room there is.</summary>
    public Errno GetOption(int level, int option, Span<byte> value, out int length) =>
        level == (int)SocketLevel.SOL_SOCKET
            ? GetGeneric((SocketOption)option, value, out length)
            : GetProtocolOption(level, option, value, out length);

    /// <summary>The options of all levels but SOL_SOCKET.</summary>
    protected virtual Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>SO_ERROR: takes the pending error.</summary>
    protected abstract Errno TakeError();

    /// <summary>SO_ACCEPTCONN.</summary>
    protected virtual bool IsListening => false;

    /// <summary>Whether there is SO_PEEK_OFF.</summary>
    protected virtual bool HasPeekOffset => true;

    /// <summary>SO_SNDBUF, as it reads.</summary>
    protected virtual int SendBuffer => Generic.SendBuffer;

    /// <summary>SO_RCVBUF, as it reads.</summary>
    protected virtual int ReceiveBuffer => Generic.ReceiveBuffer;

    /// <summary>SK_MEMINFO_*: how much memory the receive queue and the send queue take.</summary>
    protected virtual (int Receive, int Send) QueuedMemory => default;

    /// <summary>SO_RXQ_OVFL: datagrams that were dropped because the receive queue was full.</summary>
    protected virtual long Drops => 0;

    /// <summary>SO_PEERCRED: who made the other end; process 0 of nobody where that is not known.</summary>
    protected virtual UnixCredentials PeerCredentials => UnixCredentials.None;

    /// <summary>Copies what of an option's value fits.</summary>
    protected static Errno Return(ReadOnlySpan<byte> bytes, Span<byte> value, out int length)
    {
        length = Math.Min(bytes.Length, value.Length);
        bytes[..length].CopyTo(value);
        return Errno.None;
    }

    protected static Errno Return(int number, Span<byte> value, out int length) =>
        Return(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(ref number)), value, out length);

    private static Errno Return(int first, int second, Span<byte> value, out int length) =>
        Return(MemoryMarshal.AsBytes<int>([first, second]), value, out length);

    private static Errno Return(long first, long second, Span<byte> value, out int length) =>
        Return(MemoryMarshal.AsBytes<long>([first, second]), value, out length);

    private Errno GetGeneric(SocketOption option, Span<byte> value, out int length)
    {
        length = 0;
        switch (option)
        {
            case SocketOption.SO_PASSCRED or SocketOption.SO_PASSSEC or SocketOption.SO_PASSRIGHTS or SocketOption.SO_PASSPIDFD when Family != AddressFamily.AF_UNIX:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_ATTACH_FILTER:
                return GetFilter(value, out length);
            case SocketOption.SO_TXREHASH when !IsTcp:
            case SocketOption.SO_PEEK_OFF when !HasPeekOffset:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_LINGER:
                return Return(Generic.Has(GenericFlags.Linger) ? 1 : 0, (int)Generic.LingerSeconds, value, out length);
            case SocketOption.SO_RCVTIMEO or SocketOption.SO_RCVTIMEO_NEW or SocketOption.SO_SNDTIMEO or SocketOption.SO_SNDTIMEO_NEW:
                (long seconds, long microseconds) = GenericOptions.FromJiffies(IsReceiveTimeout(option) ? Generic.ReceiveTimeout : Generic.SendTimeout);
                return Return(seconds, microseconds, value, out length);
            case SocketOption.SO_TIMESTAMPING:
            case SocketOption.SO_TIMESTAMPING_NEW when Generic.Has(GenericFlags.TimestampNew):
                return Return((int)Generic.Timestamping, 0, value, out length);
            case SocketOption.SO_TIMESTAMPING_NEW:
                return Return(0, 0, value, out length);
            case SocketOption.SO_TXTIME:
                return Return(Generic.TransmitTime.Clock, Generic.TransmitTime.Flags, value, out length);
            case SocketOption.SO_BINDTODEVICE:
                return GetDevice(value, out length);
            case SocketOption.SO_PEERCRED:
                UnixCredentials credentials = PeerCredentials;
                return Return(MemoryMarshal.AsBytes(new ReadOnlySpan<UnixCredentials>(ref credentials)), value, out length);
            case SocketOption.SO_PEERGROUPS:
                // The processes of this kernel have no groups besides their own.
                return PeerCredentials.ProcessId != 0 ? Errno.None : Errno.ENODATA;
            case SocketOption.SO_PEERNAME:
                return GetPeerName(value, out length);
            case SocketOption.SO_MAX_PACING_RATE when value.Length >= sizeof(ulong):
                return Return(BitConverter.GetBytes(Generic.PacingRate), value, out length);
            case SocketOption.SO_MAX_PACING_RATE:
                return Return((int)(uint)Math.Min(Generic.PacingRate, uint.MaxValue), value, out length);
            case SocketOption.SO_MEMINFO:
                ReadOnlySpan<int> memory = [QueuedMemory.Receive, ReceiveBuffer, QueuedMemory.Send, SendBuffer, 0, QueuedMemory.Send, 0, 0, (int)Drops];
                return Return(MemoryMarshal.AsBytes(memory), value, out length);
            case SocketOption.SO_COOKIE when value.Length < sizeof(long):
            case SocketOption.SO_NETNS_COOKIE when value.Length != sizeof(long):
                return Errno.EINVAL;
            case SocketOption.SO_COOKIE:
                if (Generic.Cookie == 0)
                {
                    OwnGeneric.Cookie = Stack.Engine.TakeCookie();
                }

                return Return(BitConverter.GetBytes(Generic.Cookie), value, out length);
            case SocketOption.SO_NETNS_COOKIE:
                return Return(BitConverter.GetBytes(Stack.Cookie), value, out length);
            default:
                return GetNumber(option) is int number ? Return(number, value, out length) : Errno.ENOPROTOOPT;
        }
    }

    /// <summary>The options that are an int; null for those that there are not.</summary>
    private int? GetNumber(SocketOption option)
    {
        // What the socket filters of Linux can load besides the packet (SKF_AD_MAX).
        const int FilterExtensions = 64;
        bool isNew = Generic.Has(GenericFlags.TimestampNew);
        bool isNanoseconds = Generic.Has(GenericFlags.TimestampNanoseconds);
        switch (option)
        {
            case SocketOption.SO_TYPE:
                return (int)SocketKind;
            case SocketOption.SO_DOMAIN:
                return (int)Family;
            case SocketOption.SO_PROTOCOL:
                return Protocol;
            case SocketOption.SO_ERROR:
                return (int)TakeError();
            case SocketOption.SO_ACCEPTCONN:
                return IsListening ? 1 : 0;
            case SocketOption.SO_SNDBUF:
                return SendBuffer;
            case SocketOption.SO_RCVBUF:
                return ReceiveBuffer;
            case SocketOption.SO_PRIORITY:
                return Generic.Priority;
            case SocketOption.SO_BSDCOMPAT or SocketOption.SO_INCOMING_NAPI_ID or SocketOption.SO_RESERVE_MEM:
                return 0;
            case SocketOption.SO_RCVLOWAT:
                return Generic.ReceiveLow;
            case SocketOption.SO_SNDLOWAT:
                return 1;
            case SocketOption.SO_TIMESTAMP or SocketOption.SO_TIMESTAMP_NEW:
                bool isMicroseconds = Generic.Has(GenericFlags.Timestamp) && !isNanoseconds;
                return (option == SocketOption.SO_TIMESTAMP_NEW ? Generic.Has(GenericFlags.Timestamp) && isNew : isMicroseconds && !isNew) ? 1 : 0;
            case SocketOption.SO_TIMESTAMPNS or SocketOption.SO_TIMESTAMPNS_NEW:
                return isNanoseconds && isNew == (option == SocketOption.SO_TIMESTAMPNS_NEW) ? 1 : 0;
            case SocketOption.SO_MARK:
                return Generic.Mark;
            case SocketOption.SO_PEEK_OFF:
                return Generic.PeekOffset;
            case SocketOption.SO_BUSY_POLL:
                return Generic.BusyPoll;
            case SocketOption.SO_BPF_EXTENSIONS:
                return FilterExtensions;
            case SocketOption.SO_INCOMING_CPU:
                return Generic.IncomingCpu;
            case SocketOption.SO_BINDTOIFINDEX:
                return Generic.InterfaceIndex;
            case SocketOption.SO_BUF_LOCK:
                return Generic.BufferLocks;
            case SocketOption.SO_TXREHASH:
                return Generic.Rehash;
            default:
                GenericFlags flag = GenericOptions.FlagOf(option);
                return flag == GenericFlags.None ? null : Generic.Has(flag) ? 1 : 0;
        }
    }

    private bool IsTcp => this is InetStreamSocket;

    private static bool IsReceiveTimeout(SocketOption option) => option is SocketOption.SO_RCVTIMEO or SocketOption.SO_RCVTIMEO_NEW;

    /// <summary>The interface of an index; null for none.</summary>
    protected Net.NetworkInterface? FindInterface(int index)
    {
        for (int i = 0; i < Stack.Interfaces.Count; i++)
        {
            if (Stack.Interfaces[i].Index == index)
            {
                return Stack.Interfaces[i];
            }
        }

        return null;
    }

    private Errno GetDevice(Span<byte> value, out int length)
    {
        length = 0;
        if (Generic.InterfaceIndex == 0)
        {
            return Errno.None;
        }

        if (value.Length < InterfaceNameBytes)
        {
            return Errno.EINVAL;
        }

        Net.NetworkInterface? device = FindInterface(Generic.InterfaceIndex);
        return device == null ? Errno.ENODEV : Return(Encoding.ASCII.GetBytes(device.Name + "\0"), value, out length);
    }

    /// <summary>SO_PEERNAME: as getpeername(2), but for the room, which may not be more than the address needs.</summary>
    private Errno GetPeerName(Span<byte> value, out int length)
    {
        Span<byte> address = stackalloc byte[Process.AddressBytesMax];
        length = 0;
        Errno error = GetName(ofPeer: true, address, out int whole);
        return error != Errno.None ? Errno.ENOTCONN
            : whole < value.Length ? Errno.EINVAL
            : Return(address[..whole], value, out length);
    }
}
