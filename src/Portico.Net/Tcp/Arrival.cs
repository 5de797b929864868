namespace Portico.Net;

/// <summary>A segment that has come in: SEG.* of RFC 9293, parsed once.</summary>
internal ref struct Arrival
{
    public Packet Packet;
    public ref readonly IpInfo Info;

    /// <summary>SEG.SEQ.</summary>
    public uint Seq;

    /// <summary>SEG.ACK; meaningless without the ACK bit.</summary>
    public uint Ack;

    /// <summary>SEG.SEQ + SEG.LEN: the payload, and one each for SYN and FIN.</summary>
    public uint EndSeq;

    /// <summary>SEG.WND as it stands in the header, not scaled.</summary>
    public uint Window;

    /// <summary>SEG.UP, an offset from SEG.SEQ.</summary>
    public uint UrgentPointer;

    public ushort SourcePort;
    public ushort DestinationPort;
    public int HeaderLength;

    /// <summary>Bytes of payload.</summary>
    public int Length;
    public TcpFlags Flags;

    /// <summary>By which it is signed (RFC 2385); empty where it is not.</summary>
    public ReadOnlySpan<byte> Key;
    public TcpOptions Options;

    public readonly bool Has(TcpFlags flag) => (Flags & flag) != 0;
}
