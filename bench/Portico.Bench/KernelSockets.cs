using System.Runtime.InteropServices;

namespace Portico.Bench;

/// <summary>The Linux kernel's own sockets, by bare system calls: the cheapest that a .NET program can have.</summary>
internal static unsafe partial class KernelSockets
{
    private const int AF_INET = 2;
    private const int SOCK_STREAM = 1;
    private const int SOCK_CLOEXEC = 0x80000;
    private const int SOL_SOCKET = 1;
    private const int SO_REUSEADDR = 2;
    private const int SO_SNDBUF = 7;
    private const int SO_RCVBUF = 8;
    private const int IPPROTO_TCP = 6;
    private const int TCP_NODELAY = 1;

    [StructLayout(LayoutKind.Sequential)]
    private struct SockAddrIn
    {
        public ushort Family;
        public ushort PortBigEndian;
        public uint AddressBigEndian;
        public ulong Zero;
    }

    /// <summary>Listens at every address; returns the descriptor and the port.</summary>
    public static (int Fd, ushort Port) Listen(int backlog = 4096)
    {
        int fd = Checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        int one = 1;
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, 4);
        SockAddrIn address = new() { Family = AF_INET };
        Checked(bind(fd, &address, sizeof(SockAddrIn)), "bind");
        Checked(listen(fd, backlog), "listen");
        int length = sizeof(SockAddrIn);
        Checked(getsockname(fd, &address, &length), "getsockname");
        return (fd, BitConverter.IsLittleEndian ? System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(address.PortBigEndian) : address.PortBigEndian);
    }

    public static int Connect(uint address, ushort port)
    {
        int fd = Checked(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
        SockAddrIn remote = new()
        {
            Family = AF_INET,
            PortBigEndian = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(port),
            AddressBigEndian = System.Buffers.Binary.BinaryPrimitives.ReverseEndianness(address),
        };
        Checked(connect(fd, &remote, sizeof(SockAddrIn)), "connect");
        return fd;
    }

    public static int Accept(int listener) => Checked(accept(listener, null, null), "accept");

    /// <summary>A connection over loopback: both ends.</summary>
    public static (int Client, int Server) Pair(bool noDelay)
    {
        (int listener, ushort port) = Listen();
        int client = Connect(0x7F00_0001, port);
        int server = Accept(listener);
        Close(listener);
        if (noDelay)
        {
            SetNoDelay(client);
            SetNoDelay(server);
        }

        return (client, server);
    }

    public static void SetNoDelay(int fd)
    {
        int one = 1;
        Checked(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 4), "TCP_NODELAY");
    }

    public static void SetBuffers(int fd, int bytes)
    {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, 4);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, 4);
    }

    public static int Send(int fd, byte* data, int length) => Checked((int)send(fd, data, (nuint)length, 0), "send");

    public static int Receive(int fd, byte* data, int length) => Checked((int)recv(fd, data, (nuint)length, 0), "recv");

    public static void SendByte(int fd)
    {
        byte value = 0;
        Send(fd, &value, 1);
    }

    /// <summary>False at the end of the stream.</summary>
    public static bool ReceiveByte(int fd)
    {
        byte value;
        return Receive(fd, &value, 1) > 0;
    }

    public static void Shutdown(int fd) => _ = shutdown(fd, 2);

    public static void Close(int fd) => _ = close(fd);

    private static int Checked(int result, string call) =>
        result >= 0 ? result : throw new IOException($"{call}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int bind(int fd, SockAddrIn* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int listen(int fd, int backlog);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int getsockname(int fd, SockAddrIn* address, int* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int connect(int fd, SockAddrIn* address, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int accept(int fd, SockAddrIn* address, int* length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int setsockopt(int fd, int level, int name, void* value, int length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint send(int fd, byte* data, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint recv(int fd, byte* data, nuint length, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int shutdown(int fd, int how);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int close(int fd);
}
