using System.Diagnostics;
using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>One run: the stack, its device, the proxies behind it, and the command in front of it.</summary>
internal sealed class RunSession : IDisposable
{
    private readonly RunOptions _options;
    private readonly RunNamespace _namespace;
    private readonly EpollEvents _events = new();
    private readonly StackDriver _driver;
    private readonly NetworkStack _stack;
    private readonly TunLink _link;
    private readonly MibTable<ProxyCounter> _counters = new();
    private readonly StatusSources _sources;
    private readonly StatusServer _status;
    private readonly ControlServer _control;
    private readonly HostPolicy _policy;
    private readonly TcpProxy _tcp;
    private readonly DnsTcpServer _dns;
    private readonly Publishing _publishing;
    private readonly ImpairmentLink _impairment;
    private readonly RunShaping _shaping;
    private readonly RunCapture? _capture;
    private readonly RunTrace? _trace;
    private long _started;
    private int? _exitStatus;

    public RunSession(RunOptions options, ControlServer control)
    {
        _options = options;
        CommandProcess.RaiseFileLimit();
        _control = control;
        _namespace = new RunNamespace(new RunNamespaceOptions
        {
            Mtu = RunShaping.MtuFor(options.Shaping, options.Mtu),
            Addresses = [RunAddresses.CommandIpv4, RunAddresses.CommandIpv6],
            Gateways = [RunAddresses.GatewayIpv4.Address, RunAddresses.GatewayIpv6.Address],
            Files = options.Policy.Names.Files(),
            CoveredDirectories = ControlPlaces(),
        });

        _policy = options.Policy.CreatePolicy();
        _driver = new StackDriver(new Engine(new EngineOptions { Seed = options.Seed ?? LinuxEntropy.NextUInt64() }), _events);
        using (_driver.Enter())
        {
            _driver.BusyPoll = options.BusyPoll;
            _capture = RunCapture.Open(options.Trace, _driver.Engine);
            _trace = RunTrace.Open(options.Trace, _driver.Engine, options.Policy.Names.Named);
            _link = new TunLink(_driver.Engine, _namespace.Device, options.Mtu != 0 ? options.Mtu : RunShaping.MtuWhole);
            _impairment = new ImpairmentLink(_driver.Engine, _link, options.Seed ?? _driver.Engine.Random.NextUInt64())
            {
                NamesNearEnd = true,
                FlowsMax = 16_384,
            };
            _stack = new NetworkStack(_driver.Engine, new NetworkStackOptions { Name = RunAddresses.GatewayName });
            NetworkInterface device = _stack.AddInterface("tun0", Decorate(_stack));
            device.AddAddress(RunAddresses.GatewayIpv4);
            device.AddAddress(RunAddresses.GatewayIpv6);
            device.AcceptsAnyAddress = true;
            _shaping = new RunShaping(_driver, _impairment, device, _namespace, options.Mtu, options.Policy.Names.AddressesOf);

            // The command is next door unless delays are asked for: what fits in a cache makes the most of the path.
            _stack.Tcp.Settings.ShortPathReceiveBufferMax = 1 << 20;

            // The only one who gets ICMP errors is the command, which is to have each: a refusal that the limit holds back would look
            // like a silent host.
            _stack.Ip.Options.icmp_ratelimit = Duration.Zero;
            _stack.Ip.Options.icmp_msgs_per_sec = 100_000;
            _stack.Ip.Options.icmp_msgs_burst = 10_000;
            _tcp = new TcpProxy(_stack, _events, _policy, _counters);
            DnsForwarder dns = options.Policy.CreateForwarder(_stack, _events, _policy, _counters);
            _dns = new DnsTcpServer(_driver, _stack, dns);
            UdpProxy udp = new(_stack, _events, _policy, _counters, dns);
            PingProxy ping = new(_stack, _events, _policy, _counters);
            _trace?.Attach(_stack, _tcp);
            SsVerb sockets = new(_driver, _stack, udp, ping, _namespace.ProcDirectory);
            _sources = new StatusSources
            {
                Driver = _driver,
                Stack = _stack,
                CommandLine = options.CommandLine,
                Sockets = sockets,
                Proxy = _counters,
                Link = _link,
                Impairment = _impairment,
            };
            _status = new StatusServer(_sources);
            PortPublisher publisher = new(_tcp, udp, RunAddresses.Inbound(_namespace.HasIpv6));
            _publishing = new Publishing(_driver, publisher, _namespace.Sockets);
            _link.Start(_events);
            _control.Add("ps", new PsVerb(_control.Name, options.CommandLine, _driver, _stack, _link).Answer);
            _control.Add("publish", new PublishVerb(_publishing).Answer);
            _control.Add("impair", new ImpairVerb(_driver, _shaping).Answer);
            _control.Add("ss", sockets.Answer);
        }

        _shaping.Apply(options.Shaping);
    }

