using Portico.Kernel;

namespace Portico.AspNetCore;

/// <summary>
/// The socket of a connection, as a feature of it and of its requests: options, TCP_INFO. It stands where other transports have
/// <see cref="Microsoft.AspNetCore.Connections.Features.IConnectionSocketFeature"/>, which can only hold a socket of the operating
/// system. Sending and receiving are the transport's.
/// </summary>
public interface IPorticoSocketFeature
{
    /// <summary>The socket.</summary>
    TcpSocket Socket { get; }
}
