using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2): messages with control messages.
public sealed partial class Process
{
    /// <summary>sizeof(struct sockaddr_storage): no address is longer.</summary>
    internal const int AddressBytesMax = 128;

    /// <summary>Messages that one sendmmsg sends at most, and pieces that one message may have (UIO_MAXIOV).</summary>
    private const int MessagesMax = 1024;

    /// <summary>
    /// sendmsg(2) of one piece of memory, with control messages (<see cref="ControlMessages"/>). Errors: those of <see cref="SendTo"/>,
    /// ENOBUFS for too many control messages, EINVAL for bad ones, EBADF for a descriptor to pass, ETOOMANYREFS.
    /// </summary>
    public SyscallResult SendMessage(
        int fd, ReadOnlySpan<byte> data, MessageFlags flags, ReadOnlySpan<byte> address, ReadOnlySpan<byte> control) =>
        SendMessage(fd, IoCursor.From(data), flags, address, control);

    /// <summary>recvmsg(2) into one piece of memory, with room for control messages. Errors: those of <see cref="ReceiveFrom"/>.</summary>
    public SyscallResult ReceiveMessage(
        int fd, Span<byte> buffer, MessageFlags flags, Span<byte> address, Span<byte> control, out ReceivedMessage received) =>
        ReceiveMessage(fd, IoCursor.Into(buffer), flags, address, control, out received);

    /// <summary>
    /// sendmsg(2). Errors: as the other, EMSGSIZE for more than 1,024 pieces of memory, EINVAL for their lengths, EFAULT.
    /// </summary>
    public SyscallResult Sendmsg(int fd, in MessageHeader header, MessageFlags flags) =>
        CheckSocket(fd, out Errno error) ? SendOne(fd, null, header, flags) : error;

    private unsafe SyscallResult SendOne(int fd, OpenFileDescription? pinned, in MessageHeader header, MessageFlags flags)
    {
        Errno error = Check(header, out IoCursor cursor);
        if (error != Errno.None)
        {
            return error;
        }

        if (header.Control == null && header.ControlLength != 0)
        {
            return header.ControlLength > int.MaxValue ? Errno.ENOBUFS : Errno.EFAULT;
        }

        ReadOnlySpan<byte> control = new(header.Control, (int)Math.Min(header.ControlLength, int.MaxValue));
        return SendMessage(fd, cursor, flags, NameOf(header), control, pinned);
    }

    /// <summary>recvmsg(2). Errors: those of <see cref="Sendmsg"/> for the structure, and of <see cref="ReceiveFrom"/>.</summary>
    public SyscallResult Recvmsg(int fd, ref MessageHeader header, MessageFlags flags) =>
        CheckSocket(fd, out Errno error) ? ReceiveOne(fd, null, ref header, flags) : error;

    private unsafe SyscallResult ReceiveOne(int fd, OpenFileDescription? pinned, ref MessageHeader header, MessageFlags flags)
    {
        Errno error = Check(header, out IoCursor cursor);
        if (error != Errno.None)
        {
            return error;
        }

        Span<byte> name = stackalloc byte[AddressBytesMax];
        Span<byte> control = new(header.Control, header.Control == null ? 0 : (int)Math.Min(header.ControlLength, int.MaxValue));
        SyscallResult result = ReceiveMessage(fd, cursor, flags, name, control, out ReceivedMessage received, pinned);
        if (result.IsError)
        {
            return result;
        }

        if (header.Name != null)
        {
            name[..(int)Math.Min((uint)received.AddressLength, header.NameLength)].CopyTo(new Span<byte>(header.Name, (int)header.NameLength));
            header.NameLength = (uint)received.AddressLength;
        }

        header.ControlLength = (nuint)received.ControlLength;
        header.Flags = received.Flags;
        return result;
    }