    /// <summary>Runs the command to its end, and returns its exit status.</summary>
    public int Run(string path)
    {
        SignalForwarder signals = new();
        _status.Start();
        _dns.Start(RunAddresses.Gateways);
        foreach (PublishSpec spec in _options.Publish)
        {
            _publishing.Add(spec, Terminal.Error);
        }

        _started = Stopwatch.GetTimestamp();
        using (_driver.Enter())
        {
            _trace?.Start();
        }

        CommandProcess command = _namespace.Start(path, _options.CommandLine);
        signals.PassTo(command);
        _control.Start();
        int status = _namespace.WaitFor(command);
        signals.Stop();
        _namespace.KillLeftovers();
        Drain();
        _exitStatus = status;
        return status;
    }

    /// <summary>
    /// A program that has ended may have left bytes with the kernel, which would send them without it. Carries them on to the host's
    /// sockets, as long as some come; what is with the host's kernel needs nobody any more. A peer that has stopped to read is given some
    /// seconds to go on: the kernel alone would wait for it, but for nobody's sake. A trace sees connections end.
    /// </summary>
    private void Drain()
    {
        const int PauseMilliseconds = 5;
        const int HeldMillisecondsMax = 30_000;
        const int StalledMillisecondsMax = 5_000;
        const int StoryMillisecondsMax = 500;
        long moved = -1;
        long quiet = 0;
        long waited = 0;
        while (true)
        {
            using (_driver.Enter())
            {
                for (int i = 0; i < 64 && _link.OnPoll(SocketEvents.Readable); i++)
                {
                    _driver.Engine.RunPending(int.MaxValue);
                }

                _driver.Engine.RunPending(int.MaxValue);
                Duration flight = _shaping.Flight * 2;
                int pauseMax = _tcp.UndeliveredCount > 0 ? StalledMillisecondsMax : StoryMillisecondsMax;
                long patience = (Duration.FromMilliseconds(pauseMax) + (flight * 2)).Milliseconds;
                long bytes = _counters[ProxyCounter.TcpBytesOut] + _counters[ProxyCounter.TcpClosed] + _counters[ProxyCounter.TcpAccepted];

                // What waits for a rate is not given up as long as the rate lets some of it through in a bearable time.
                bool isHeld = _impairment.PacketsHeld > 0 && (waited += PauseMilliseconds) < HeldMillisecondsMax;
                quiet = bytes == moved && !isHeld ? quiet + PauseMilliseconds : 0;
                moved = bytes;
                bool inFlight = isHeld || (flight > Duration.Zero && quiet <= flight.Milliseconds);
                bool hasStory = _trace is { OpenCount: > 0 };
                if ((_tcp.UndeliveredCount == 0 && !inFlight && !hasStory) || quiet > patience)
                {
                    return;
                }
            }

            Thread.Sleep(PauseMilliseconds);
        }
    }

    /// <summary>
    /// Puts the impairments next to the device, and the capture and the trace next to the stack, so that they show what the stack sent
    /// and what it got.
    /// </summary>
    private ILink Decorate(NetworkStack stack)
    {
        ILink link = _impairment;
        if (_capture != null)
        {
            CaptureLink capture = _capture.Decorate(link);
            stack.PacketDropped += capture.NoteDrop;
            _impairment.Dropped = capture.Tap;
            link = capture;
        }

        return _trace == null ? link : _trace.Decorate(link);
    }

    /// <summary>
    /// Where control sockets are, made now so that they can be covered: the command is the same user, and would change its own network.
    /// </summary>
    private static string[] ControlPlaces()
    {
        ControlDirectory place = ControlDirectory.FromEnvironment();
        try
        {
            place.Create();
        }
        catch (LinuxException)
        {
            // Then there is no control socket to hide.
        }

        return [.. place.Existing()];
    }

    private void PrintStats(int exitStatus)
    {
        RunStats stats = new(new CounterReport(_sources).Counters, Stopwatch.GetElapsedTime(_started), exitStatus);
        if (_options.Trace.Json)
        {
            Terminal.ErrorLine(stats.Json());
            return;
        }

        foreach (string line in stats.Lines())
        {
            Terminal.Error(line);
        }
    }

    public void Dispose()
    {
        _control.Dispose();
        _publishing.Dispose();
        _dns.Dispose();
        _status.DisposeAsync().AsTask().Wait();
        _trace?.Dispose();
        if (_options.Stats && _exitStatus is int exitStatus)
        {
            PrintStats(exitStatus);
        }

        using (_driver.Enter())
        {
            _link.Dispose();
        }

        _capture?.Dispose();
        _driver.Dispose();
        _namespace.Dispose();
    }
}
