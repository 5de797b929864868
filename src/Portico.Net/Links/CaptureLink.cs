using System.Text.Unicode;

namespace Portico.Net;

/// <summary>Records what passes over a link, in both directions, and changes nothing.</summary>
public sealed class CaptureLink : ILink, ILinkClient
{
    private readonly ILink _inner;
    private ILinkClient? _client;

    /// <summary>The number of the packet that the client is handling; 0 for none.</summary>
    private long _handled;

    /// <summary>Records what passes over <paramref name="inner"/> as an interface of that name.</summary>
    public CaptureLink(Engine engine, ILink inner, PcapngWriter writer, string name)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        Tap = new CaptureTap(engine, writer, name, inner.Kind);
    }

    /// <summary>Where it records; can be switched off and on.</summary>
    public CaptureTap Tap { get; }

    /// <inheritdoc/>
    public LinkKind Kind => _inner.Kind;

    /// <inheritdoc/>
    public int Mtu => _inner.Mtu;

    /// <inheritdoc/>
    public MacAddress Address => _inner.Address;

    /// <inheritdoc/>
    public LinkFeatures Features => _inner.Features;

    /// <inheritdoc/>
    public void Attach(ILinkClient client)
    {
        _client = client;
        _inner.Attach(this);
    }

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        Tap.RecordOpen(packet);
        _inner.Transmit(packet);
        Tap.Close();
    }

    /// <inheritdoc/>
    public void HandleFrame(Packet packet)
    {
        long before = Tap.Writer.Packets;
        Tap.Record(packet, isInbound: true);
        _handled = Tap.Writer.Packets > before ? Tap.Writer.Packets : 0;
        _client!.HandleFrame(packet);
        _handled = 0;
    }

    /// <summary>
    /// The stack drops the packet that it is handling: its record gets the reason as a comment. For
    /// <see cref="NetworkStack.PacketDropped"/>.
    /// </summary>
    public void NoteDrop(string reason)
    {
        // Once something else has been recorded, such as an answer, the packet can no longer be told from it.
        Span<byte> comment = stackalloc byte[256];
        if (_handled != 0 && _handled == Tap.Writer.Packets && Utf8.TryWrite(comment, $"dropped by the stack: {reason}", out int length))
        {
            Tap.Writer.AddComment(comment[..length]);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
        if (Tap.Writer.PacketBuffered)
        {
            Tap.Writer.Flush();
        }

        _inner.Flush();
    }
}