    /// <summary>
    /// sendmmsg(2): sends messages until one fails, or a stream takes one only in part; how many were sent. Errors: those of the first
    /// message.
    /// </summary>
    public SyscallResult Sendmmsg(int fd, Span<MultipleMessageHeader> messages, MessageFlags flags)
    {
        if (!TryPin(fd, out OpenFileDescription? pinned, out Errno error))
        {
            return error;
        }

        SyscallResult result = 0;
        int sent = 0;
        while (sent < Math.Min(messages.Length, MessagesMax))
        {
            ref MultipleMessageHeader message = ref messages[sent];
            result = SendOne(fd, pinned, message.Header, flags);
            if (result.IsError)
            {
                break;
            }

            message.Length = (uint)result.Value;
            sent++;
            if (result.Value < BytesOf(message.Header))
            {
                break;
            }
        }

        Unpin(pinned);
        return sent > 0 ? sent : result;
    }

    /// <summary>
    /// recvmmsg(2): receives messages until there are as many as asked for, one fails, or the time is over, which is looked at after each
    /// message only. MSG_WAITFORONE waits for the first alone. How many were received; an error after the first is kept for the next
    /// call. <paramref name="timeout"/> becomes what was left of it; null for none. Errors: those of the first message.
    /// </summary>
    public SyscallResult Recvmmsg(int fd, Span<MultipleMessageHeader> messages, MessageFlags flags, ref Duration? timeout)
    {
        if (!TryPin(fd, out OpenFileDescription? pinned, out Errno error))
        {
            return error;
        }

        SocketFile socket = (SocketFile)pinned.File;
        if ((flags & MessageFlags.MSG_ERRQUEUE) == 0 && (error = TakePendingError(socket)) != Errno.None)
        {
            Unpin(pinned);
            return error;
        }

        MonoTime began = Driver.ReadClock();
        Duration limit = timeout ?? Duration.Infinite;
        SyscallResult result = 0;
        int received = 0;
        while (received < messages.Length)
        {
            ref MultipleMessageHeader message = ref messages[received];
            result = ReceiveOne(fd, pinned, ref message.Header, flags & ~MessageFlags.MSG_WAITFORONE);
            if (result.IsError)
            {
                break;
            }

            message.Length = (uint)result.Value;
            received++;
            flags |= (flags & MessageFlags.MSG_WAITFORONE) != 0 ? MessageFlags.MSG_DONTWAIT : MessageFlags.None;
            if (timeout != null)
            {
                Duration left = limit - (Driver.ReadClock() - began);
                timeout = Duration.Max(Duration.Zero, left);
                if (left <= Duration.Zero)
                {
                    break;
                }
            }

            if ((message.Header.Flags & MessageFlags.MSG_OOB) != 0)
            {
                break;
            }
        }

        if (received > 0 && result.IsError && result.Error != Errno.EAGAIN)
        {
            using (Driver.Enter())
            {
                socket.KeepError(result.Error);
            }
        }

        Unpin(pinned);
        return received > 0 ? received : result;
    }

    internal SyscallResult SendMessage(
        int fd, IoCursor source, MessageFlags flags, ReadOnlySpan<byte> address, ReadOnlySpan<byte> control, OpenFileDescription? pinned = null)
    {
        // Nobody writes to the address: sending only reads it.
        SocketMessage message = new()
        {
            Flags = flags,
            Address = MemoryMarshal.CreateSpan(ref MemoryMarshal.GetReference(address), address.Length),
            Control = control,
            Sender = this,
        };
        if (control.Length >= Kernel.Settings.optmem_max)
        {
            return CheckSocket(fd, out Errno error) ? Errno.ENOBUFS : error;
        }

        SendCall call = new(source, message);
        SyscallResult result = Run(fd, ref call, SocketEvents.Writable, (flags & MessageFlags.MSG_DONTWAIT) == 0, pinned);
        SignalBrokenPipe(result.Error == Errno.EPIPE && (flags & MessageFlags.MSG_NOSIGNAL) == 0 && call.Description.File.WritesAll);
        if (call.Message.Unix.Rights != null)
        {
            using (Driver.Enter())
            {
                Kernel.Unix.DropUnsent(ref call.Message.Unix);
            }
        }

        return result;
    }

