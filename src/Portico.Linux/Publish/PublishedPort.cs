using Portico.Net;

namespace Portico.Linux;

/// <summary>A port of the host that leads to a port of the command.</summary>
public abstract class PublishedPort
{
    private protected PublishedPort(IpProtocol protocol, in Endpoint host, ushort port)
    {
        Protocol = protocol;
        Host = host;
        Port = port;
    }

    /// <summary>TCP or UDP.</summary>
    public IpProtocol Protocol { get; }

    /// <summary>Where the host listens.</summary>
    public Endpoint Host { get; }

    /// <summary>The command's port.</summary>
    public ushort Port { get; }

    /// <summary>Whether it is there because the command listens, and goes when the command stops.</summary>
    public bool IsAutomatic { get; internal set; }

    /// <summary>Connections, or flows of datagrams, at present.</summary>
    public abstract int FlowCount { get; }

    /// <summary>Stops to listen. Connections go on; flows of datagrams end, since their socket does.</summary>
    internal abstract void Close();
}
