using System.Net.Sockets;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Turns <see cref="Errno"/> into what <see cref="System.Net.Sockets"/> reports for it on Linux.</summary>
public static class SocketErrors
{
    /// <summary>The exception for an error.</summary>
    public static SocketException ToException(this Errno error) => new((int)ToSocketError(error));

    /// <summary>The exception for an error of a stream, as from <see cref="NetworkStream"/>.</summary>
    public static IOException ToIOException(this Errno error)
    {
        SocketException inner = ToException(error);
        return new IOException(inner.Message, inner);
    }

    /// <summary>Throws unless the call succeeded.</summary>
    public static void ThrowIfError(this Errno error)
    {
        if (error != Errno.None)
        {
            throw ToException(error);
        }
    }

    /// <summary>The BCL's name for an error.</summary>
    public static SocketError ToSocketError(this Errno error) => error switch
    {
        Errno.None => SocketError.Success,
        Errno.EACCES or Errno.EPERM => SocketError.AccessDenied,
        Errno.EADDRINUSE => SocketError.AddressAlreadyInUse,
        Errno.EADDRNOTAVAIL or Errno.ENOENT => SocketError.AddressNotAvailable,
        Errno.EAFNOSUPPORT => SocketError.AddressFamilyNotSupported,
        Errno.EAGAIN => SocketError.WouldBlock,
        Errno.EALREADY => SocketError.AlreadyInProgress,
        Errno.EBADF => SocketError.OperationAborted,
        Errno.ECONNABORTED => SocketError.ConnectionAborted,
        Errno.ECONNREFUSED => SocketError.ConnectionRefused,
        Errno.ECONNRESET => SocketError.ConnectionReset,
        Errno.EDESTADDRREQ => SocketError.DestinationAddressRequired,
        Errno.EFAULT => SocketError.Fault,
        Errno.EHOSTDOWN => SocketError.HostDown,
        Errno.EHOSTUNREACH => SocketError.HostUnreachable,
        Errno.EINPROGRESS => SocketError.InProgress,
        Errno.EINTR => SocketError.Interrupted,
        Errno.EINVAL => SocketError.InvalidArgument,
        Errno.EISCONN => SocketError.IsConnected,
        Errno.EMFILE or Errno.ENFILE => SocketError.TooManyOpenSockets,
        Errno.EMSGSIZE => SocketError.MessageSize,
        Errno.ENETDOWN => SocketError.NetworkDown,
        Errno.ENETRESET => SocketError.NetworkReset,
        Errno.ENETUNREACH => SocketError.NetworkUnreachable,
        Errno.ENOBUFS or Errno.ENOMEM => SocketError.NoBufferSpaceAvailable,
        Errno.ENOPROTOOPT => SocketError.ProtocolOption,
        Errno.ENOTCONN => SocketError.NotConnected,
        Errno.ENOTSOCK => SocketError.NotSocket,
        Errno.ENXIO => SocketError.HostNotFound,
        Errno.EOPNOTSUPP => SocketError.OperationNotSupported,
        Errno.EPFNOSUPPORT => SocketError.ProtocolFamilyNotSupported,
        Errno.EPIPE => SocketError.Shutdown,
        Errno.EPROTONOSUPPORT => SocketError.ProtocolNotSupported,
        Errno.EPROTOTYPE => SocketError.ProtocolType,
        Errno.ESHUTDOWN => SocketError.Disconnecting,
        Errno.ESOCKTNOSUPPORT => SocketError.SocketNotSupported,
        Errno.ETIMEDOUT => SocketError.TimedOut,
        _ => SocketError.SocketError,
    };
}
