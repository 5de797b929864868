using System.Net;
using Portico.Kernel;

namespace Portico.AspNetCore;

/// <summary>
/// An end point that listens already, as <see cref="Microsoft.AspNetCore.Connections.FileHandleEndPoint"/> is for a descriptor that
/// was passed to the process: the server can be started when the first connection is there. The server closes it.
/// </summary>
public sealed class ListeningSocketEndPoint : EndPoint
{
    /// <summary>Names a socket that listens.</summary>
    public ListeningSocketEndPoint(TcpListenerSocket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        Socket = socket;
    }

    /// <summary>The socket.</summary>
    public TcpListenerSocket Socket { get; }

    /// <inheritdoc/>
    public override string ToString() => Socket.LocalEndpoint.ToString();
}
