using System.Diagnostics.CodeAnalysis;
using Portico.Net;

namespace Portico.Kernel;

// socket(2) and what can be done with sockets. Addresses are struct sockaddr as bytes: see SocketAddress.
public sealed partial class Process
{
    /// <summary>Where in the argument of socket(2) the type is; the rest are flags.</summary>
    private const SocketType KindMask = (SocketType)0xF;

    private const SocketType NewSocketFlags = SocketType.SOCK_NONBLOCK | SocketType.SOCK_CLOEXEC;

    /// <summary>
    /// Waits for a connection and installs it, both at once: where there is no number for it, it stays in the queue, and what the descriptor
    /// has come to stand for meanwhile is never asked.
    /// </summary>
    private ref struct AcceptCall(Process process, SocketType flags, Span<byte> address) : IDescriptorCall
    {
        private readonly Span<byte> _address = address;

        public OpenFileDescription Description { get; set; } = null!;

        public int AddressLength;

        public Errno TryPerform(out long result)
        {
            result = 0;
            Errno error = (flags & ~NewSocketFlags) != 0 ? Errno.EINVAL : process.FindFree(0, out _);
            if (error != Errno.None)
            {
                return error;
            }

            if (Description.File is not SocketFile listener)
            {
                return Errno.ENOTSOCK;
            }

            error = process.Kernel.HasRoom(process) ? listener.CheckAccept() : Errno.ENFILE;
            if (error != Errno.None || (error = listener.Accept(out SocketFile? accepted)) != Errno.None)
            {
                return error;
            }

            SyscallResult installed = process.InstallSocket(accepted!, flags);
            if (installed.IsError)
            {
                return installed.Error;
            }

            Span<byte> whole = stackalloc byte[AddressBytesMax];
            accepted!.GetAcceptedPeer(whole, out AddressLength);
            whole[..Math.Min(AddressLength, _address.Length)].CopyTo(_address);
            result = installed.Value;
            return Errno.None;
        }
    }

    /// <summary>
    /// Waits for the outcome of a connect that has begun, or begins it again where it could not because the listener's queue was full.
    /// </summary>
    private ref struct ConnectWait(ReadOnlySpan<byte> address, bool hasBegun) : IDescriptorCall
    {
        private readonly ReadOnlySpan<byte> _address = address;

        public readonly bool HasBegun => hasBegun;

        public OpenFileDescription Description { get; set; } = null!;

        public readonly Errno TryPerform(out long result)
        {
            result = 0;
            SocketFile socket = (SocketFile)Description.File;
            return hasBegun ? socket.FinishConnect() : socket.Connect(_address);
        }
    }

    private ref struct SendCall(IoCursor source, SocketMessage message) : IDescriptorCall
    {
        private IoCursor _source = source;
        private long _sent;

        public SocketMessage Message = message;

        public OpenFileDescription Description { get; set; } = null!;

        public Errno TryPerform(out long result)
        {
            bool waits = !Description.IsNonBlocking && (Message.Flags & MessageFlags.MSG_DONTWAIT) == 0;
            if (Description.File is not SocketFile socket)
            {
                result = 0;
                return Errno.ENOTSOCK;
            }

            Message.Flags |= waits ? MessageFlags.None : MessageFlags.MSG_DONTWAIT;
            Errno error = socket.Send(ref _source, ref Message, out long count);
            _sent += count;
            result = _sent + Message.SynBytes;
            if (error == Errno.None)
            {
                return _source.Remaining > 0 && Description.File.WritesAll && waits ? Errno.EAGAIN : Errno.None;
            }

            return _sent > 0 && (error != Errno.EAGAIN || !waits) ? Errno.None : error;
        }
    }

