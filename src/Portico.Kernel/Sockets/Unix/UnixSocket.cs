using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A unix socket (unix(7)): a stream, datagrams, or datagrams over a connection (SOCK_SEQPACKET). What is sent goes straight into the
/// receiver's queue and is charged to the sender until it is read.
/// </summary>
internal sealed partial class UnixSocket : SocketFile
{
    private enum Stage : byte
    {
        Unconnected,
        Listening,
        Connected,
    }

    private const byte ShutForReading = 1;
    private const byte ShutForWriting = 2;
    private const byte ShutBothWays = 3;

    private readonly UnixSockets _all;
    private Stage _stage;
    private byte _shutdown;
    private Errno _error;

    /// <summary>The address, as getsockname returns it; null without a name. An accepted socket has its listener's.</summary>
    private byte[]? _address;

    /// <summary>Whether the abstract name is this socket's own, to be given back.</summary>
    private bool _ownsAbstractName;

    /// <summary>The other end; of a datagram socket where it sends to. It may be dead.</summary>
    private UnixSocket? _peer;

    /// <summary>What has been received and not been read.</summary>
    private UnixMessageQueue _queue;

    /// <summary>What its own messages in others' queues are charged, in bytes.</summary>
    private int _charged;

    /// <summary>The description; null before the socket is installed and after its end.</summary>
    private OpenFileDescription? _description;

    public UnixSocket(UnixSockets all, NetworkStack stack, SocketType type)
        : base(all.Kernel.Driver, stack, AddressFamily.AF_UNIX, type, protocol: 0)
    {
        _all = all;
        _backlog = all.Kernel.Settings.max_dgram_qlen;
        all.OnMade(this);
    }

    /// <summary>Whether it has been closed; its peer may still know it.</summary>
    public bool IsDead { get; private set; }

    internal override bool WritesAll => SocketKind == SocketType.SOCK_STREAM;

    private bool IsConnectionBased => SocketKind != SocketType.SOCK_DGRAM;

    /// <summary>Linux counts from 1.</summary>
    private bool HasRoomToSend => _charged + 1 < Generic.SendBuffer;

    /// <summary>Three quarters have to be free before a writer is woken.</summary>
    private bool IsWritable => _stage != Stage.Listening && (long)(_charged + 1) * 4 <= Generic.SendBuffer;

    public override SocketEvents Poll()
    {
        const SocketEvents CanRead = SocketEvents.Readable | SocketEvents.ReadNormal;
        SocketEvents events = _error != Errno.None ? SocketEvents.Error : SocketEvents.None;
        events |= _shutdown == ShutBothWays ? SocketEvents.HangUp : SocketEvents.None;
        events |= (_shutdown & ShutForReading) != 0 ? SocketEvents.ReadHangUp | CanRead : SocketEvents.None;
        events |= _queue.IsEmpty && _embryos is not { Count: > 0 } ? SocketEvents.None : CanRead;
        events |= _outOfBand != null ? SocketEvents.Priority : SocketEvents.None;
        events |= IsConnectionBased && _stage == Stage.Unconnected ? SocketEvents.HangUp : SocketEvents.None;
        if (IsWritable && !IsPeerFull())
        {
            events |= WriteRoom;
        }

        return events;
    }

    public override Errno Bind(Process process, ReadOnlySpan<byte> address)
    {
        if (address.Length == UnixAddress.NameOffset && SocketAddress.Family(address) == AddressFamily.AF_UNIX)
        {
            return BindAutomatically();
        }

        Errno error = UnixAddress.Validate(address);
        if (error != Errno.None)
        {
            return error;
        }

        if (!UnixAddress.IsPath(address))
        {
            error = _address != null ? Errno.EINVAL : _all.AbstractNames.Bind(address, this);
            _ownsAbstractName |= error == Errno.None;
        }
        else
        {
            error = process.BindToPath(UnixAddress.Path(address), this, hasName: _address != null);
        }

        _address = error == Errno.None ? UnixAddress.Keep(address) : _address;
        return error;
    }

    public override Errno GetName(bool ofPeer, Span<byte> address, out int length)
    {
        length = 0;
        if (ofPeer && _peer == null)
        {
            return Errno.ENOTCONN;
        }

        length = (ofPeer ? _peer! : this).WriteAddress(address);
        return Errno.None;
    }

