namespace Portico.Net;

/// <summary>An echo request that came in, as an <see cref="IIcmpEchoHandler"/> sees it.</summary>
public readonly record struct IcmpEchoRequest(
    IpAddress Source, IpAddress Destination, ushort Identifier, ushort SequenceNumber, byte HopLimit, byte TrafficClass);

/// <summary>Takes echo requests to addresses that are not the host's own, as a transparent proxy does.</summary>
public interface IIcmpEchoHandler
{
    /// <summary>
    /// A request to any address on an interface that accepts all. Return true to take it, and answer later (or never) by
    /// <see cref="IcmpLayer.SendEchoReply"/>; false lets the stack answer it itself. The payload is valid during the call.
    /// </summary>
    bool OnEchoRequest(in IcmpEchoRequest request, ReadOnlySpan<byte> payload);
}

/// <summary>An open echo socket: its place, and its generation, so that a stale handle is noticed.</summary>
public readonly record struct IcmpEchoHandle(int Index, uint Generation);

/// <summary>What came back for an echo request.</summary>
public struct IcmpEchoReply
{
    /// <summary>Who answered.</summary>
    public IpAddress Source;

    /// <summary>The address of this host that it was sent to.</summary>
    public IpAddress Destination;

    /// <summary>The sequence number of the request.</summary>
    public ushort SequenceNumber;

    /// <summary>TTL or hop limit with which the reply arrived.</summary>
    public byte HopLimit;

    /// <summary>When it arrived.</summary>
    public MonoTime Time;

    /// <summary>Bytes of payload that the reply had; more than the buffer took means that it was cut.</summary>
    public int PayloadBytes;
}

/// <summary>One application's echo identifier (a "ping socket": socket(2) with SOCK_DGRAM and IPPROTO_ICMP).</summary>
internal sealed class IcmpEchoSocket
{
    public uint Generation = 1;
    public bool IsOpen;
    public bool IsIpv4;
    public ushort Identifier;
    public IpAddress LocalAddress;
    public int InterfaceIndex;
    public int OwnerSlot;
    public Errno PendingError;
    public Queue<(Packet Packet, IcmpEchoReply Reply)> Replies = [];
    public int ReplyBytes;
}
