using System.Buffers.Binary;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>The system calls that scripts may make: from the script's arguments to Linux's, and back.</summary>
internal static partial class ScriptCalls
{
    private const int AddressBytes = 128;

    private static readonly Dictionary<string, Action<CallFrame>> s_calls = new()
    {
        ["socket"] = Socket,
        ["bind"] = Bind,
        ["listen"] = Listen,
        ["accept"] = Accept,
        ["connect"] = Connect,
        ["shutdown"] = Shutdown,
        ["close"] = Close,
        ["read"] = static frame => Transfer(frame, SyscallNumber.read),
        ["write"] = static frame => Transfer(frame, SyscallNumber.write),
        ["readv"] = static frame => TransferVector(frame, SyscallNumber.readv),
        ["writev"] = static frame => TransferVector(frame, SyscallNumber.writev),
        ["recv"] = static frame => Receive(frame, 4),
        ["recvfrom"] = static frame => Receive(frame, 6),
        ["send"] = Send,
        ["sendto"] = SendTo,
        ["sendmsg"] = SendMessage,
        ["recvmsg"] = ReceiveMessage,
        ["getsockopt"] = GetOption,
        ["setsockopt"] = SetOption,
        ["fcntl"] = Fcntl,
        ["ioctl"] = Ioctl,
        ["poll"] = Poll,
        ["epoll_create"] = EpollCreate,
        ["epoll_ctl"] = EpollControl,
        ["epoll_wait"] = EpollWait,
        ["pipe"] = Pipe,
        ["splice"] = Splice,
        ["open"] = Open,
        ["sendfile"] = SendFile,
    };

    /// <summary>Makes a call of a script, or fails.</summary>
    public static void Make(CallFrame frame)
    {
        if (!s_calls.TryGetValue(frame.Call.Name, out Action<CallFrame>? call))
        {
            throw frame.Fail("there is no such system call for scripts");
        }

        call(frame);
    }

    private static void Socket(CallFrame frame)
    {
        frame.RequireArguments(3);
        int domain = frame.IsEllipsis(0) ? frame.Run.Configuration.SocketDomain : frame.Int(0);
        int type = frame.Int(1);
        int protocol = frame.Int(2);
        long fd = frame.Invoke(SyscallNumber.socket, domain, type, protocol, returnsFd: true);
        if (fd < 0)
        {
            return;
        }

        const int TypeMask = 0xF;
        IpProtocol meant = protocol != 0 ? (IpProtocol)protocol : (type & TypeMask) == (int)SocketType.SOCK_DGRAM ? IpProtocol.Udp : IpProtocol.Tcp;
        frame.Run.AddFd(frame, (int)frame.Evaluate(frame.Call.Result), (int)fd, new ScriptSocket { Protocol = meant });
    }

    private static void Bind(CallFrame frame)
    {
        frame.RequireArguments(3);
        int fd = frame.Fd(0);
        frame.RequireEllipsis(1);
        frame.RequireEllipsis(2);
        byte[] address = frame.Run.Configuration.BindAddress;
        frame.Invoke(SyscallNumber.bind, fd, frame.Memory.Put(address), address.Length);
    }

    private static void Listen(CallFrame frame)
    {
        frame.RequireArguments(2);
        int fd = frame.Fd(0);
        if (frame.Invoke(SyscallNumber.listen, fd, frame.Int(1)) >= 0 && frame.Run.FindSocket(frame.Int(0)) is { } socket)
        {
            socket.State = ScriptSocketState.Listening;
        }
    }

    private static void Accept(CallFrame frame)
    {
        frame.RequireArguments(3);
        int listener = frame.Fd(0);
        frame.RequireEllipsis(1);
        frame.RequireEllipsis(2);
        nint address = frame.Memory.Allocate(AddressBytes);
        long fd = frame.Invoke(SyscallNumber.accept, listener, address, frame.Memory.Put(AddressBytes), returnsFd: true);
        if (fd >= 0)
        {
            ScriptSocket accepted = frame.Run.FindAccepted() ?? throw frame.Fail("it gave a connection that the script has not made");
            frame.Run.AddFd(frame, (int)frame.Evaluate(frame.Call.Result), (int)fd, accepted);
        }
    }

