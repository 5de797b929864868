using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>The state of one socket below the transports. Objects are reused; the generation is odd while the socket is open.</summary>
internal sealed class RawSocket(int index)
{
    /// <summary>ICMP6_FILTER has 256 bits, ICMP_FILTER the first 32 of them; a set bit keeps the type out.</summary>
    [InlineArray(8)]
    internal struct TypeFilter
    {
        private uint _first;
    }

    public readonly int Index = index;
    public uint Generation;
    public int OwnerSlot;
    public bool IsIpv6;
    public bool IsEcho;
    public byte Protocol;

    /// <summary>The identifier of an echo socket; 0 before it has one.</summary>
    public ushort Identifier;

    /// <summary>Grows with each identifier that is taken: of two sockets with the same one the newer receives.</summary>
    public long IdentifierAge;
    public bool IsConnected;
    public bool IsReceiveShut;
    public bool IsSendShut;

    /// <summary>What it receives on; the source of what it sends is <see cref="SourceAddress"/>, which is never a group.</summary>
    public IpAddress LocalAddress;
    public IpAddress SourceAddress;
    public bool IsAddressBound;
    public Endpoint Remote;
    public RawOptions Options;
    public TypeFilter Filter;
    public SocketFilter? Program;
    public int ReceiveHead;
    public int ReceiveTail;
    public int ReceiveCount;
    public int ReceiveMemory;
    public long Drops;
    public DatagramErrors Errors;

    public IpAddress Any => IsIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4;

    public void Reset(in RawOpenRequest request, UdpOptions udp)
    {
        IsIpv6 = request.IsIpv6;
        IsEcho = request.IsEcho;
        Protocol = request.Protocol;
        Identifier = 0;
        IsConnected = IsReceiveShut = IsSendShut = IsAddressBound = false;
        LocalAddress = SourceAddress = Any;
        Remote = default;
        Drops = 0;
        Errors = default;
        Filter = default;
        Program = null;
        Options = new RawOptions
        {
            HopLimit = -1,
            ReuseAddress = true,
            MulticastHopLimit = 1,
            MulticastLoop = true,
            MtuDiscover = UdpLayer.MtuDiscoverWant,
            ChecksumOffset = -1,
            ReceiveMemoryMax = udp.rmem_default,
        };
    }

    /// <summary>Whether the filter keeps a message of ICMP out.</summary>
    public bool IsFiltered(byte type) => (Filter[type >> 5] & (1u << (type & 31))) != 0 && (IsIpv6 || type < 32);

    /// <summary>Whether a packet is for the socket, but for its protocol.</summary>
    public bool Wants(in IpInfo info) =>
        (Generation & 1) != 0 && IsIpv6 == !info.Destination.IsIpv4
        && (LocalAddress.IsUnspecified || LocalAddress == info.Destination)
        && (!IsConnected || Remote.Address == info.Source)
        && (Options.InterfaceIndex == 0 || Options.InterfaceIndex == info.Interface.Index);
}
