namespace Portico.Net;

/// <summary>A socket below the transports, as /proc/net/raw and /proc/net/icmp show it.</summary>
public struct RawSocketRecord
{
    /// <summary>AF_INET6 instead of AF_INET.</summary>
    public bool IsIpv6;

    /// <summary>A socket for echo requests, whose ports are its identifier and what its peer was given as.</summary>
    public bool IsEcho;

    /// <summary>The own end; the port of a raw socket is its protocol.</summary>
    public Endpoint Local;

    /// <summary>The only peer; unspecified where the socket is not connected.</summary>
    public Endpoint Remote;

    /// <summary>Whether it has an only peer.</summary>
    public bool IsConnected;

    /// <summary>Memory of its unread packets (Linux: sk_rmem_alloc).</summary>
    public uint ReceiveQueue;

    /// <summary>Packets that there was no memory for.</summary>
    public long Drops;

    /// <summary>Who holds it.</summary>
    public ISocketOwner? Owner;

    /// <summary>Names the socket as long as it lives.</summary>
    public ulong Cookie;
}

public sealed partial class RawLayer
{
    /// <summary>
    /// Writes the next open sockets behind the cursor (0 to begin), and returns how many; 0 at the end. Call again until then: the stack may
    /// go on between two calls. Allocates nothing.
    /// </summary>
    public int ListSockets(ref int cursor, Span<RawSocketRecord> records)
    {
        int count = 0;
        while (count < records.Length && cursor < _sockets.Count)
        {
            RawSocket socket = _sockets[cursor++];
            if ((socket.Generation & 1) == 0)
            {
                continue;
            }

            records[count++] = new RawSocketRecord
            {
                IsIpv6 = socket.IsIpv6,
                IsEcho = socket.IsEcho,
                Local = new Endpoint(socket.LocalAddress, socket.IsEcho ? socket.Identifier : socket.Protocol),
                Remote = socket.IsConnected ? socket.Remote : new Endpoint(socket.Any, 0),
                IsConnected = socket.IsConnected,
                ReceiveQueue = (uint)socket.ReceiveMemory,
                Drops = socket.Drops,
                Owner = _engine.OwnerAt(socket.OwnerSlot),
                Cookie = ((ulong)socket.Generation << 32) | (uint)socket.Index,
            };
        }

        return count;
    }
}
