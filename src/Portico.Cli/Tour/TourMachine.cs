using System.Globalization;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// A kernel with one process, 127.0.0.1, and a tap on its loopback that writes each packet and each change of a connection's state down.
/// Its clock moves on when it is told to, or is the machine's.
/// </summary>
internal sealed class TourMachine : ITcpObserver, IDisposable
{
    private readonly StackDriver _driver;
    private readonly bool _isInRealTime;
    private long _now = 1;

    public TourMachine(bool inRealTime, KernelSettings? settings = null)
    {
        _isInRealTime = inRealTime;
        _driver = new StackDriver(clock: inRealTime ? null : () => new MonoTime(Volatile.Read(ref _now)));
        Kernel = new PorticoKernel(_driver, settings ?? new KernelSettings());
        using (_driver.Enter())
        {
            LoopbackLink loopback = new(_driver.Engine);
            Network = new NetworkStack(_driver.Engine, new NetworkStackOptions { Name = "tour", LoopbackLink = new Tap(loopback, this) });
            Network.Tcp.Observer = this;
        }

        Process = NewProcess("tour");
        for (int fd = 0; fd < 3; fd++)
        {
            Process.Open("/dev/null", OpenFlags.O_RDWR).OrThrow();
        }
    }

    public PorticoKernel Kernel { get; }

    public NetworkStack Network { get; }

    /// <summary>The process that makes the calls; 0, 1 and 2 are open.</summary>
    public Process Process { get; }

    /// <summary>What went over the loopback, and what that made of the connections, while it is set.</summary>
    public List<string>? Events { get; set; }

    public Process NewProcess(string name, ResourceLimit? files = null) => Kernel.CreateProcess(new ProcessOptions
    {
        Name = name,
        Network = Network,
        UserId = 1000,
        Files = files ?? new ResourceLimit(1 << 20, 1 << 20),
    });

    /// <summary>Asks the kernel something under its lock.</summary>
    public T Ask<T>(Func<T> question)
    {
        using (_driver.Enter())
        {
            return question();
        }
    }

    /// <summary>Changes a setting under the lock.</summary>
    public void Set(Action change)
    {
        using (_driver.Enter())
        {
            change();
        }
    }

    public long Counter(KernelCounter counter) => Ask(() => Kernel.Counters[counter]);

    /// <summary>Lets time go by: at once, or really.</summary>
    public void Pass(Duration time)
    {
        if (_isInRealTime)
        {
            Thread.Sleep(TimeSpan.FromTicks(time.Nanoseconds / 100));
            return;
        }

        Interlocked.Add(ref _now, time.Nanoseconds);
        Set(() => { });
    }

    /// <summary>A socket that listens at a port of 127.0.0.1; 0 for one that the kernel chooses.</summary>
    public (int Listener, byte[] Address) Listen(Process process, ushort port)
    {
        int listener = process.Socket(AddressFamily.AF_INET, SocketType.SOCK_STREAM, 0).OrThrow();
        process.Bind(listener, AddressOf(port)).OrThrow();
        process.Listen(listener, 1024).OrThrow();
        byte[] address = new byte[128];
        return (listener, address[..process.GetSockName(listener, address).OrThrow()]);
    }

    public static byte[] AddressOf(ushort port) => SocketAddress.Of(new Endpoint(IpAddress.Parse("127.0.0.1"), port));

    public static ushort PortOf(ReadOnlySpan<byte> address) => System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(address[2..]);

    public void OnStateChange(in TcpStateChange change) =>
        Events?.Add($"{change.Flow.Local.Port,5}       {TraceNames.State(change.From)} -> {TraceNames.State(change.To)}: {Cause(change.Cause)}");

    /// <summary>What a program has done has the name of its call.</summary>
    private static string Cause(TcpCause cause) => cause switch
    {
        TcpCause.Open => "connect",
        TcpCause.Close => "close",
        _ => TraceNames.Cause(cause),
    };

    public void OnRetransmission(in TcpRetransmission retransmission)
    {
    }

    public void OnWindowChange(in TcpWindowChange change)
    {
    }

    public void Dispose()
    {
        Kernel.Dispose();
        _driver.Dispose();
    }

    private void OnPacket(Packet packet)
    {
        if (Events != null && TracedPacket.TryRead(packet, out TracedPacket read) && read.Protocol == IpProtocol.Tcp)
        {
            string payload = read.PayloadLength > 0 ? string.Create(CultureInfo.InvariantCulture, $", {read.PayloadLength} bytes of data") : "";
            Events.Add($"{read.Source.Port,5} -> {read.Destination.Port,-5}  {TraceNames.Flags(read.Flags)}{payload}");
        }
    }

    private sealed class Tap(ILink inner, TourMachine machine) : ILink
    {
        public LinkKind Kind => inner.Kind;

        public int Mtu => inner.Mtu;

        public MacAddress Address => inner.Address;

        public LinkFeatures Features => inner.Features;

        public void Attach(ILinkClient client) => inner.Attach(client);

        public void Transmit(Packet packet)
        {
            machine.OnPacket(packet);
            inner.Transmit(packet);
        }

        public void Flush() => inner.Flush();
    }
}
