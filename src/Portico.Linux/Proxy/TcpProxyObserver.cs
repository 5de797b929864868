using Portico.Net;

namespace Portico.Linux;

/// <summary>What happened on the host's side of a forwarded connection.</summary>
public enum TcpProxyEventKind
{
    /// <summary>The host's socket begins to connect.</summary>
    Connecting,

    /// <summary>The host's socket is connected.</summary>
    Connected,

    /// <summary>The host's connect(2) failed.</summary>
    ConnectFailed,

    /// <summary>The policy does not let the connection out, or nothing stands for the address outside.</summary>
    Denied,

    /// <summary>The other side outside has sent all that it has (its FIN).</summary>
    Ended,

    /// <summary>The other side outside has reset the connection, or it failed.</summary>
    Failed,
}

/// <summary>
/// One event of a forwarded connection: the program's end <paramref name="Source"/>, the address that it asked for, and where
/// the host's socket goes for it.
/// </summary>
public readonly record struct TcpProxyEvent(
    TcpProxyEventKind Kind, Endpoint Source, Endpoint Destination, Endpoint Target, Errno Error = Errno.None);

/// <summary>Hears what happens on the host's side of forwarded connections, under the driver's lock.</summary>
public interface ITcpProxyObserver
{
    /// <summary>Something has happened.</summary>
    void OnProxyEvent(in TcpProxyEvent what);
}