    public override Errno Shutdown(ShutdownHow how)
    {
        byte mode = (byte)((int)how + 1);
        _shutdown |= mode;
        Waiters.NotifyAll(Driver);
        if (_peer != null && IsConnectionBased)
        {
            _peer._shutdown |= (byte)(((mode & ShutForReading) << 1) | (mode >> 1));
            _peer.Waiters.NotifyAll(Driver);
        }

        return Errno.None;
    }

    public override Errno Send(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        if (SocketKind == SocketType.SOCK_SEQPACKET && NotConnected() is var problem and not Errno.None)
        {
            return problem;
        }

        Errno error = ReadControl(ref message);
        if (error != Errno.None)
        {
            return error;
        }

        return SocketKind == SocketType.SOCK_STREAM ? SendStream(ref source, ref message, out count) : SendDatagram(ref source, ref message, out count);
    }

    public override Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        message.IsComplete = true;
        return SocketKind == SocketType.SOCK_STREAM
            ? ReceiveStream(ref destination, ref message, out count)
            : ReceiveDatagram(ref destination, ref message, out count);
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        int value;
        switch (request)
        {
            case IoctlRequest.FIONREAD when _stage == Stage.Listening:
                return Errno.EINVAL;
            case IoctlRequest.FIONREAD:
                value = UnreadBytes();
                break;
            case IoctlRequest.SIOCOUTQ:
                value = _charged;
                break;
            case IoctlRequest.SIOCATMARK when SocketKind != SocketType.SOCK_STREAM:
                return Errno.EOPNOTSUPP;
            case IoctlRequest.SIOCATMARK:
                value = IsAtMark() ? 1 : 0;
                break;
            default:
                return InterfaceRequests.Answer(Stack, request, argument);
        }

        return MemoryMarshal.TryWrite(argument, value) ? Errno.None : Errno.EFAULT;
    }

    internal override void OnOpened(OpenFileDescription description)
    {
        base.OnOpened(description);
        _description = description;
    }

    internal override void OnReleased(OpenFileDescription description) => End(isEmbryo: false);

    private void End(bool isEmbryo)
    {
        bool wasListening = _stage == Stage.Listening;
        UnixSocket? peer = _peer;
        IsDead = true;
        _description = null;
        _peer = null;
        _stage = Stage.Unconnected;
        _shutdown = ShutBothWays;
        _all.OnEnded(this);
        if (_ownsAbstractName)
        {
            _all.AbstractNames.Unbind(_address!, this);
        }

        LeaveAllPeers();
        NotifyPeerWaiters();
        if (peer != null && IsConnectionBased)
        {
            peer._shutdown = ShutBothWays;
            peer._error = HasUnread || isEmbryo ? Errno.ECONNRESET : peer._error;
            peer.Waiters.NotifyAll(Driver);
        }

        DropMessages();
        while (wasListening && _embryos!.TryDequeue(out UnixSocket? embryo))
        {
            embryo.Listener = null;
            embryo.End(isEmbryo: true);
        }
    }

    private Errno BindAutomatically()
    {
        if (_address != null)
        {
            return Errno.None;
        }

        Errno error = _all.AbstractNames.BindAutomatically(this, out _address);
        _ownsAbstractName = error == Errno.None;
        return error;
    }

    /// <summary>The length of the address: of a socket without a name two bytes, the family.</summary>
    private int WriteAddress(Span<byte> to)
    {
        ReadOnlySpan<byte> address = _address ?? [(byte)AddressFamily.AF_UNIX, 0];
        address[..Math.Min(address.Length, to.Length)].CopyTo(to);
        return address.Length;
    }

    protected override Errno TakeError()
    {
        Errno error = _error;
        _error = Errno.None;
        return error;
    }

    public override void KeepError(Errno error) => _error = error;

    /// <summary>Of SOCK_SEQPACKET: the pending error, or ENOTCONN.</summary>
    private Errno NotConnected()
    {
        Errno error = TakeError();
        return error != Errno.None ? error : _stage == Stage.Connected ? Errno.None : Errno.ENOTCONN;
    }

    private int UnreadBytes()
    {
        int bytes = 0;
        for (UnixMessage? message = _queue.First; message != null; message = message.Next)
        {
            bytes += message.Remaining;
            if (SocketKind == SocketType.SOCK_DGRAM)
            {
                break;
            }
        }

        return bytes;
    }
}
