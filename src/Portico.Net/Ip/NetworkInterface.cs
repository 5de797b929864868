namespace Portico.Net;

/// <summary>STUB: owned by the ip helper. A network interface of a stack: a link with addresses.</summary>
public sealed class NetworkInterface : ILinkClient
{
    internal NetworkInterface(NetworkStack stack, string name, int index, ILink link)
    {
        Stack = stack;
        Name = name;
        Index = index;
        Link = link;
        link.Attach(this);
    }

    /// <summary>The stack it belongs to.</summary>
    public NetworkStack Stack { get; }

    /// <summary>Its name, as in <c>ip link</c>.</summary>
    public string Name { get; }

    /// <summary>Its index, from 1; stays the same for its life.</summary>
    public int Index { get; }

    /// <summary>What it sends through.</summary>
    public ILink Link { get; }

    /// <summary>The largest IP packet; at most the link's.</summary>
    public int Mtu => Link.Mtu;

    /// <summary>
    /// Takes packets for any destination address as its own, and lets sockets send from any source, as a gateway's interface does
    /// that answers for the whole internet (<c>portico run</c>).
    /// </summary>
    public bool AcceptsAnyAddress { get; set; }

    /// <inheritdoc/>
    public void HandleFrame(Packet packet) => packet.Release();
}
