using System.Buffers;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>A packet socket (packet(7)): it sees the frames of links, with their header (SOCK_RAW) or without (SOCK_DGRAM), and sends frames.</summary>
internal sealed partial class PacketSocketFile : SocketFile
{
    private const MessageFlags ReceiveFlags = MessageFlags.MSG_PEEK | MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_TRUNC | MessageFlags.MSG_ERRQUEUE;
    private SocketFilter? _filter;
    private readonly PacketSocketHandle _handle;

    private PacketSocketFile(StackDriver driver, NetworkStack stack, SocketType type, int protocol, out Errno error)
        : base(driver, stack, AddressFamily.AF_PACKET, type, protocol: 0)
    {
        PacketOpenRequest request = new() { IsCooked = type == SocketType.SOCK_DGRAM, Protocol = NetworkOrder(protocol) };
        error = stack.PacketSockets.Open(request, this, out _handle);
    }

    private PacketSocketLayer Packets => Stack.PacketSockets;

    /// <summary>The protocol comes in network order, whatever is above its 16 bits is ignored. Errors: ENFILE.</summary>
    public static Errno Make(StackDriver driver, NetworkStack stack, SocketType type, int protocol, out SocketFile? made)
    {
        PacketSocketFile socket = new(driver, stack, type, protocol, out Errno error);
        made = error == Errno.None ? socket : null;
        return error;
    }

    public override Errno Bind(Process process, ReadOnlySpan<byte> address)
    {
        if (address.Length < LinkAddress.Bytes || SocketAddress.Family(address) != AddressFamily.AF_PACKET)
        {
            return Errno.EINVAL;
        }

        PacketAddress local = LinkAddress.Read(address);
        return Packets.Bind(_handle, local.InterfaceIndex, local.Protocol);
    }

    public override Errno Connect(ReadOnlySpan<byte> address) => Errno.EOPNOTSUPP;

    public override bool HasShutdown => false;

    public override Errno Shutdown(ShutdownHow how) => Errno.EOPNOTSUPP;

    public override SocketEvents Poll()
    {
        SocketEvents events = WithNormal(Packets.Poll(_handle));
        return (events & SocketEvents.Writable) != 0 ? events | SocketEvents.WriteBand : events;
    }

    public override Errno GetName(bool ofPeer, Span<byte> address, out int length)
    {
        length = 0;
        if (ofPeer)
        {
            return Errno.EOPNOTSUPP;
        }

        Errno error = Packets.GetBinding(_handle, out PacketAddress local);
        length = LinkAddress.Write(address, local);
        return error;
    }

    public override Errno Send(ref IoCursor source, ref SocketMessage message, out long count)
    {
        count = 0;
        PacketAddress to = default;
        Errno error = message.Address.IsEmpty ? Errno.None : LinkAddress.TryRead(message.Address, out to);
        IpSendControl control = default;
        error = error == Errno.None ? ReadGenericControl(message.Sender!, message.Control, ref control) : error;
        if (error != Errno.None)
        {
            return error;
        }

        // What is longer is too long for every link.
        int length = (int)Math.Min(source.Remaining, ushort.MaxValue + LinkAddress.Bytes);
        byte[] data = ArrayPool<byte>.Shared.Rent(length);
        source.Read(data.AsSpan(0, length));
        error = source.HasFaulted ? Errno.EFAULT : Packets.Send(_handle, data.AsSpan(0, length), message.Address.IsEmpty ? null : to);
        ArrayPool<byte>.Shared.Return(data);
        count = error == Errno.None ? length : 0;
        return error;
    }

    public override Errno Receive(ref IoCursor destination, ref SocketMessage message, out long count)
    {
        count = 0;
        if ((message.Flags & ~ReceiveFlags) != 0)
        {
            return Errno.EINVAL;
        }

        if ((message.Flags & MessageFlags.MSG_ERRQUEUE) != 0)
        {
            return Errno.EAGAIN;
        }

        UdpReceiveFlags flags = (message.Flags & MessageFlags.MSG_PEEK) != 0 ? UdpReceiveFlags.Peek : UdpReceiveFlags.None;
        Span<byte> room = DatagramRoom.Begin(ref destination, out byte[]? gathered);
        Errno error = Packets.Receive(_handle, room, flags, out PacketReceiveInfo info, out int received);
        DatagramRoom.Finish(ref destination, gathered, received);
        if (error != Errno.None)
        {
            return error;
        }

        bool isTruncated = received < info.TotalLength;
        message.ReturnedFlags |= isTruncated ? MessageFlags.MSG_TRUNC : MessageFlags.None;
        count = (message.Flags & MessageFlags.MSG_TRUNC) != 0 ? info.TotalLength : received;
        if (!message.Address.IsEmpty)
        {
            LinkAddress.Write(message.Address, info.Source);
            message.AddressLength = LinkAddress.Bytes;
        }

        PutGenericControl(ref message.ReceivedControl, info.Timestamp, info.Drops);
        PutAuxiliary(ref message.ReceivedControl, info);
        return Errno.None;
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument)
    {
        if (request is not (IoctlRequest.FIONREAD or IoctlRequest.SIOCOUTQ))
        {
            return AnswerRequest(request, argument);
        }

        int bytes = 0;
        if (request == IoctlRequest.FIONREAD && (Packets.Poll(_handle) & SocketEvents.Error) == 0)
        {
            Packets.Receive(_handle, default, UdpReceiveFlags.Peek, out PacketReceiveInfo info, out _);
            bytes = info.TotalLength;
        }

        return MemoryMarshal.TryWrite(argument, bytes) ? Errno.None : Errno.EFAULT;
    }

    internal override void OnReleased(OpenFileDescription description) => Packets.Close(_handle);

    protected override SocketFilter? Filter
    {
        get => _filter;
        set
        {
            _filter = value;
            Packets.AttachFilter(_handle, value);
        }
    }

    protected override bool HasPeekOffset => false;

    protected override long LastArrival { get; set; } = NeverArrived;

    protected override long Drops => Packets.GetDrops(_handle);

    protected override Errno TakeError() => Packets.TakeError(_handle);

    private static ushort NetworkOrder(int protocol) => System.Buffers.Binary.BinaryPrimitives.ReverseEndianness((ushort)protocol);
}
