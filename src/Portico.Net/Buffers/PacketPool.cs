namespace Portico.Net;

/// <summary>The engine's packets, reused last in, first out.</summary>
public sealed unsafe class PacketPool : IDisposable
{
    private readonly List<Packet> _all = [];
    private Packet? _free;

    internal PacketPool(BlockPool blocks) => Blocks = blocks;

    internal BlockPool Blocks { get; }

    /// <summary>Packets that somebody owns; back to its start when the engine is idle, or there is a leak.</summary>
    public int Outstanding { get; private set; }

    /// <summary>A packet whose linear part is its own 256 bytes: for headers, with the payload in fragments.</summary>
    internal Packet Rent()
    {
        Packet packet = Take();
        packet.Reset(null);
        return packet;
    }

    /// <summary>
    /// A packet with room for <paramref name="bytes"/> behind the standard headroom; null when the engine's memory limit is reached.
    /// </summary>
    public Packet? RentLinear(int bytes)
    {
        int capacity = Packet.Headroom + bytes;
        if (capacity <= Packet.OwnBytes)
        {
            return Rent();
        }

        Block* block = capacity <= BlockPool.LargeBytes ? Blocks.Rent(capacity) : null;
        if (block == null)
        {
            return null;
        }

        Packet packet = Take();
        packet.Reset(block);
        return packet;
    }

    /// <summary>A linear copy of a packet, from its first byte, with offsets and flags; null when memory is short.</summary>
    public Packet? Clone(Packet packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        Packet? copy = RentLinear(packet.Length);
        if (copy == null)
        {
            return null;
        }

        packet.CopyTo(copy.Append(packet.Length));
        int shift = copy.Start - packet.Start;
        copy.NetworkOffset = packet.NetworkOffset + shift;
        copy.TransportOffset = packet.TransportOffset + shift;
        copy.Checksum = packet.Checksum;
        copy.GsoSize = packet.GsoSize;
        copy.Timestamp = packet.Timestamp;
        copy.IsLinkBroadcast = packet.IsLinkBroadcast;
        copy.Notes = packet.Notes;
        copy.Congestion = packet.Congestion;
        return copy;
    }

    private Packet Take()
    {
        Outstanding++;
        Packet? packet = _free;
        if (packet == null)
        {
            packet = new Packet(this);
            _all.Add(packet);
            return packet;
        }

        _free = packet.Next;
        return packet;
    }

    internal void Return(Packet packet)
    {
        Outstanding--;
        packet.Next = _free;
        packet.Target = null;
        _free = packet;
    }

    /// <summary>Frees the native memory of all packets.</summary>
    public void Dispose()
    {
        foreach (Packet packet in _all)
        {
            packet.FreeOwnMemory();
        }

        _all.Clear();
        _free = null;
    }
}