    private ref struct ReceiveCall(IoCursor destination, SocketMessage message) : IDescriptorCall
    {
        private IoCursor _destination = destination;
        private long _received;

        public SocketMessage Message = message;

        public OpenFileDescription Description { get; set; } = null!;

        public Errno TryPerform(out long result)
        {
            if (Description.File is not SocketFile socket)
            {
                result = 0;
                return Errno.ENOTSOCK;
            }

            Message.Flags |= Description.IsNonBlocking ? MessageFlags.MSG_DONTWAIT : MessageFlags.None;
            Errno error = socket.Receive(ref _destination, ref Message, out long count);
            if (error == Errno.None && _destination.HasFaulted)
            {
                // The datagram is lost, unless it was only looked at.
                result = 0;
                return Errno.EFAULT;
            }

            _received += count;
            result = _received;
            bool waitsForAll = (Message.Flags & (MessageFlags.MSG_WAITALL | MessageFlags.MSG_PEEK | MessageFlags.MSG_DONTWAIT)) == MessageFlags.MSG_WAITALL
                && Description.File.WritesAll && !Description.IsNonBlocking;
            if (error == Errno.None)
            {
                return waitsForAll && !Message.IsComplete && count > 0 && _destination.Remaining > 0 ? Errno.EAGAIN : Errno.None;
            }

            return _received > 0 && error != Errno.EAGAIN ? Errno.None : error;
        }
    }

    /// <summary>
    /// socket(2). Errors: EINVAL for unknown flags or types, EAFNOSUPPORT, ESOCKTNOSUPPORT, EPROTONOSUPPORT, EMFILE, ENFILE.
    /// </summary>
    public SyscallResult Socket(AddressFamily family, SocketType type, int protocol)
    {
        using (Driver.Enter())
        {
            if (HasUnknownFlags(type))
            {
                return Errno.EINVAL;
            }

            Errno error = MakeSocket(family, type & KindMask, protocol, out SocketFile? made);
            return error == Errno.None ? InstallSocket(made!, type) : error;
        }
    }

    private static bool HasUnknownFlags(SocketType type) => (type & ~KindMask & ~NewSocketFlags) != 0;

    private Errno MakeSocket(AddressFamily family, SocketType kind, int protocol, out SocketFile? made)
    {
        made = null;
        if (HasExited)
        {
            return Errno.ESRCH;
        }

        const int FamiliesMax = 46;
        if ((uint)family >= FamiliesMax)
        {
            return Errno.EAFNOSUPPORT;
        }

        if (kind > (SocketType)10)
        {
            return Errno.EINVAL;
        }

        if (family == AddressFamily.AF_UNIX)
        {
            return MakeUnixSocket(kind, protocol, out made);
        }

        if (family == AddressFamily.AF_PACKET)
        {
            return !HasNetRaw ? Errno.EPERM
                : kind is SocketType.SOCK_RAW or SocketType.SOCK_DGRAM ? PacketSocketFile.Make(Driver, Network, kind, protocol, out made)
                : Errno.ESOCKTNOSUPPORT;
        }

        if (family is not (AddressFamily.AF_INET or AddressFamily.AF_INET6))
        {
            return Errno.EAFNOSUPPORT;
        }

        const int IPPROTO_MAX = 263;
        if (protocol is < 0 or >= IPPROTO_MAX)
        {
            return Errno.EINVAL;
        }

        switch (kind)
        {
            case SocketType.SOCK_STREAM when protocol is 0 or (int)SocketLevel.IPPROTO_TCP:
                made = new InetStreamSocket(Driver, Network, family);
                return Errno.None;
            case SocketType.SOCK_DGRAM when protocol is 0 or (int)SocketLevel.IPPROTO_UDP:
                return InetDatagramSocket.Make(Driver, Network, family, out made);
            case SocketType.SOCK_DGRAM when protocol == (int)(family == AddressFamily.AF_INET ? IpProtocol.Icmp : IpProtocol.Icmpv6):
                (uint first, uint last) = Kernel.Settings.ping_group_range;
                return GroupId < first || GroupId > last ? Errno.EACCES : InetRawSocket.Make(Driver, Network, family, kind, protocol, out made);
            case SocketType.SOCK_RAW when protocol != 0:
                return HasNetRaw ? InetRawSocket.Make(Driver, Network, family, kind, protocol, out made) : Errno.EPERM;
            case SocketType.SOCK_STREAM or SocketType.SOCK_DGRAM or SocketType.SOCK_RAW:
                return Errno.EPROTONOSUPPORT;
            default:
                return Errno.ESOCKTNOSUPPORT;
        }
    }

