using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>What passed through a <see cref="TunLink"/>, and what did not.</summary>
public enum TunCounter
{
#pragma warning disable CS1591 // The names say it.
    InPackets,
    InBytes,
    InSuperSegments,
    InReadErrors,

    /// <summary>The virtio-net header contradicted the packet.</summary>
    InHeaderErrors,

    /// <summary>Reading was put off because the engine's memory limit was reached.</summary>
    InNoMemory,
    OutPackets,
    OutBytes,
    OutSuperSegments,
    OutWriteErrors,

    /// <summary>The kernel took nothing for so long that the queue was full.</summary>
    OutQueueDrops,
    OutHeaderErrors,
#pragma warning restore CS1591
}

/// <summary>
/// A link whose other end is a TUN or TAP device of the Linux kernel. TCP super-segments pass it whole in both directions, with the
/// checksum left to whoever needs it.
/// </summary>
public sealed unsafe class TunLink : ILink, IPollHandler, IDisposable
{
    private const int ReadMax = 65535 + 14 + 4;
    private const int BatchPackets = 64;
    private const int BatchBytes = 1 << 20;
    private const int QueueMax = 512;

    // A packet that fits the pool's next smaller block is copied there, so that a queue of small packets holds small blocks.
    private const int SmallMax = 1700;
    private const int MediumMax = 16 * 1024 - 512;

    private readonly Engine _engine;
    private readonly TunDevice _device;
    private readonly Queue<Packet> _queue = new(QueueMax);
    private EpollEvents? _events;
    private int _slot;
    private ILinkClient? _client;
    private Packet? _reserve;

    /// <summary>Makes a link of a device, which it closes in the end.</summary>
    public TunLink(Engine engine, TunDevice device, int mtu = 1500, MacAddress address = default)
    {
        _engine = engine;
        _device = device;
        Mtu = mtu;
        Address = address;
        if (device.Offloads)
        {
            Features = LinkFeatures.ChecksumOffload | LinkFeatures.Tso4 | LinkFeatures.Tso6;
        }

        engine.AddLink(this);
    }

    /// <summary>Makes a device in the calling thread's network namespace and a link of it.</summary>
    public TunLink(Engine engine, TunOptions options)
        : this(engine, TunDevice.Create(options), options.Mtu, options.Kind == LinkKind.Ip ? default : options.Address)
    {
    }

    /// <summary>The descriptor behind the link.</summary>
    public TunDevice Device => _device;

    /// <summary>What passed and what did not.</summary>
    public MibTable<TunCounter> Counters { get; } = new();

    /// <inheritdoc/>
    public LinkKind Kind => _device.Kind;

    /// <inheritdoc/>
    public int Mtu { get; }

    /// <inheritdoc/>
    public MacAddress Address { get; }

    /// <inheritdoc/>
    public LinkFeatures Features { get; }

    /// <inheritdoc/>
    public void Attach(ILinkClient client) => _client = client;

    /// <summary>Begins to receive. Inside a scope of the driver that waits on <paramref name="events"/>.</summary>
    public void Start(EpollEvents events)
    {
        ArgumentNullException.ThrowIfNull(events);
        _slot = events.Add(_device.Fd, this);
        _events = events;
    }

    /// <inheritdoc/>
    public bool OnPoll(SocketEvents events)
    {
        if ((events & SocketEvents.Writable) != 0)
        {
            DrainQueue();
        }

        return (events & (SocketEvents.Readable | SocketEvents.Error | SocketEvents.HangUp)) != 0 && ReceiveBatch();
    }

    /// <summary>Posts what the kernel has sent; true when it stopped at the batch's limit with more to come.</summary>
    private bool ReceiveBatch()
    {
        int bytes = 0;
        for (int i = 0; i < BatchPackets && bytes < BatchBytes; i++)
        {
            _reserve ??= _engine.Packets.RentLinear(ReadMax);
            if (_reserve == null)
            {
                Counters[TunCounter.InNoMemory]++;
                return true;
            }

            byte* start = _reserve.LinearPointer - VirtioNetHeader.Length;
            nint count = LibC.Read(_device.Fd, start, ReadMax + VirtioNetHeader.Length);
            if (count < 0)
            {
                Errno error = (Errno)Marshal.GetLastPInvokeError();
                if (error is Errno.EAGAIN or Errno.EBADF)
                {
                    return false;
                }

                Counters[TunCounter.InReadErrors]++;
                return error == Errno.EINTR;
            }

            if (count <= VirtioNetHeader.Length)
            {
                Counters[TunCounter.InReadErrors]++;
                continue;
            }

            int length = (int)count - VirtioNetHeader.Length;
            bytes += length;
            Receive(*(VirtioNetHeader*)start, length);
        }

        return true;
    }

