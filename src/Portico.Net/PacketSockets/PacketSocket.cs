namespace Portico.Net;

/// <summary>The state of one packet socket.</summary>
internal sealed class PacketSocket(int index) : DatagramSocket(index)
{
    public bool IsCooked;
    public ushort Protocol;

    /// <summary>The only interface that it receives from; 0 for all, -1 for one that is gone.</summary>
    public int InterfaceIndex;

    public PacketSocketOptions Options;
    public Errno Pending;
    public SocketFilter? Filter;

    /// <summary>tp_packets and tp_drops since they were last read.</summary>
    public uint CountedPackets;
    public uint CountedDrops;

    public void Reset(in PacketOpenRequest request, int receiveMemory)
    {
        IsCooked = request.IsCooked;
        Protocol = request.Protocol;
        InterfaceIndex = 0;
        Options = new PacketSocketOptions { ReceiveMemoryMax = receiveMemory };
        Pending = Errno.None;
        Filter = null;
        CountedPackets = CountedDrops = 0;
    }

    /// <summary>Whether frames of an interface are for the socket, but for their protocol.</summary>
    public bool ListensOn(NetworkInterface candidate) =>
        IsOpen && Protocol != 0 && (InterfaceIndex == 0 || InterfaceIndex == candidate.Index);
}
