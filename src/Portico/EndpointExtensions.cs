using System.Net;
using Portico.Net;

namespace Portico;

/// <summary>Conversions between the BCL's end points and Portico's.</summary>
public static class EndpointExtensions
{
    /// <summary>The BCL's form.</summary>
    public static IPEndPoint ToIPEndPoint(this Endpoint endpoint) => new(endpoint.Address.ToIPAddress(), endpoint.Port);

    /// <summary>Portico's form.</summary>
    public static Endpoint ToEndpoint(this IPEndPoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return new Endpoint(IpAddress.From(endpoint.Address), (ushort)endpoint.Port);
    }
}
