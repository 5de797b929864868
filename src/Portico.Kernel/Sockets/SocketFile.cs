using System.Globalization;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A socket as a file: what socket(2) makes. Like all files it never waits by itself; where Linux would, it says EAGAIN, or EINPROGRESS for a
/// connect.
/// </summary>
internal abstract partial class SocketFile(
    StackDriver driver, NetworkStack stack, AddressFamily family, SocketType type, int protocol, SocketOptionRecord? options = null)
    : KernelFile(driver), ISocketOwner
{
    // As small as they can be: there may be millions.
    private readonly byte _family = (byte)family;
    private readonly byte _kind = (byte)type;
    private readonly ushort _protocol = (ushort)protocol;

    /// <summary>Of 32 bits, as in Linux (get_next_ino).</summary>
    private uint _inode;

    public NetworkStack Stack { get; } = stack;

    public AddressFamily Family => (AddressFamily)_family;

    public SocketType SocketKind => (SocketType)_kind;

    public int Protocol => _protocol;

    /// <summary>What has been set, or else what is set on none; others may share it, for which reason nobody writes to it.</summary>
    internal SocketOptionRecord Options { get; private protected set; } =
        options ?? SocketOptionRecord.Initial(family == AddressFamily.AF_INET6, stack.Udp.Options.wmem_default, stack.Udp.Options.rmem_default);

    /// <summary>What may be written to.</summary>
    protected SocketOptionRecord OwnOptions => Options = Options.ForWriting();

    internal override FileType Type => FileType.Socket;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    internal override TimeSpan TimeoutOf(SocketEvents interest)
    {
        long jiffies = interest == SocketEvents.Writable ? Generic.SendTimeout : Generic.ReceiveTimeout;
        return jiffies == GenericOptions.ForEver ? Timeout.InfiniteTimeSpan : GenericOptions.ToTimeSpan(jiffies);
    }

    /// <summary>The inode's number; 0 before the socket has a descriptor.</summary>
    public long InodeNumber => _inode;

    /// <summary>Whose process made it.</summary>
    public int UserId { get; private set; }

    internal override string ShownName => string.Create(CultureInfo.InvariantCulture, $"socket:[{InodeNumber}]");

    internal override void OnOpened(OpenFileDescription description)
    {
        _inode = (uint)description.Kernel.TakeInode();
        UserId = description.Kernel.Caller!.UserId;
    }

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = 0x1FF;
        status.Inode = InodeNumber;
        status.UserId = UserId;
    }

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        // read(2) of nothing does not get as far as the socket.
        count = 0;
        SocketMessage message = new() { Flags = description.IsNonBlocking ? MessageFlags.MSG_DONTWAIT : MessageFlags.None };
        Errno error = destination.Remaining == 0 ? Errno.None : Receive(ref destination, ref message, out count);
        return error == Errno.None && destination.HasFaulted ? Errno.EFAULT : error;
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

    /// <summary>The peer of a connection that accept(2) has just taken: known even where it has been reset meanwhile.</summary>
    public virtual Errno GetAcceptedPeer(Span<byte> address, out int length) => GetName(ofPeer: true, address, out length);

    /// <summary>Whether there is a shutdown(2) at all (EOPNOTSUPP).</summary>
    public virtual bool HasShutdown => true;

    public abstract Errno Shutdown(ShutdownHow how);

    public abstract Errno Send(ref IoCursor source, ref SocketMessage message, out long count);

    public abstract Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count);
}
