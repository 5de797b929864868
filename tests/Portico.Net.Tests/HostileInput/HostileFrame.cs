namespace Portico.Net.Tests.HostileInput;

/// <summary>A packet under construction: bytes, and where its layers begin.</summary>
public sealed class HostileFrame
{
    public readonly byte[] Buffer = new byte[70_000];

    /// <summary>Bytes in use.</summary>
    public int Length;

    /// <summary>Where the IP header (or the ARP packet) begins: 0 or 14.</summary>
    public int NetworkOffset;

    /// <summary>Where the transport header begins.</summary>
    public int TransportOffset;

    /// <summary>Where the transport's own header ends and what it carries begins.</summary>
    public int PayloadOffset;

    public HostileEntry Entry;

    /// <summary>Whether the transport checksum belongs to a larger datagram and must be left alone.</summary>
    public bool IsFragment;

    public Span<byte> Bytes => Buffer.AsSpan(0, Length);

    public Span<byte> Network => Buffer.AsSpan(NetworkOffset, Length - NetworkOffset);

    public void Begin(HostileEntry entry)
    {
        Entry = entry;
        Length = 0;
        NetworkOffset = 0;
        TransportOffset = 0;
        PayloadOffset = 0;
        IsFragment = false;
    }

    /// <summary>Adds bytes at the end, zeroed.</summary>
    public Span<byte> Add(int count)
    {
        Span<byte> added = Buffer.AsSpan(Length, count);
        added.Clear();
        Length += count;
        return added;
    }
}
