using System.Net;
using Portico.Kernel;
using Portico.Net;

namespace Portico;

/// <summary>Sends and receives datagrams of a host.</summary>
public sealed class PorticoUdpClient : IDisposable
{
    private readonly UdpSocket _socket;

    internal PorticoUdpClient(UdpSocket socket) => _socket = socket;

    /// <summary>The socket itself.</summary>
    public UdpSocket Socket => _socket;

    /// <summary>Where it is bound.</summary>
    public IPEndPoint LocalEndPoint
    {
        get
        {
            _socket.GetEndpoints(out Endpoint local, out _).ThrowIfError();
            return local.ToIPEndPoint();
        }
    }

    /// <summary>Sends a datagram.</summary>
    /// <exception cref="System.Net.Sockets.SocketException">It could not be sent, or an earlier one was answered by an ICMP error.</exception>
    public void Send(ReadOnlySpan<byte> datagram, IPEndPoint destination) => _socket.SendTo(datagram, destination.ToEndpoint()).ThrowIfError();

    /// <summary>Receives a datagram, waiting for one. What does not fit in the buffer is lost. Cancelling receives none.</summary>
    public async ValueTask<(int Received, IPEndPoint Source)> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        UdpReceived received = await _socket.ReceiveAsync(buffer, cancellationToken).ConfigureAwait(false);
        return (received.Received, received.Info.Source.ToIPEndPoint());
    }

    /// <summary>Closes the socket; waiting receives fail.</summary>
    public void Dispose() => _socket.Dispose();
}
