using Portico.Net;

namespace Portico.Kernel;

// What can be asked of a socket and set.
public sealed partial class TcpSocket
{
    /// <inheritdoc/>
    public override SocketEvents Poll()
    {
        using (Driver.Enter())
        {
            return _isOpen ? Tcp.Poll(_handle) : SocketEvents.Writable | SocketEvents.HangUp;
        }
    }

    /// <summary>Reads and clears the pending error (SO_ERROR).</summary>
    public Errno TakeError()
    {
        using (Driver.Enter())
        {
            return _isOpen ? Tcp.TakeError(_handle) : Errno.None;
        }
    }

    /// <summary>Sets an option; before the connect it is kept until then.</summary>
    public Errno SetOption(TcpOption option, int value)
    {
        using (Driver.Enter())
        {
            if (IsClosed)
            {
                return Errno.EBADF;
            }

            if (_isOpen)
            {
                return Tcp.SetOption(_handle, option, value);
            }

            (_optionsBeforeOpen ??= []).Add((option, value));
            return Errno.None;
        }
    }

    /// <summary>Reads an option of the connection.</summary>
    public Errno GetOption(TcpOption option, out int value)
    {
        using (Driver.Enter())
        {
            value = 0;
            Errno error = CheckOpen();
            return error == Errno.None ? Tcp.GetOption(_handle, option, out value) : error;
        }
    }

    /// <summary>The two ends. Errors: ENOTCONN.</summary>
    public Errno GetEndpoints(out Endpoint local, out Endpoint remote)
    {
        using (Driver.Enter())
        {
            local = _bound;
            remote = default;
            Errno error = CheckOpen();
            return error == Errno.None ? Tcp.GetEndpoints(_handle, out local, out remote) : error;
        }
    }

    /// <summary>The connection's state and measurements. Errors: ENOTCONN.</summary>
    public Errno GetInfo(out TcpInfo info)
    {
        using (Driver.Enter())
        {
            info = default;
            Errno error = CheckOpen();
            return error == Errno.None ? Tcp.GetInfo(_handle, out info) : error;
        }
    }
}
