using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>A packet taken apart, as it is compared with a script: headers of IP and of TCP, UDP or ICMP, and payload.</summary>
internal sealed class ScriptPacket
{
    public const int Ipv4HeaderLength = 20;
    public const int Ipv6HeaderLength = 40;
    public const int IcmpHeaderLength = 8;

    public IpAddress Source { get; set; }

    public IpAddress Destination { get; set; }

    public byte Tos { get; set; }

    public byte Ttl { get; set; }

    public uint FlowLabel { get; set; }

    public IpProtocol Protocol { get; set; }

    public ushort SourcePort { get; set; }

    public ushort DestinationPort { get; set; }

    public TcpFlagBits Flags { get; set; }

    public uint Sequence { get; set; }

    public uint Acknowledgment { get; set; }

    public ushort Window { get; set; }

    public ushort Urgent { get; set; }

    public List<TcpOptionBytes> Options { get; set; } = [];

    public byte IcmpType { get; set; }

    public byte IcmpCode { get; set; }

    /// <summary>The four bytes behind ICMP's checksum.</summary>
    public uint IcmpRest { get; set; }

    public byte[] Payload { get; set; } = [];

    /// <summary>The script's time in microseconds, for packets that have been sent.</summary>
    public long Time { get; set; }

    public bool IsIpv6 => !Destination.IsIpv4;

    public bool IsTcp => Protocol == IpProtocol.Tcp;

    public bool IsIcmp => Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6;

    public int OptionBytes => Options.Sum(static option => option.Length);

    public bool Has(TcpFlagBits flags) => (Flags & flags) == flags;

    public TcpOptionBytes? FindOption(byte kind) => Options.Find(option => option.Kind == kind);

    public ScriptPacket Copy()
    {
        ScriptPacket copy = (ScriptPacket)MemberwiseClone();
        copy.Options = [.. Options.Select(static option => option.Copy())];
        return copy;
    }

    /// <summary>Adds to the sequence numbers of a SACK option.</summary>
    public void ShiftSackBlocks(uint offset)
    {
        if (FindOption(TcpOptionBytes.Sack) is not { } sack)
        {
            return;
        }

        for (int i = 0; i + 4 <= sack.Data.Length; i += 4)
        {
            Span<byte> edge = sack.Data.AsSpan(i);
            BinaryPrimitives.WriteUInt32BigEndian(edge, BinaryPrimitives.ReadUInt32BigEndian(edge) + offset);
        }
    }

    /// <summary>Value and echo of a timestamps option; null where there is none.</summary>
    public (uint Value, uint Echo)? Timestamps
    {
        get => FindOption(TcpOptionBytes.Timestamps) is { Data.Length: 8 } option
            ? (BinaryPrimitives.ReadUInt32BigEndian(option.Data), BinaryPrimitives.ReadUInt32BigEndian(option.Data.AsSpan(4)))
            : null;
        set
        {
            if (value is { } timestamps && FindOption(TcpOptionBytes.Timestamps) is { Data.Length: 8 } option)
            {
                BinaryPrimitives.WriteUInt32BigEndian(option.Data, timestamps.Value);
                BinaryPrimitives.WriteUInt32BigEndian(option.Data.AsSpan(4), timestamps.Echo);
            }
        }
    }
}