    private void Receive(VirtioNetHeader header, int length)
    {
        Packet large = _reserve!;
        large.Append(length);
        Packet packet = large;
        if (length <= MediumMax && _engine.Packets.RentLinear(length <= SmallMax ? length : MediumMax) is Packet smaller)
        {
            large.Linear.CopyTo(smaller.Append(length));
            large.TrimTo(0);
            packet = smaller;
        }
        else
        {
            _reserve = null;
        }

        Counters[TunCounter.InPackets]++;
        Counters[TunCounter.InBytes] += length;
        packet.Timestamp = _engine.Now;
        packet.NetworkOffset = packet.Start + (Kind == LinkKind.Ethernet ? EthernetHeader.Length : 0);
        if (!header.TryApplyTo(packet) || _client == null)
        {
            Counters[TunCounter.InHeaderErrors]++;
            packet.Release();
            return;
        }

        if (packet.Checksum == ChecksumState.Partial)
        {
            packet.TransportOffset = packet.Start + header.ChecksumStart;
        }

        if (packet.GsoSize != 0)
        {
            Counters[TunCounter.InSuperSegments]++;
        }

        _engine.Post(_client, packet);
    }

    /// <inheritdoc/>
    public void Transmit(Packet packet)
    {
        ArgumentNullException.ThrowIfNull(packet);
        if (_queue.Count > 0 || !TryWrite(packet))
        {
            if (_queue.Count == QueueMax)
            {
                Counters[TunCounter.OutQueueDrops]++;
                packet.Release();
                return;
            }

            _queue.Enqueue(packet);
        }
    }

    /// <inheritdoc/>
    public void Flush()
    {
    }

    private void DrainQueue()
    {
        while (_queue.TryPeek(out Packet? packet) && TryWrite(packet))
        {
            _queue.Dequeue();
        }
    }

    /// <summary>Writes and releases the packet, or drops and counts it; false, and nothing done, when the kernel would block.</summary>
    private bool TryWrite(Packet packet)
    {
        if (!VirtioNetHeader.TryDescribe(packet, out VirtioNetHeader header))
        {
            Counters[TunCounter.OutHeaderErrors]++;
            packet.Release();
            return true;
        }

        LibC.IoVector* vector = stackalloc LibC.IoVector[2 + MaxFragments];
        vector[0].Base = &header;
        vector[0].Length = VirtioNetHeader.Length;
        vector[1].Base = packet.LinearPointer;
        vector[1].Length = (nuint)packet.LinearLength;
        int count = 2;
        for (int i = 0; i < packet.FragmentCount; i++)
        {
            ReadOnlySpan<byte> fragment = packet.FragmentSpan(i);
            vector[count].Base = System.Runtime.CompilerServices.Unsafe.AsPointer(ref MemoryMarshal.GetReference(fragment));
            vector[count++].Length = (nuint)fragment.Length;
        }

        while (LibC.WriteVector(_device.Fd, vector, count) < 0)
        {
            switch ((Errno)Marshal.GetLastPInvokeError())
            {
                case Errno.EINTR:
                    continue;
                case Errno.EAGAIN:
                    return false;
                default:
                    Counters[TunCounter.OutWriteErrors]++;
                    packet.Release();
                    return true;
            }
        }

        Counters[TunCounter.OutPackets]++;
        Counters[TunCounter.OutBytes] += packet.Length;
        if (packet.GsoSize != 0)
        {
            Counters[TunCounter.OutSuperSegments]++;
        }

        packet.Release();
        return true;
    }

    // Packet's own limit, with room to spare.
    private const int MaxFragments = 32;

    /// <summary>Stops receiving and closes the device. Inside a scope of the driver.</summary>
    public void Dispose()
    {
        _events?.Remove(_slot, _device.Fd);
        _events = null;
        _engine.RemoveLink(this);
        while (_queue.TryDequeue(out Packet? packet))
        {
            packet.Release();
        }

        _reserve?.Release();
        _reserve = null;
        _device.Dispose();
    }
}
