using Portico.Net;

namespace Portico.Kernel;

// Making unix sockets, one or two.
public sealed partial class Process
{
    /// <summary>
    /// socketpair(2): two sockets that are connected with each other. Errors: those of <see cref="Socket"/>, EOPNOTSUPP for families
    /// other than AF_UNIX.
    /// </summary>
    public SyscallResult SocketPair(AddressFamily family, SocketType type, int protocol, out int first, out int second)
    {
        first = second = -1;
        using (Driver.Enter())
        {
            BeginCall();
            if (HasUnknownFlags(type))
            {
                return Errno.EINVAL;
            }

            SocketFile? one = null;
            Errno error = CheckRoomForPair();
            error = error == Errno.None ? MakeSocket(family, type & KindMask, protocol, out one) : error;
            return error == Errno.None ? InstallPair(one!, type, protocol, out first, out second) : error;
        }
    }

    private SyscallResult InstallPair(SocketFile one, SocketType type, int protocol, out int first, out int second)
    {
        first = second = -1;
        Errno error = MakeSocket(one.Family, type & KindMask, protocol, out SocketFile? other);
        if (error == Errno.None)
        {
            error = one.ConnectPair(other!);
        }

        if (error != Errno.None)
        {
            one.Abandon();
            other?.Abandon();
            return error;
        }

        SyscallResult result = InstallSocket(one, type);
        if (result.IsError)
        {
            other!.Abandon();
            return result;
        }

        int installed = (int)result.Value;
        result = InstallSocket(other!, type);
        if (result.IsError)
        {
            _descriptors.Remove(installed)!.Release();
            return result;
        }

        (first, second) = (installed, (int)result.Value);
        return 0;
    }

    /// <summary>Numbers for both are looked for before anything else. Errors: ESRCH, EMFILE.</summary>
    private Errno CheckRoomForPair()
    {
        Errno error = FindFree(0, out int fd);
        return error == Errno.None ? FindFree(fd + 1, out _) : error;
    }

    private Errno MakeUnixSocket(SocketType kind, int protocol, out SocketFile? made)
    {
        made = null;
        if (protocol is not (0 or (int)AddressFamily.AF_UNIX))
        {
            return Errno.EPROTONOSUPPORT;
        }

        if (kind is not (SocketType.SOCK_STREAM or SocketType.SOCK_DGRAM or SocketType.SOCK_RAW or SocketType.SOCK_SEQPACKET))
        {
            return Errno.ESOCKTNOSUPPORT;
        }

        if (!Kernel.Unix.HasRoom)
        {
            return Errno.ENFILE;
        }

        // BSD had raw unix sockets; they are sockets of datagrams.
        made = new UnixSocket(Kernel.Unix, Network, kind == SocketType.SOCK_RAW ? SocketType.SOCK_DGRAM : kind);
        return Errno.None;
    }
}