    private SyscallResult InstallSocket(SocketFile socket, SocketType flags)
    {
        OpenFlags status = OpenFlags.O_RDWR | ((OpenFlags)flags & OpenFlags.O_NONBLOCK);
        Errno error = Install(socket, status, (flags & SocketType.SOCK_CLOEXEC) != 0, out int fd);
        if (error != Errno.None)
        {
            socket.Abandon();
        }

        return error == Errno.None ? fd : error;
    }

    /// <summary>bind(2). Errors: EBADF, ENOTSOCK, EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EACCES, EADDRINUSE.</summary>
    public SyscallResult Bind(int fd, ReadOnlySpan<byte> address)
    {
        using (Driver.Enter())
        {
            return TryGetSocket(fd, out SocketFile? socket, out _, out Errno error) ? socket.Bind(this, address) : error;
        }
    }

    /// <summary>listen(2). Errors: EBADF, ENOTSOCK, EOPNOTSUPP, EINVAL, EADDRINUSE.</summary>
    public SyscallResult Listen(int fd, int backlog)
    {
        using (Driver.Enter())
        {
            return TryGetSocket(fd, out SocketFile? socket, out _, out Errno error) ? socket.Listen(backlog) : error;
        }
    }

    /// <summary>
    /// accept4(2): waits for a connection and returns a descriptor for it. Errors: EBADF, ENOTSOCK, EINVAL, EOPNOTSUPP, EAGAIN, EMFILE and
    /// ENFILE, after which the connection still waits to be accepted.
    /// </summary>
    public SyscallResult Accept4(int fd, Span<byte> address, out int addressLength, SocketType flags)
    {
        AcceptCall call = new(this, flags, address);
        SyscallResult result = Run(fd, ref call, SocketEvents.Readable);
        addressLength = call.AddressLength;
        return result;
    }

    /// <summary>
    /// connect(2): waits for the outcome unless O_NONBLOCK is set. Errors: EINPROGRESS, EALREADY, EISCONN, ECONNREFUSED, ETIMEDOUT,
    /// ENETUNREACH, EADDRNOTAVAIL, EAFNOSUPPORT, EINVAL, ...
    /// </summary>
    public SyscallResult Connect(int fd, ReadOnlySpan<byte> address)
    {
        ConnectWait call;
        BlockingWaiter waiter;
        TimeSpan timeout;
        using (Driver.Enter())
        {
            if (!TryGetSocket(fd, out SocketFile? socket, out OpenFileDescription? description, out Errno error))
            {
                return error;
            }

            error = socket.Connect(address);
            bool isUnderWay = error is Errno.EINPROGRESS or Errno.EALREADY;
            timeout = socket.TimeoutOf(SocketEvents.Writable);
            if ((!isUnderWay && error != Errno.EAGAIN) || description.IsNonBlocking)
            {
                return error;
            }

            call = new ConnectWait(address, isUnderWay) { Description = description };
            waiter = BeginWait(description, SocketEvents.Writable);
        }

        SyscallResult result = Finish(ref call, waiter, timeout);
        return result.Error == Errno.EAGAIN && call.HasBegun ? Errno.EINPROGRESS : result;
    }

    /// <summary>shutdown(2). Errors: EBADF, ENOTSOCK, EOPNOTSUPP, EINVAL, ENOTCONN.</summary>
    public SyscallResult Shutdown(int fd, ShutdownHow how)
    {
        using (Driver.Enter())
        {
            if (!TryGetSocket(fd, out SocketFile? socket, out _, out Errno error))
            {
                return error;
            }

            return !socket.HasShutdown ? Errno.EOPNOTSUPP
                : how is < ShutdownHow.SHUT_RD or > ShutdownHow.SHUT_RDWR ? Errno.EINVAL
                : socket.Shutdown(how);
        }
    }

    /// <summary>getsockname(2): the length that the address has. Errors: EBADF, ENOTSOCK.</summary>
    public SyscallResult GetSockName(int fd, Span<byte> address) => GetName(fd, ofPeer: false, address);

