namespace Portico.Net;

/// <summary>A packet socket, as /proc/net/packet shows it.</summary>
public struct PacketSocketRecord
{
    /// <summary>SOCK_DGRAM.</summary>
    public bool IsCooked;

    /// <summary>The EtherType that it receives.</summary>
    public ushort Protocol;

    /// <summary>The only interface that it receives from; 0 for all, -1 for one that is gone.</summary>
    public int InterfaceIndex;

    /// <summary>Whether it receives anything at all.</summary>
    public bool IsRunning;

    /// <summary>Memory of its unread packets (Linux: sk_rmem_alloc).</summary>
    public uint ReceiveQueue;

    /// <summary>Who holds it.</summary>
    public ISocketOwner? Owner;

    /// <summary>Names the socket as long as it lives.</summary>
    public ulong Cookie;
}

public sealed partial class PacketSocketLayer
{
    /// <summary>
    /// Writes the next open sockets behind the cursor (0 to begin), and returns how many; 0 at the end. Call again until then: the stack may
    /// go on between two calls. Allocates nothing.
    /// </summary>
    public int ListSockets(ref int cursor, Span<PacketSocketRecord> records)
    {
        int count = 0;
        while (count < records.Length && cursor < _sockets.Places)
        {
            PacketSocket socket = _sockets[cursor++];
            if (!socket.IsOpen)
            {
                continue;
            }

            bool isThere = socket.InterfaceIndex == 0 || (socket.InterfaceIndex > 0 && _stack.Ip.InterfaceAt(socket.InterfaceIndex) is { IsUp: true });
            records[count++] = new PacketSocketRecord
            {
                IsCooked = socket.IsCooked,
                Protocol = socket.Protocol,
                InterfaceIndex = socket.InterfaceIndex,
                IsRunning = socket.Protocol != 0 && isThere,
                ReceiveQueue = (uint)socket.Queue.Memory,
                Owner = _engine.OwnerAt(socket.OwnerSlot),
                Cookie = ((ulong)socket.Generation << 32) | (uint)socket.Index,
            };
        }

        return count;
    }
}