    internal SyscallResult ReceiveMessage(int fd, IoCursor destination, MessageFlags flags, Span<byte> address, out int addressLength)
    {
        SyscallResult result = ReceiveMessage(fd, destination, flags, address, control: default, out ReceivedMessage received);
        addressLength = received.AddressLength;
        return result;
    }

    private SyscallResult ReceiveMessage(
        int fd,
        IoCursor destination,
        MessageFlags flags,
        Span<byte> address,
        Span<byte> control,
        out ReceivedMessage received,
        OpenFileDescription? pinned = null)
    {
        SocketMessage message = new() { Flags = flags, Address = address, ReceivedControl = new ControlWriter(control) };
        ReceiveCall call = new(destination, message);
        // Nobody waits for an error, and nobody for an urgent byte (tcp_recv_urg).
        bool mayBlock = (flags & (MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_ERRQUEUE | MessageFlags.MSG_OOB)) == 0;
        SyscallResult result = Run(fd, ref call, SocketEvents.Readable, mayBlock, pinned);

        // Linux gives this flag back among those that say something.
        MessageFlags returned = call.Message.ReturnedFlags | (flags & MessageFlags.MSG_CMSG_CLOEXEC);
        returned |= call.Message.ReceivedControl.IsTruncated ? MessageFlags.MSG_CTRUNC : MessageFlags.None;
        received = new ReceivedMessage(call.Message.AddressLength, call.Message.ReceivedControl.Length, returned);
        return result;
    }

    /// <summary>
    /// Looks a socket up for a call that uses it more than once: who closes the number meanwhile, and opens something else under it, changes
    /// nothing. Followed by <see cref="Unpin"/>. Errors: EBADF, ENOTSOCK.
    /// </summary>
    private bool TryPin(int fd, [NotNullWhen(true)] out OpenFileDescription? description, out Errno error)
    {
        using (Driver.Enter())
        {
            bool isSocket = TryGetSocket(fd, out _, out description, out error);
            if (isSocket)
            {
                description!.AddReference();
            }

            return isSocket;
        }
    }

    private void Unpin(OpenFileDescription description)
    {
        using (Driver.Enter())
        {
            description.Release();
        }
    }

    /// <summary>SO_ERROR.</summary>
    private Errno TakePendingError(SocketFile socket)
    {
        Span<byte> pending = stackalloc byte[sizeof(int)];
        using (Driver.Enter())
        {
            Errno error = socket.GetOption((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_ERROR, pending, out _);
            return error == Errno.None ? (Errno)BitConverter.ToInt32(pending) : Errno.None;
        }
    }

    /// <summary>What is wrong with the structure; the descriptor has been looked at. Errors: EINVAL, EMSGSIZE, EFAULT.</summary>
    private static unsafe Errno Check(in MessageHeader header, out IoCursor cursor)
    {
        cursor = default;
        if (header.Name != null && (int)header.NameLength < 0)
        {
            return Errno.EINVAL;
        }

        return header.VectorCount > MessagesMax
            ? Errno.EMSGSIZE
            : IoCursor.TryOver(new ReadOnlySpan<IoVector>(header.Vectors, (int)header.VectorCount), out cursor);
    }

    /// <summary>The name, cut to the longest that an address can be.</summary>
    private static unsafe ReadOnlySpan<byte> NameOf(in MessageHeader header) =>
        new(header.Name, header.Name == null ? 0 : (int)Math.Min(header.NameLength, AddressBytesMax));

    private static unsafe long BytesOf(in MessageHeader header)
    {
        long bytes = 0;
        for (nuint i = 0; i < header.VectorCount; i++)
        {
            bytes += (long)header.Vectors[i].Length;
        }

        return bytes;
    }
}
