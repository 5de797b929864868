namespace Portico.Net;

/// <summary>A datagram socket as sock_diag(7) reports it.</summary>
public struct UdpSocketRecord
{
    /// <summary>The own end; unspecified where it is not bound to an address.</summary>
    public Endpoint Local;

    /// <summary>The only peer; unspecified where the socket is not connected.</summary>
    public Endpoint Remote;

    /// <summary>Whether it has an only peer.</summary>
    public bool IsConnected;

    /// <summary>IPV6_V6ONLY.</summary>
    public bool Ipv6Only;

    /// <summary>Memory of its unread datagrams (Linux: sk_rmem_alloc).</summary>
    public uint ReceiveQueue;

    /// <summary>Datagrams that there was no memory for.</summary>
    public long Drops;

    /// <summary>Who holds it.</summary>
    public ISocketOwner? Owner;

    /// <summary>Names the socket as long as it lives.</summary>
    public ulong Cookie;
}

public sealed partial class UdpLayer
{
    /// <summary>
    /// Writes the next sockets behind the cursor (0 to begin) that have a port, and returns how many; 0 at the end. Call again until
    /// then: the stack may go on between two calls. Allocates nothing.
    /// </summary>
    public int ListSockets(ref int cursor, Span<UdpSocketRecord> records)
    {
        int count = 0;
        while (count < records.Length && cursor + 1 < _socketCount)
        {
            UdpSocket socket = _sockets[++cursor];
            if ((socket.Generation & 1) == 0 || !socket.Binding.IsBound)
            {
                continue;
            }

            records[count++] = new UdpSocketRecord
            {
                Local = new Endpoint(socket.LocalAddress, socket.Port),
                Remote = socket.IsConnected ? socket.Remote : new Endpoint(socket.Any, 0),
                IsConnected = socket.IsConnected,
                Ipv6Only = socket.Ipv6Only,
                ReceiveQueue = (uint)socket.ReceiveMemory,
                Drops = socket.Drops,
                Owner = _engine.OwnerAt(socket.OwnerSlot),
                Cookie = ((ulong)socket.Generation << 32) | (uint)socket.Index,
            };
        }

        return count;
    }
}