    /// <summary>The address that a call connects to: the peer's, or one of another family that ends a connection.</summary>
    private static (nint Address, int Length) BeginConnect(CallFrame frame, int addressIndex)
    {
        const int AnyAddressBytes = 16;
        byte[] peer = frame.Run.Configuration.ConnectAddress;
        ScriptSocket? socket = frame.Run.FindSocket(frame.Int(0));
        if (addressIndex >= 0 && !frame.IsEllipsis(addressIndex))
        {
            short family = (short)frame.Int(addressIndex);
            if (family == 0 && socket != null)
            {
                socket.State = ScriptSocketState.New;
            }

            byte[] other = new byte[AnyAddressBytes];
            BitConverter.TryWriteBytes(other, family);
            return (frame.Memory.Put(other), other.Length);
        }

        if (socket is { State: ScriptSocketState.New })
        {
            socket.State = ScriptSocketState.Connecting;
            socket.Local = default;
            socket.Remote = new Endpoint(frame.Run.Configuration.Remote, ScriptConfiguration.ConnectPort);
        }

        return (frame.Memory.Put(peer), peer.Length);
    }

    private static void Connect(CallFrame frame)
    {
        frame.RequireArguments(3);
        int fd = frame.Fd(0);
        frame.RequireEllipsis(2);
        (nint address, int length) = BeginConnect(frame, 1);
        frame.Invoke(SyscallNumber.connect, fd, address, length);
    }

    private static void Shutdown(CallFrame frame)
    {
        frame.RequireArguments(2);
        frame.Invoke(SyscallNumber.shutdown, frame.Fd(0), frame.Int(1));
    }

    private static void Close(CallFrame frame)
    {
        frame.RequireArguments(1);
        if (frame.Invoke(SyscallNumber.close, frame.Fd(0)) >= 0)
        {
            frame.Run.ForgetFd(frame.Int(0));
        }
    }

    private static void Transfer(CallFrame frame, SyscallNumber number)
    {
        frame.RequireArguments(3);
        int count = frame.Int(2);
        frame.Invoke(number, frame.Fd(0), frame.Buffer(1, count), count);
    }

    private static void TransferVector(CallFrame frame, SyscallNumber number)
    {
        frame.RequireArguments(3);
        (nint vectors, int count) = Vectors(frame, frame.Argument(1));
        frame.Invoke(number, frame.Fd(0), vectors, count == frame.Int(2) ? count : throw frame.Fail($"expected {count} as the number of pieces"));
    }

    /// <summary>[{..., length}, ...] as struct iovec.</summary>
    private static unsafe (nint Vectors, int Count) Vectors(CallFrame frame, Expression? expression)
    {
        if (expression is not ListExpression list)
        {
            throw frame.Fail("expected [{..., length}, ...]");
        }

        nint vectors = frame.Memory.Allocate((long)list.Items.Count * sizeof(IoVector));
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (list.Items[i] is not ListExpression { Items: [EllipsisExpression, Expression length] })
            {
                throw frame.Fail("expected {..., length}");
            }

            long bytes = frame.Evaluate(length);
            ((IoVector*)vectors)[i] = new IoVector((void*)frame.Allocate(bytes), (nuint)Math.Max(0, bytes));
        }

