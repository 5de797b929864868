using Portico.Net;

namespace Portico.Linux;

// Sockets of the host that others come to.
internal readonly unsafe partial struct HostSocket
{
    /// <summary>
    /// Makes a socket and binds it, to one family only: the other family's port may be somebody else's. The errors are those of
    /// socket(2) and bind(2).
    /// </summary>
    public static Errno Bind(in Endpoint local, int type, int protocol, out HostSocket socket)
    {
        socket = default;
        bool isIpv4 = local.Address.IsIpv4;
        Errno error = DescriptorReserve.Open(isIpv4 ? LibC.AF_INET : LibC.AF_INET6, type, protocol, out int fd);
        if (error != Errno.None)
        {
            return error;
        }

        HostSocket made = new(fd);
        if (!isIpv4)
        {
            made.SetOption(LibC.IPPROTO_IPV6, LibC.IPV6_V6ONLY, 1);
        }

        if (type == LibC.SOCK_STREAM)
        {
            // As every server does it: connections of an earlier run may still be in TIME-WAIT.
            made.SetOption(LibC.SOL_SOCKET, LibC.SO_REUSEADDR, 1);
        }

        byte* address = stackalloc byte[28];
        uint length = WriteAddress(local, address);
        if (LibC.Bind(fd, address, length) != 0)
        {
            error = LastError;
            made.Close();
            return error;
        }

        socket = made;
        return Errno.None;
    }

    public Errno Listen(int backlog) => LibC.Listen(fd, backlog) == 0 ? Errno.None : LastError;

    /// <summary>Takes a connection, and who made it.</summary>
    public Errno Accept(out HostSocket socket, out Endpoint peer)
    {
        byte* address = stackalloc byte[28];
        uint length = 28;
        int accepted;
        do
        {
            accepted = LibC.Accept(fd, address, &length, LibC.SOCK_NONBLOCK | LibC.SOCK_CLOEXEC);
        }
        while (accepted < 0 && LastError == Errno.EINTR);

        socket = accepted < 0 ? default : new HostSocket(accepted);
        peer = default;
        if (accepted < 0)
        {
            return LastError;
        }

        TryReadAddress(address, length, out peer);
        return Errno.None;
    }
}
