using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A network device of bare IP packets, as a TUN device, whose other end is the program: it puts packets in, and takes those out that the
/// stack has sent, each with the time at which it was sent. To be given to <see cref="NetworkStack.AddInterface"/>.
/// </summary>
public sealed class VirtualDevice : ILink
{
    private readonly StackDriver _driver;
    private readonly Queue<Packet> _sent = new();
    private readonly object _arrival = new();
    private readonly int _queueLength;
    private int _length;
    private int _waiters;
    private ILinkClient? _client;

    /// <summary>
    /// Makes a device whose packets are at most <paramref name="mtu"/> bytes long, and which keeps at most
    /// <paramref name="queueLength"/> of them for its user.
    /// </summary>
    public VirtualDevice(VirtualTime time, int mtu, int queueLength = 1 << 16)
        : this((time ?? throw new ArgumentNullException(nameof(time))).Driver, mtu, queueLength)
    {
    }

    /// <summary>The same for a kernel in real time.</summary>
    public VirtualDevice(StackDriver driver, int mtu, int queueLength = 1 << 16)
    {
        ArgumentNullException.ThrowIfNull(driver);
        _driver = driver;
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
    public bool HasPackets => Volatile.Read(ref _length) != 0;

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

        packet.Timestamp = _driver.Engine.Now;
        _sent.Enqueue(packet);
        Interlocked.Exchange(ref _length, _sent.Count);
        if (Volatile.Read(ref _waiters) != 0)
        {
            lock (_arrival)
            {
                Monitor.PulseAll(_arrival);
            }
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }

    /// <summary>
    /// In real time: waits for <see cref="TryTake"/> to have something to give, at most so many milliseconds, or without end where they are
    /// negative. False where the time is up. In virtual time <see cref="VirtualTime.RunUntilPacket"/> does it.
    /// </summary>
    public bool Wait(int timeoutMilliseconds)
    {
        lock (_arrival)
        {
            Interlocked.Increment(ref _waiters);
            long end = timeoutMilliseconds < 0 ? long.MaxValue : Environment.TickCount64 + timeoutMilliseconds;
            try
            {
                while (!HasPackets)
                {
                    long left = end - Environment.TickCount64;
                    if (left <= 0)
                    {
                        return false;
                    }

                    Monitor.Wait(_arrival, timeoutMilliseconds < 0 ? Timeout.Infinite : (int)left);
                }

                return true;
            }
            finally
            {
                Interlocked.Decrement(ref _waiters);
            }
        }
    }

    /// <summary>
    /// A packet comes in from outside, now, and is handled before this returns. False where nobody is attached, or where the engine's
    /// memory is used up. A packet that stands for several segments, as one of a device with offloads (GSO), says how much data each of them
    /// has: <paramref name="segmentBytes"/>.
    /// </summary>
    public bool Inject(ReadOnlySpan<byte> bytes, int segmentBytes = 0)
    {
        using (_driver.Enter())
        {
            Engine engine = _driver.Engine;
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
        using (_driver.Enter())
        {
            if (!_sent.TryDequeue(out Packet? packet))
            {
                length = 0;
                stamp = default;
                return false;
            }

            Volatile.Write(ref _length, _sent.Count);
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
