using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A socket that waits for somebody: listening, or bound and not connected.</summary>
public readonly record struct WaitingSocket(IpProtocol Protocol, Endpoint Local, uint Inode);

/// <summary>Lists the sockets of a network namespace by sock_diag(7), as <c>ss</c> does.</summary>
public sealed unsafe class SocketDiagnostics : IDisposable
{
    private const int NETLINK_SOCK_DIAG = 4;
    private const ushort SOCK_DIAG_BY_FAMILY = 20;
    private const ushort NLM_F_REQUEST_DUMP = 0x301;
    private const ushort NLMSG_ERROR = 2;
    private const ushort NLMSG_DONE = 3;
    private const int TCP_LISTEN = 10;

    /// <summary>What an unconnected datagram socket is in.</summary>
    private const int TCP_CLOSE = 7;
    private const int HeaderBytes = 16;
    private const int RequestBytes = HeaderBytes + 56;
    private const int AnswerBytesMin = HeaderBytes + 72;

    private readonly byte[] _buffer = new byte[32 * 1024];
    private readonly int _fd;

    /// <summary>Opens a socket in the calling thread's network namespace, whose sockets it lists.</summary>
    public SocketDiagnostics()
    {
        _fd = LibC.Socket(LibC.AF_NETLINK, LibC.SOCK_RAW | LibC.SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
        if (_fd < 0)
        {
            throw LinuxException.Last("sock_diag socket");
        }
    }

    /// <summary>Adds the waiting sockets of a protocol, of both families. A kernel without the protocol's module has none.</summary>
    public void List(IpProtocol protocol, List<WaitingSocket> sockets)
    {
        ArgumentNullException.ThrowIfNull(sockets);
        List(protocol, LibC.AF_INET, sockets);
        List(protocol, LibC.AF_INET6, sockets);
    }

    private void List(IpProtocol protocol, int family, List<WaitingSocket> sockets)
    {
        // struct nlmsghdr and inet_diag_req_v2.
        Span<byte> request = stackalloc byte[RequestBytes];
        request.Clear();
        MemoryMarshal.Write(request, RequestBytes);
        MemoryMarshal.Write(request[4..], SOCK_DIAG_BY_FAMILY);
        MemoryMarshal.Write(request[6..], NLM_F_REQUEST_DUMP);
        request[HeaderBytes] = (byte)family;
        request[HeaderBytes + 1] = (byte)protocol;
        MemoryMarshal.Write(request[(HeaderBytes + 4)..], 1u << (protocol == IpProtocol.Tcp ? TCP_LISTEN : TCP_CLOSE));
        fixed (byte* bytes = request)
        {
            if (LibC.Send(_fd, bytes, RequestBytes, 0) < 0)
            {
                throw LinuxException.Last("sock_diag");
            }
        }

        fixed (byte* bytes = _buffer)
        {
            bool isDone = false;
            while (!isDone)
            {
                nint count = LibC.Receive(_fd, bytes, (nuint)_buffer.Length, 0);
                if (count <= 0)
                {
                    throw LinuxException.Last("sock_diag");
                }

                isDone = Read(_buffer.AsSpan(0, (int)count), protocol, sockets);
            }
        }
    }

    /// <summary>Reads the messages of one datagram; true at the end of the list.</summary>
    private static bool Read(ReadOnlySpan<byte> messages, IpProtocol protocol, List<WaitingSocket> sockets)
    {
        while (messages.Length >= HeaderBytes)
        {
            int length = MemoryMarshal.Read<int>(messages);
            ushort type = MemoryMarshal.Read<ushort>(messages[4..]);
            if (type is NLMSG_DONE or NLMSG_ERROR || length < HeaderBytes || length > messages.Length)
            {
                return true;
            }

            if (type == SOCK_DIAG_BY_FAMILY && length >= AnswerBytesMin)
            {
                // struct inet_diag_msg: four bytes, then struct inet_diag_sockid, and the inode at the end.
                ReadOnlySpan<byte> message = messages[HeaderBytes..];
                IpAddress local = message[0] == LibC.AF_INET ? IpAddress.ReadIpv4(message[8..]) : IpAddress.ReadIpv6(message[8..]);
                ushort port = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
                sockets.Add(new WaitingSocket(protocol, new Endpoint(local, port), MemoryMarshal.Read<uint>(message[68..])));
            }

            messages = messages[Math.Min((length + 3) & ~3, messages.Length)..];
        }

        return false;
    }

    /// <summary>Closes the socket.</summary>
    public void Dispose() => LibC.Close(_fd);
}
