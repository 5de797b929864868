using System.Runtime.InteropServices;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

// setsockopt(2) of the level SOL_SOCKET, which is the same for all sockets (sk_setsockopt in Linux).
internal abstract partial class SocketFile
{
    private const int SendBufferMin = 4608;
    private const int ReceiveBufferMin = 2304;

    /// <summary>TC_PRIO_INTERACTIVE: the highest priority that anybody may set.</summary>
    private const int PriorityMax = 6;

    private const int CLOCK_MONOTONIC = 1;
    private const int CLOCK_REALTIME = 0;
    private const int CLOCK_TAI = 11;

    /// <summary>setsockopt(2). Errors: EINVAL for a value that is too short, ENOPROTOOPT, ...</summary>
    public Errno SetOption(Process process, int level, int option, ReadOnlySpan<byte> value) =>
        level == (int)SocketLevel.SOL_SOCKET
            ? SetGeneric(process, (SocketOption)option, value)
            : SetProtocolOption(process, level, option, value);

    /// <summary>The options of all levels but SOL_SOCKET.</summary>
    protected virtual Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value) => Errno.EOPNOTSUPP;

    /// <summary>An option of the level SOL_SOCKET has been set: what of it the engine has to know is to be passed on.</summary>
    protected virtual void OnGenericChanged(SocketOption option)
    {
    }

    /// <summary>SO_RCVLOWAT, where a protocol bounds it.</summary>
    protected virtual int BoundReceiveLow(int bytes) => bytes;

    /// <summary>SOF_TIMESTAMPING_OPT_ID of streams needs a connection to count the bytes of.</summary>
    protected virtual bool CanNumberTimestamps => true;

    private Errno SetGeneric(Process process, SocketOption option, ReadOnlySpan<byte> value)
    {
        if (option == SocketOption.SO_BINDTODEVICE)
        {
            return SetDevice(process, value);
        }

        if (option == SocketOption.SO_ATTACH_FILTER)
        {
            return AttachFilter(process, value);
        }

        if (value.Length < sizeof(int))
        {
            return Errno.EINVAL;
        }

        int number = MemoryMarshal.Read<int>(value);
        Errno error = option switch
        {
            SocketOption.SO_LINGER => SetLinger(value),
            SocketOption.SO_RCVTIMEO or SocketOption.SO_RCVTIMEO_NEW or SocketOption.SO_SNDTIMEO or SocketOption.SO_SNDTIMEO_NEW =>
                SetTimeout(option, value),
            SocketOption.SO_TIMESTAMPING or SocketOption.SO_TIMESTAMPING_NEW => SetTimestamping(option, value),
            SocketOption.SO_TXTIME => SetTransmitTime(process, value),
            SocketOption.SO_MAX_PACING_RATE => SetPacingRate(number, value),
            _ when GenericOptions.FlagOf(option) != GenericFlags.None => SetFlag(process, option, number),
            _ => SetNumber(process, option, number),
        };
        if (error == Errno.None)
        {
            OnGenericChanged(option);
        }

        return error;
    }

    private Errno SetFlag(Process process, SocketOption option, int number)
    {
        GenericFlags flag = GenericOptions.FlagOf(option);
        bool isOn = number != 0;
        bool isUnix = Family == AddressFamily.AF_UNIX;
        Errno error = option switch
        {
            SocketOption.SO_DEBUG when isOn && !process.IsPrivileged => Errno.EACCES,
            SocketOption.SO_REUSEPORT when isOn && this is not InetSocketFile => Errno.EOPNOTSUPP,
            SocketOption.SO_PREFER_BUSY_POLL when isOn && !process.IsPrivileged => Errno.EPERM,
            SocketOption.SO_LOCK_FILTER when !isOn && Generic.Has(flag) => Errno.EPERM,
            SocketOption.SO_PASSCRED or SocketOption.SO_PASSSEC or SocketOption.SO_PASSRIGHTS when !isUnix => Errno.EOPNOTSUPP,

            // Whoever set it would wait for notices that nobody but TCP sends.
            SocketOption.SO_ZEROCOPY => this is not InetStreamSocket ? Errno.EOPNOTSUPP : number is 0 or 1 ? Errno.None : Errno.EINVAL,
            _ => Errno.None,
        };
        if (error == Errno.None)
        {
            OwnGeneric.Set(flag, isOn);
        }

        return error;
    }

    private Errno SetNumber(Process process, SocketOption option, int number)
    {
        switch (option)
        {
            case SocketOption.SO_PRIORITY:
                if (number is < 0 or > PriorityMax && !process.HasNetRaw)
                {
                    return Errno.EPERM;
                }

                OwnGeneric.Priority = number;
                return Errno.None;
            case SocketOption.SO_SNDBUF:
            case SocketOption.SO_SNDBUFFORCE when process.IsPrivileged:
                bool forces = option == SocketOption.SO_SNDBUFFORCE;
                OwnGeneric.SendBuffer = Doubled(forces ? Math.Max(0, number) : Capped(number, Stack.Udp.Options.wmem_max), SendBufferMin);
                OwnGeneric.BufferLocks |= 1;
                return Errno.None;
            case SocketOption.SO_RCVBUF:
            case SocketOption.SO_RCVBUFFORCE when process.IsPrivileged:
                forces = option == SocketOption.SO_RCVBUFFORCE;
                OwnGeneric.ReceiveBuffer = Doubled(forces ? Math.Max(0, number) : Capped(number, Stack.Udp.Options.rmem_max), ReceiveBufferMin);
                OwnGeneric.BufferLocks |= 2;
                return Errno.None;
            case SocketOption.SO_SNDBUFFORCE or SocketOption.SO_RCVBUFFORCE:
                return Errno.EPERM;
            case SocketOption.SO_RCVLOWAT:
                OwnGeneric.ReceiveLow = Math.Max(1, BoundReceiveLow(number < 0 ? int.MaxValue : number));
                return Errno.None;
            case SocketOption.SO_BSDCOMPAT or SocketOption.SO_CNX_ADVICE:
                return Errno.None;
            case SocketOption.SO_TIMESTAMP or SocketOption.SO_TIMESTAMPNS or SocketOption.SO_TIMESTAMP_NEW or SocketOption.SO_TIMESTAMPNS_NEW:
                SetTimestamp(option, number != 0);
                return Errno.None;
            case SocketOption.SO_DETACH_FILTER:
                return DetachFilter();
            case SocketOption.SO_DETACH_REUSEPORT_BPF:
                return Generic.Has(GenericFlags.ReusePort) ? Errno.ENOENT : Errno.EINVAL;
            case SocketOption.SO_MARK:
                if (!process.HasNetRaw)
                {
                    return Errno.EPERM;
                }

                OwnGeneric.Mark = number;
                return Errno.None;
            case SocketOption.SO_PEEK_OFF when !HasPeekOffset:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_PEEK_OFF:
                OwnGeneric.PeekOffset = number;
                return Errno.None;
            case SocketOption.SO_PASSPIDFD when Family != AddressFamily.AF_UNIX:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_BUSY_POLL:
                OwnGeneric.BusyPoll = number < 0 ? Generic.BusyPoll : number;
                return number < 0 ? Errno.EINVAL : Errno.None;
            case SocketOption.SO_BUSY_POLL_BUDGET:
                return number > 0 && !process.IsPrivileged ? Errno.EPERM : number is < 0 or > ushort.MaxValue ? Errno.EINVAL : Errno.None;
            case SocketOption.SO_INCOMING_CPU:
                OwnGeneric.IncomingCpu = number;
                return Errno.None;
            case SocketOption.SO_BINDTOIFINDEX:
                return BindToInterface(process, number);
            case SocketOption.SO_BUF_LOCK:
                OwnGeneric.BufferLocks = number is >= 0 and <= 3 ? number : Generic.BufferLocks;
                return number is >= 0 and <= 3 ? Errno.None : Errno.EINVAL;
            case SocketOption.SO_RESERVE_MEM:
                // As where no memory cgroup accounts for sockets.
                return number < 0 ? Errno.EINVAL : Errno.EOPNOTSUPP;
            case SocketOption.SO_TXREHASH when !IsTcp:
                return Errno.EOPNOTSUPP;
            case SocketOption.SO_TXREHASH:
                // -1 is net.core.txrehash, which is 1.
                OwnGeneric.Rehash = number is -1 or 1 ? (byte)1 : number == 0 ? (byte)0 : Generic.Rehash;
                return number is >= -1 and <= 1 ? Errno.None : Errno.EINVAL;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    /// <summary>The value is unsigned there, so that a negative one is very large.</summary>
    private static int Capped(int value, int most) => (int)Math.Min((uint)value, (uint)most);

    private static int Doubled(int value, int least) => Math.Max(Math.Min(value, int.MaxValue / 2) * 2, least);

    private void SetTimestamp(SocketOption option, bool isOn)
    {
        OwnGeneric.Set(GenericFlags.Timestamp, isOn);
        OwnGeneric.Set(GenericFlags.StampsPackets, isOn || Generic.Has(GenericFlags.StampsPackets));
        OwnGeneric.Set(GenericFlags.TimestampNanoseconds, isOn && option is SocketOption.SO_TIMESTAMPNS or SocketOption.SO_TIMESTAMPNS_NEW);
        if (isOn)
        {
            OwnGeneric.Set(GenericFlags.TimestampNew, option is SocketOption.SO_TIMESTAMP_NEW or SocketOption.SO_TIMESTAMPNS_NEW);
        }
    }

    /// <summary>struct so_timestamping, or its flags alone.</summary>
    private Errno SetTimestamping(SocketOption option, ReadOnlySpan<byte> value)
    {
        const TimestampingFlags OPT_ID = TimestampingFlags.SOF_TIMESTAMPING_OPT_ID;
        const TimestampingFlags OPT_TSONLY = TimestampingFlags.SOF_TIMESTAMPING_OPT_TSONLY;
        const TimestampingFlags OPT_STATS = TimestampingFlags.SOF_TIMESTAMPING_OPT_STATS;
        const TimestampingFlags OPT_ID_TCP = TimestampingFlags.SOF_TIMESTAMPING_OPT_ID_TCP;
        TimestampingFlags flags = (TimestampingFlags)MemoryMarshal.Read<int>(value);
        bool isNewlyNumbered = (flags & OPT_ID) != 0 && (Generic.Timestamping & OPT_ID) == 0;
        if ((flags & ~TimestampingFlags.SOF_TIMESTAMPING_MASK) != 0 || (flags & (OPT_ID | OPT_ID_TCP)) == OPT_ID_TCP || (isNewlyNumbered && !CanNumberTimestamps)
            || (flags & (OPT_STATS | OPT_TSONLY)) == OPT_STATS)
        {
            return Errno.EINVAL;
        }

        if ((flags & TimestampingFlags.SOF_TIMESTAMPING_BIND_PHC) != 0)
        {
            // No interface has a clock of its own.
            return Generic.InterfaceIndex == 0 ? Errno.EOPNOTSUPP : Errno.EINVAL;
        }

        OwnGeneric.Timestamping = flags;
        OwnGeneric.Set(GenericFlags.TimestampNew, option == SocketOption.SO_TIMESTAMPING_NEW);
        return Errno.None;
    }

    private Errno SetTransmitTime(Process process, ReadOnlySpan<byte> value)
    {
        const int FlagsAll = 3;
        if (value.Length != 2 * sizeof(int))
        {
            return Errno.EINVAL;
        }

        int clock = MemoryMarshal.Read<int>(value);
        int flags = MemoryMarshal.Read<int>(value[sizeof(int)..]);
        Errno error = (flags & ~FlagsAll) != 0 ? Errno.EINVAL
            : clock != CLOCK_MONOTONIC && !process.IsPrivileged ? Errno.EPERM
            : clock is CLOCK_MONOTONIC or CLOCK_REALTIME or CLOCK_TAI ? Errno.None
            : Errno.EINVAL;
        if (error == Errno.None)
        {
            OwnGeneric.TransmitTime = (clock, flags);
        }

        return error;
    }

    private Errno SetPacingRate(int number, ReadOnlySpan<byte> value)
    {
        ulong rate = value.Length >= sizeof(ulong) ? MemoryMarshal.Read<ulong>(value) : number == -1 ? ulong.MaxValue : (uint)number;
        OwnGeneric.PacingRate = rate;
        OwnGeneric.Set(GenericFlags.Paced, rate != ulong.MaxValue || Generic.Has(GenericFlags.Paced));
        return Errno.None;
    }

    /// <summary>struct linger. What is not on keeps its seconds.</summary>
    private Errno SetLinger(ReadOnlySpan<byte> value)
    {
        const long SecondsMax = long.MaxValue / GenericOptions.JiffiesPerSecond;
        if (value.Length < 2 * sizeof(int))
        {
            return Errno.EINVAL;
        }

        bool isOn = MemoryMarshal.Read<int>(value) != 0;
        OwnGeneric.Set(GenericFlags.Linger, isOn);
        if (isOn)
        {
            int seconds = MemoryMarshal.Read<int>(value[sizeof(int)..]);
            OwnGeneric.LingerSeconds = seconds < 0 ? SecondsMax : seconds;
        }

        return Errno.None;
    }

    private Errno SetTimeout(SocketOption option, ReadOnlySpan<byte> value)
    {
        if (value.Length < 2 * sizeof(long))
        {
            return Errno.EINVAL;
        }

        long seconds = MemoryMarshal.Read<long>(value);
        long microseconds = MemoryMarshal.Read<long>(value[sizeof(long)..]);
        if (microseconds is < 0 or >= 1_000_000)
        {
            return Errno.EDOM;
        }

        long jiffies = GenericOptions.ToJiffies(seconds, microseconds);
        if (IsReceiveTimeout(option))
        {
            OwnGeneric.ReceiveTimeout = jiffies;
        }
        else
        {
            OwnGeneric.SendTimeout = jiffies;
        }

        return Errno.None;
    }

    private Errno SetDevice(Process process, ReadOnlySpan<byte> value)
    {
        value = value[..Math.Min(value.Length, InterfaceNameBytes - 1)];
        int end = value.IndexOf((byte)0);
        string name = Encoding.ASCII.GetString(end < 0 ? value : value[..end]);
        Net.NetworkInterface? device = name.Length == 0 ? null : Stack.Interfaces.FirstOrDefault(i => i.Name == name);
        if (name.Length > 0 && device == null)
        {
            return Errno.ENODEV;
        }

        Errno error = BindToInterface(process, device?.Index ?? 0);
        if (error == Errno.None)
        {
            OnGenericChanged(SocketOption.SO_BINDTODEVICE);
        }

        return error;
    }

    private Errno BindToInterface(Process process, int index)
    {
        if (Generic.InterfaceIndex != 0 && !process.HasNetRaw)
        {
            return Errno.EPERM;
        }

        if (index < 0)
        {
            return Errno.EINVAL;
        }

        OwnGeneric.InterfaceIndex = index;
        return Errno.None;
    }
}
