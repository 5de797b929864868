using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A socket as a file: what socket(2) makes. Like all files it never waits by itself; where Linux would, it says EAGAIN, or EINPROGRESS for a
/// connect.
/// </summary>
internal abstract class SocketFile(StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol)
    : KernelFile(driver), ISocketOwner
{
    private const long MicrosecondsForEver = 0;
    private long _receiveTimeoutMicroseconds = MicrosecondsForEver;
    private long _sendTimeoutMicroseconds = MicrosecondsForEver;

    public NetworkStack Stack { get; } = stack;

    public AddressFamily Family { get; } = family;

    public SocketType SocketKind { get; } = type;

    public int Protocol { get; } = protocol;

    internal override FileType Type => FileType.Socket;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    internal override TimeSpan TimeoutOf(SocketEvents interest)
    {
        long microseconds = interest == SocketEvents.Writable ? _sendTimeoutMicroseconds : _receiveTimeoutMicroseconds;
        return microseconds == MicrosecondsForEver ? Timeout.InfiniteTimeSpan : TimeSpan.FromMicroseconds(microseconds);
    }

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = 0x1FF;
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        // read(2) of nothing does not get as far as the socket.
        count = 0;
        SocketMessage message = new() { Flags = description.IsNonBlocking ? MessageFlags.MSG_DONTWAIT : MessageFlags.None };
        return destination.Remaining == 0 ? Errno.None : Receive(ref destination, ref message, out count);
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        SocketMessage message = default;
        return Send(ref source, ref message, out count);
    }

    void ISocketOwner.OnReady(SocketEvents events) => OnReady(events);

    /// <summary>The engine says that the socket has become ready.</summary>
    protected virtual void OnReady(SocketEvents events) => Waiters.Notify(WithNormal(events), Driver);

    /// <summary>What the engine calls readable and writable is of normal priority, too.</summary>
    protected static SocketEvents WithNormal(SocketEvents events)
    {
        events |= (events & SocketEvents.Readable) != 0 ? SocketEvents.ReadNormal : 0;
        return events | ((events & SocketEvents.Writable) != 0 ? SocketEvents.WriteNormal : 0);
    }

    /// <summary>It was made, and then there was no descriptor for it.</summary>
    public void Abandon() => OnReleased(null!);

    public abstract Errno Bind(Process process, ReadOnlySpan<byte> address);

    /// <summary>Errors: EINPROGRESS where the outcome is to be waited for, by <see cref="FinishConnect"/>.</summary>
    public abstract Errno Connect(ReadOnlySpan<byte> address);

    /// <summary>The outcome of a connect that is under way; EAGAIN while there is none.</summary>
    public virtual Errno FinishConnect() => Errno.None;

    public virtual Errno Listen(int backlog) => Errno.EOPNOTSUPP;

    /// <summary>Whether accept(2) makes sense. Errors: EOPNOTSUPP, EINVAL for a socket that does not listen.</summary>
    public virtual Errno CheckAccept() => Errno.EOPNOTSUPP;

    /// <summary>Takes the oldest connection; EAGAIN where there is none.</summary>
    public virtual Errno Accept(out SocketFile? accepted)
    {
        accepted = null;
        return Errno.EOPNOTSUPP;
    }

    /// <summary>socketpair(2): connects two new sockets. Errors: EOPNOTSUPP for families that have no pairs.</summary>
    public virtual Errno ConnectPair(SocketFile other) => Errno.EOPNOTSUPP;

    /// <summary>Keeps an error for the next call: recvmmsg(2) had something to return first.</summary>
    public virtual void KeepError(Errno error)
    {
    }

    public abstract Errno GetName(bool ofPeer, Span<byte> address, out int length);

    public abstract Errno Shutdown(ShutdownHow how);

    public abstract Errno Send(ref IoCursor source, ref SocketMessage message, out long count);

    public abstract Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count);

    /// <summary>getsockopt(2): the value's bytes, cut to the room there is.</summary>
    public virtual Errno GetOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        if (level == (int)SocketLevel.SOL_SOCKET && (SocketOption)option is SocketOption.SO_RCVTIMEO or SocketOption.SO_SNDTIMEO)
        {
            long time = (SocketOption)option == SocketOption.SO_RCVTIMEO ? _receiveTimeoutMicroseconds : _sendTimeoutMicroseconds;
            ReadOnlySpan<long> pair = [time / 1_000_000, time % 1_000_000];
            return Return(MemoryMarshal.AsBytes(pair), value, out length);
        }

        if (Family == AddressFamily.AF_INET && level is not ((int)SocketLevel.SOL_SOCKET or (int)SocketLevel.IPPROTO_IP) && level != Protocol)
        {
            return Errno.EOPNOTSUPP;
        }

        Errno error = GetInteger(level, option, out int integer);
        return error == Errno.None ? Return(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(ref integer)), value, out length) : error;
    }

    /// <summary>setsockopt(2). Errors: EINVAL for a value that is too short, ENOPROTOOPT.</summary>
    public virtual Errno SetOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        if (level == (int)SocketLevel.SOL_SOCKET && (SocketOption)option is SocketOption.SO_RCVTIMEO or SocketOption.SO_SNDTIMEO)
        {
            return SetTimeout((SocketOption)option, value);
        }

        return value.Length < sizeof(int) ? Errno.EINVAL : SetInteger(process, level, option, BitConverter.ToInt32(value));
    }

    /// <summary>The options that are ints. Errors: ENOPROTOOPT.</summary>
    protected virtual Errno GetInteger(int level, int option, out int value)
    {
        int? found = level != (int)SocketLevel.SOL_SOCKET ? null : (SocketOption)option switch
        {
            SocketOption.SO_TYPE => (int)SocketKind,
            SocketOption.SO_DOMAIN => (int)Family,
            SocketOption.SO_PROTOCOL => Protocol,
            SocketOption.SO_RCVLOWAT or SocketOption.SO_SNDLOWAT => 1,
            SocketOption.SO_ACCEPTCONN => 0,
            _ => null,
        };
        value = found ?? 0;
        return found == null ? Errno.ENOPROTOOPT : Errno.None;
    }

    /// <summary>The options that are ints. Errors: ENOPROTOOPT, also for those that can only be read.</summary>
    protected abstract Errno SetInteger(Process process, int level, int option, int value);

    /// <summary>Copies what of an option's value fits.</summary>
    protected static Errno Return(ReadOnlySpan<byte> bytes, Span<byte> value, out int length)
    {
        length = Math.Min(bytes.Length, value.Length);
        bytes[..length].CopyTo(value);
        return Errno.None;
    }

    private Errno SetTimeout(SocketOption option, ReadOnlySpan<byte> value)
    {
        if (value.Length < 16)
        {
            return Errno.EINVAL;
        }

        long seconds = BitConverter.ToInt64(value);
        long microseconds = BitConverter.ToInt64(value[8..]);
        if (microseconds is < 0 or >= 1_000_000)
        {
            return Errno.EDOM;
        }

        // A negative time is not to wait at all; zero is for ever.
        long time = seconds < 0 ? 1 : seconds > int.MaxValue ? MicrosecondsForEver : (seconds * 1_000_000) + microseconds;
        if (option == SocketOption.SO_RCVTIMEO)
        {
            _receiveTimeoutMicroseconds = time;
        }
        else
        {
            _sendTimeoutMicroseconds = time;
        }

        return Errno.None;
    }
}