        return (vectors, list.Items.Count);
    }

    private static void Receive(CallFrame frame, int arguments)
    {
        frame.RequireArguments(arguments);
        int count = frame.Int(2);
        bool hasAddress = arguments == 6;
        if (hasAddress)
        {
            frame.RequireEllipsis(4);
            frame.RequireEllipsis(5);
        }

        nint address = hasAddress ? frame.Memory.Allocate(AddressBytes) : 0;
        frame.Invoke(SyscallNumber.recvfrom, frame.Fd(0), frame.Buffer(1, count), count, frame.Int(3), address, hasAddress ? frame.Memory.Put(AddressBytes) : 0);
    }

    private static void Send(CallFrame frame)
    {
        frame.RequireArguments(4);
        int count = frame.Int(2);
        frame.Invoke(SyscallNumber.sendto, frame.Fd(0), frame.Buffer(1, count), count, frame.Int(3));
    }

    private static void SendTo(CallFrame frame)
    {
        frame.RequireArguments(6);
        int count = frame.Int(2);
        int fd = frame.Fd(0);
        frame.RequireEllipsis(5);
        (nint address, int length) = BeginConnect(frame, 4);
        frame.Invoke(SyscallNumber.sendto, fd, frame.Buffer(1, count), count, frame.Int(3), address, length);
    }

    private static void Fcntl(CallFrame frame)
    {
        frame.RequireArguments(2, 3);
        frame.Invoke(SyscallNumber.fcntl, frame.Fd(0), frame.Int(1), frame.Call.Arguments.Count == 3 ? frame.Int(2) : 0);
    }

    private static void Ioctl(CallFrame frame)
    {
        frame.RequireArguments(2, 3);
        int fd = frame.Fd(0);
        if (frame.Call.Arguments.Count == 2)
        {
            frame.Invoke(SyscallNumber.ioctl, fd, frame.Int(1));
            return;
        }

        int expected = (int)frame.Bracketed(2);
        nint value = frame.Memory.Allocate(64);
        if (frame.Invoke(SyscallNumber.ioctl, fd, frame.Int(1), value) >= 0 && CallMemory.ReadInt(value) != expected)
        {
            throw frame.Fail("the value is another", $"[{expected}]", $"[{CallMemory.ReadInt(value)}]");
        }
    }

    private static void GetOption(CallFrame frame)
    {
        frame.RequireArguments(5);
        int fd = frame.Fd(0);
        int length = (int)frame.Bracketed(4);
        nint value = frame.Allocate(length);
        nint valueLength = frame.Memory.Put(length);
        if (frame.Invoke(SyscallNumber.getsockopt, fd, frame.Int(1), frame.Int(2), value, valueLength) < 0)
        {
            return;
        }

        int actualLength = CallMemory.ReadInt(valueLength);
        byte[] expected = OptionValue(frame, Math.Max(0, length));
        ReadOnlySpan<byte> actual = CallMemory.Read(value, Math.Clamp(actualLength, 0, Math.Max(0, length)));
        if (actualLength != length || !expected.AsSpan().SequenceEqual(actual))
        {
            throw frame.Fail("the option's value is another", ShowOption(expected, length), ShowOption(actual.ToArray(), actualLength));
        }
    }

    private static string ShowOption(byte[] value, int length) =>
        value.Length == sizeof(int) ? $"[{BitConverter.ToInt32(value)}], [{length}]" : $"{Convert.ToHexStringLower(value)}, [{length}]";

    private static void SetOption(CallFrame frame)
    {
        frame.RequireArguments(5);
        int length = frame.Int(4);
        nint value = frame.Memory.Put(OptionValue(frame, Math.Clamp(length, 0, 1 << 20)));
        frame.Invoke(SyscallNumber.setsockopt, frame.Fd(0), frame.Int(1), frame.Int(2), value, length);
    }

    /// <summary>[number], a string, an address or a structure, as long as the call says.</summary>
    private static byte[] OptionValue(CallFrame frame, int length)
    {
        byte[] bytes = frame.Argument(3) switch
        {
            ListExpression { Items: [Expression item] } => BitConverter.GetBytes((int)frame.Evaluate(item)),
            StringExpression text => text.Bytes,
            FunctionExpression { Name: "inet6_addr", Arguments: [StringExpression text] } when CallFrame.TryAddress(text, out IpAddress address) => Ipv6Bytes(address),
            StructureExpression linger when linger["onoff"] is { } onOff && linger["linger"] is { } seconds =>
                [.. BitConverter.GetBytes((int)frame.Evaluate(onOff)), .. BitConverter.GetBytes((int)frame.Evaluate(seconds))],
            _ => throw frame.Fail("argument 4 has to be [number], a string, {onoff=..., linger=...} or inet6_addr(...)"),
        };
        Array.Resize(ref bytes, length);
        return bytes;
    }

    private static byte[] Ipv6Bytes(IpAddress address)
    {
        byte[] bytes = new byte[16];
        address.WriteIpv6(bytes);
        return bytes;
    }
}
