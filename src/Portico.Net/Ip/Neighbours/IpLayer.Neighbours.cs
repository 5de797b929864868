namespace Portico.Net;

public sealed unsafe partial class IpLayer
{
    /// <summary>
    /// A transport has evidence that what it sends along a route arrives: new data was acknowledged, say (RFC 4861 7.3.1). Cheap enough
    /// to be called for every such acknowledgment.
    /// </summary>
    internal void ConfirmReachability(in RouteCache route)
    {
        if (!route.IsLocal)
        {
            _interfaces[route.InterfaceIndex]?.Neighbours?.ConfirmReachability(route.NextHop);
        }
    }
}