    /// <summary>getpeername(2): the length that the address has. Errors: EBADF, ENOTSOCK, ENOTCONN.</summary>
    public SyscallResult GetPeerName(int fd, Span<byte> address) => GetName(fd, ofPeer: true, address);

    private SyscallResult GetName(int fd, bool ofPeer, Span<byte> address)
    {
        Span<byte> whole = stackalloc byte[AddressBytesMax];
        using (Driver.Enter())
        {
            if (!TryGetSocket(fd, out SocketFile? socket, out _, out Errno error))
            {
                return error;
            }

            error = socket.GetName(ofPeer, whole, out int length);
            if (error != Errno.None)
            {
                return error;
            }

            whole[..Math.Min(length, address.Length)].CopyTo(address);
            return length;
        }
    }

    /// <summary>sendto(2); no address for send(2). Errors: EBADF, ENOTSOCK, EAGAIN, EPIPE, EDESTADDRREQ, EMSGSIZE, ...</summary>
    public SyscallResult SendTo(int fd, ReadOnlySpan<byte> data, MessageFlags flags, ReadOnlySpan<byte> address) =>
        SendMessage(fd, IoCursor.From(data), flags, address, control: default);

    /// <summary>recvfrom(2), with the source's address. Errors: EBADF, ENOTSOCK, EAGAIN, ENOTCONN, the pending error.</summary>
    public SyscallResult ReceiveFrom(int fd, Span<byte> buffer, MessageFlags flags, Span<byte> address, out int addressLength) =>
        ReceiveMessage(fd, IoCursor.Into(buffer), flags, address, out addressLength);

    /// <summary>getsockopt(2): the length of the value. Errors: EBADF, ENOTSOCK, ENOPROTOOPT.</summary>
    public SyscallResult GetSockOpt(int fd, int level, int option, Span<byte> value)
    {
        Errno error = GetSockOpt(fd, level, option, value, out int length);
        return error == Errno.None ? length : error;
    }

    /// <summary>The same; where there is too little room for some options, the length that they need comes with the error.</summary>
    internal Errno GetSockOpt(int fd, int level, int option, Span<byte> value, out int length)
    {
        using (Driver.Enter())
        {
            length = 0;
            return TryGetSocket(fd, out SocketFile? socket, out _, out Errno error) ? socket.GetOption(level, option, value, out length) : error;
        }
    }

    /// <summary>setsockopt(2). Errors: EBADF, ENOTSOCK, ENOPROTOOPT, EINVAL, ...</summary>
    public SyscallResult SetSockOpt(int fd, int level, int option, ReadOnlySpan<byte> value)
    {
        using (Driver.Enter())
        {
            return TryGetSocket(fd, out SocketFile? socket, out _, out Errno error) ? socket.SetOption(this, level, option, value) : error;
        }
    }

    /// <summary>Whether the process may filter what comes to a socket: what is asked before the program is looked at. Errors: EBADF, ENOTSOCK, EPERM.</summary>
    internal bool MayFilter(int fd, out Errno error)
    {
        using (Driver.Enter())
        {
            if (TryGetSocket(fd, out SocketFile? socket, out _, out error) && !socket.MayFilter(this))
            {
                error = Errno.EPERM;
            }

            return error == Errno.None;
        }
    }

    /// <summary>Whether it is a socket: what is asked before any other argument is looked at. Errors: EBADF, ENOTSOCK.</summary>
    internal bool CheckSocket(int fd, out Errno error)
    {
        using (Driver.Enter())
        {
            return TryGetSocket(fd, out _, out _, out error);
        }
    }

    /// <summary>Errors: EBADF, ENOTSOCK.</summary>
    private bool TryGetSocket(
        int fd, [NotNullWhen(true)] out SocketFile? socket, [NotNullWhen(true)] out OpenFileDescription? description, out Errno error)
    {
        socket = null;
        if (!TryGet(fd, out description, out error))
        {
            return false;
        }

        socket = description.File as SocketFile;
        error = socket == null ? Errno.ENOTSOCK : Errno.None;
        return socket != null;
    }
}
