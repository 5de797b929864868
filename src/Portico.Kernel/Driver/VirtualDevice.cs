using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A network device of bare IP packets in <see cref="VirtualTime"/>, as a TUN device: who drives the time puts packets in, and takes those
/// out that the stack has sent, each with the time at which it was sent. To be given to <see cref="NetworkStack.AddInterface"/>.
/// </summary>
public sealed class VirtualDevice : ILink
{
    private readonly VirtualTime _time;
    private readonly Queue<Packet> _sent = new();
    private readonly int _queueLength;
    private ILinkClient? _client;

    /// <summary>
    /// Makes a device whose packets are at most <paramref name="mtu"/> bytes long, and which keeps at most
    /// <paramref name="queueLength"/> of them for its user.
    /// </summary>
    public VirtualDevice(VirtualTime time, int mtu, int queueLength = 1 << 16)
    {
        ArgumentNullException.ThrowIfNull(time);
        _time = time;
        _queueLength = queueLength;
        Mtu = mtu;
    }

    /// <inheritdoc/>
    public LinkKind Kind => LinkKind.Ip;

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public MacAddress Address => default;

    /// <summary>None: packets come out whole, with their checksums.</summary>
    public LinkFeatures Features => LinkFeatures.None;

    /// <summary>Packets that were dropped because nobody took those before them, or because of <see cref="DropsAll"/>.</summary>
    public long Drops { get; private set; }

    /// <summary>Whether all that is sent is dropped, as where the device's queue has no room at all (tc-pfifo(8) with limit 0).</summary>
    public bool DropsAll { get; set; }

    /// <summary>Whether <see cref="TryTake"/> has something to give.</summary>
    public bool HasPackets
    {
        get
        {
            using (_time.Driver.Enter())
            {
                return _sent.Count != 0;
            }
        }
    }

    /// <inheritdoc/>
    public bool IsFull => DropsAll || _sent.Count >= _queueLength;

    /// <inheritdoc/>
    public void Attach(ILinkClient client) => _client = client;

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        if (DropsAll || _sent.Count >= _queueLength)
        {
            Drops++;
            packet.Release();
            return;
        }

        packet.Timestamp = _time.Now;
        _sent.Enqueue(packet);
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }

    /// <summary>
    /// A packet comes in from outside, now, and is handled before this returns. False where nobody is attached, or where the engine's
    /// memory is used up. A packet that stands for several segments, as one of a device with offloads (GSO), says how much data each of them
    /// has: <paramref name="segmentBytes"/>.
    /// </summary>
    public bool Inject(ReadOnlySpan<byte> bytes, int segmentBytes = 0)
    {
        using (_time.Driver.Enter())
        {
            Engine engine = _time.Driver.Engine;
            if (_client == null || engine.Packets.RentLinear(bytes.Length) is not { } packet)
            {
                return false;
            }

            bytes.CopyTo(packet.Append(bytes.Length));
            packet.Timestamp = engine.Now;
            packet.GsoSize = segmentBytes;
            engine.Post(_client, packet);
            return true;
        }
    }

    /// <summary>
    /// Takes the packet that was sent first. Its length is what it was, also where <paramref name="buffer"/> is shorter and got only its
    /// beginning; false when there is none.
    /// </summary>
    public bool TryTake(Span<byte> buffer, out int length, out MonoTime stamp)
    {
        using (_time.Driver.Enter())
        {
            if (!_sent.TryDequeue(out Packet? packet))
            {
                length = 0;
                stamp = default;
                return false;
            }

            length = packet.Length;
            stamp = packet.Timestamp;
            if (buffer.Length >= length)
            {
                packet.CopyTo(buffer);
            }
            else
            {
                byte[] whole = new byte[length];
                packet.CopyTo(whole);
                whole.AsSpan(0, buffer.Length).CopyTo(buffer);
            }

            packet.Release();
            return true;
        }
    }
}
