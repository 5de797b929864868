using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>What an ARP packet asks or says (RFC 826).</summary>
public enum ArpOperation : ushort
{
#pragma warning disable CS1591 // The names are the RFC's.
    Request = 1,
    Reply = 2,
#pragma warning restore CS1591
}

/// <summary>An ARP packet for IPv4 over Ethernet (RFC 826); 28 bytes behind the Ethernet header.</summary>
public readonly ref struct ArpPacket
{
    /// <summary>Bytes that the packet takes.</summary>
    public const int Length = 28;

    private const ulong EthernetIpv4 = 0x0001_0800_0604;

    private readonly ref byte _first;

    private ArpPacket(ref byte first) => _first = ref first;

    /// <summary>Request, reply, or something that is ignored.</summary>
    public ArpOperation Operation => (ArpOperation)Big.Read16(ref _first, 6);

    /// <summary>ar$sha.</summary>
    public MacAddress SenderHardware => new(Big.Read64(ref _first, 8) >> 16);

    /// <summary>ar$spa.</summary>
    public IpAddress SenderProtocol => IpAddress.FromIpv4(Big.Read32(ref _first, 14));

    /// <summary>ar$tha.</summary>
    public MacAddress TargetHardware => new(Big.Read64(ref _first, 18) >> 16);

    /// <summary>ar$tpa.</summary>
    public IpAddress TargetProtocol => IpAddress.FromIpv4(Big.Read32(ref _first, 24));

    /// <summary>Views the packet; false where it is short, or not for 6-byte Ethernet and 4-byte IPv4 addresses.</summary>
    public static bool TryParse(ReadOnlySpan<byte> bytes, out ArpPacket packet)
    {
        if (bytes.Length >= Length)
        {
            packet = new ArpPacket(ref MemoryMarshal.GetReference(bytes));
            return Big.Read64(ref packet._first, 0) >> 16 == EthernetIpv4;
        }

        packet = default;
        return false;
    }

    /// <summary>Writes a packet.</summary>
    public static void Write(
        Span<byte> packet,
        ArpOperation operation,
        MacAddress senderHardware,
        in IpAddress senderProtocol,
        MacAddress targetHardware,
        in IpAddress targetProtocol)
    {
        _ = packet[Length - 1];
        BinaryPrimitives.WriteUInt64BigEndian(packet, (EthernetIpv4 << 16) | (ushort)operation);
        senderHardware.Write(packet[8..]);
        senderProtocol.WriteIpv4(packet[14..]);
        targetHardware.Write(packet[18..]);
        targetProtocol.WriteIpv4(packet[24..]);
    }
}
