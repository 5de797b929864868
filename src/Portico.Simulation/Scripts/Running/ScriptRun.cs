using System.Globalization;
using System.Security.Cryptography;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>One run of a script: a kernel of its own with one device, whose other end the script plays.</summary>
internal sealed partial class ScriptRun : IDisposable
{
    /// <summary>Where the clock stands when the script begins: not at zero, as on no machine.</summary>
    private static readonly MonoTime s_start = MonoTime.Zero + Duration.FromSeconds(10);

    private readonly ScriptSyntax _script;
    private readonly Action<string>? _listener;
    private readonly VirtualTime _time;
    private readonly PorticoKernel _kernel;
    private readonly VirtualDevice _device;
    private readonly CallThread _thread = new();
    private readonly CodeRunner _code;
    private readonly ScriptCommands _commands;
    private readonly IncrementalHash _digest = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    private readonly List<string> _trace = [];
    private readonly Dictionary<int, int> _fds = [];

    /// <summary>The newest first.</summary>
    private readonly List<ScriptSocket> _sockets = [];

    private ScriptSocket? _underTest;
    private ScriptFailure? _failureOfThread;
    private ScriptEvent? _event;
    private ScriptEvent? _lastEvent;
    private long _eventStart;
    private long _eventEnd;
    private long? _lastTime;

    /// <summary>When the last call that blocks is to return.</summary>
    private long _blockedUntil;

    public ScriptRun(ScriptSyntax script, ScriptOptions options)
    {
        _script = script;
        _listener = options.Trace;
        Configuration = ScriptConfiguration.Of(script, options);
        _time = new VirtualTime(new VirtualTimeOptions { Seed = options.Seed });
        _kernel = new PorticoKernel(_time.Driver);
        _device = new VirtualDevice(_time, Configuration.Mtu);
        Process = _kernel.CreateProcess(new ProcessOptions { UserId = 0 });
        _time.RunUntil(s_start);
        SetUpNetwork();
        Clock = new ScriptClock(_time, _device, Configuration);
        _code = new CodeRunner(text => Trace($"print  {text}"));
        _commands = new ScriptCommands(this);
    }

    public ScriptConfiguration Configuration { get; }

    public Process Process { get; }

    public CallMemory Memory { get; } = new();

    public ScriptClock Clock { get; }

    /// <summary>The calls and packets until now.</summary>
    public IReadOnlyList<string> TraceLines => _trace;

    public int PacketCount { get; private set; }

    /// <summary>Where the event stands that is run.</summary>
    public ScriptPosition Position => _event?.Position ?? new ScriptPosition(1, 1);

    /// <summary>SHA-256 over the packets until now.</summary>
    public string Digest() => Convert.ToHexStringLower(_digest.GetCurrentHash());

    /// <summary>Runs it to its end, or throws <see cref="ScriptFailure"/>.</summary>
    public void Run()
    {
        if (_script.FirstCommand is { } first)
        {
            _commands.Run(new ScriptPosition(1, 1), first);
        }

        foreach (ScriptEvent next in _script.Events)
        {
            Run(next);
            ThrowFailureOfThread();
        }

        // Timers may be a little late, as all times may be.
        Clock.RunUntilIdle(Math.Max(Clock.Now, _blockedUntil + Configuration.ToleranceUsecs), _thread);
        ThrowFailureOfThread();
        if (!_thread.IsIdle)
        {
            throw new ScriptFailure(Position, "the script ends while a call is blocked");
        }

        if (_script.LastCommand is { } last)
        {
            _commands.Run(Position, last);
        }
    }

    public void Dispose()
    {
        // Ends a call that is still blocked.
        Process.Exit();
        _thread.Dispose();
        _kernel.Dispose();
        _time.Dispose();
        Memory.Dispose();
        _digest.Dispose();
    }

    public void Trace(string text)
    {
        string line = string.Create(CultureInfo.InvariantCulture, $"{Clock.Now / 1e6,11:0.000000}  {text}");
        _trace.Add(line);
        _listener?.Invoke(line);
    }

    public void TraceCall(CallFrame frame, long result)
    {
        string outcome = result < 0 ? $"-1 {(Errno)(-result)}" : $"{result}";
        Trace($"call   {frame.Call.Name}(...) = {outcome}   (line {frame.Call.Position.Line})");
    }

    private void SetUpNetwork()
    {
        using (_time.Driver.Enter())
        {
            NetworkStack stack = _kernel.DefaultNamespace;

            // Scripts are written for Linux, whose end of slow start some of them look for.
            stack.Tcp.Settings.hystart_detect = TcpSettings.HystartOfLinux;
            NetworkInterface tun = stack.AddInterface("tun0", _device);
            IpPrefix any = new(Configuration.IsIpv6 ? IpAddress.AnyIpv6 : IpAddress.AnyIpv4, 0);
            Require(tun.AddAddress(new IpPrefix(Configuration.Local, Configuration.PrefixLength)));
            Require(stack.Ip.Routes.Add(new Route { Destination = any, InterfaceIndex = tun.Index }));
        }
    }

    private static void Require(Errno error)
    {
        if (error != Errno.None)
        {
            throw new SimulationException($"the script's network cannot be set up: {error}");
        }
    }

    private void Run(ScriptEvent next)
    {
        if (_event != null && _event.Time is { Kind: TimeKind.Absolute or TimeKind.AbsoluteRange } before
            && next.Time.Kind is TimeKind.Absolute or TimeKind.AbsoluteRange && next.Time.Start < before.Start)
        {
            throw new ScriptFailure(next.Position, "time goes backward");
        }

        if (_event == null && next.Time is not { Start: 0, Kind: not TimeKind.Any })
        {
            throw new ScriptFailure(next.Position, "the first event has to be at time 0");
        }

        _lastTime = _event == null ? null : _eventStart;
        _lastEvent = _event;
        _event = next;
        SetTimes(next);
        switch (next)
        {
            case PacketEvent packet:
                Run(packet);
                break;
            case CallEvent call:
                Run(call);
                break;
            case CommandEvent command:
                WaitForEvent();
                Trace($"run    {command.Command}");
                _commands.Run(command.Position, command.Command);
                break;
            case CodeEvent code:
                WaitForEvent();
                Run(code);
                break;
        }
    }

    /// <summary>
    /// Relative times count from now, except those of packets that the script sends one after the other: these count from the time that
    /// the one before was to be sent.
    /// </summary>
    private void SetTimes(ScriptEvent next)
    {
        bool isAnchored = IsInbound(_lastEvent) && IsInbound(next);
        long offset = next.Time.Kind is TimeKind.Absolute or TimeKind.AbsoluteRange ? 0 : isAnchored ? _eventStart : Clock.Now;
        _eventStart = next.Time.Start + offset;
        _eventEnd = next.Time.End + offset;
    }

    private static bool IsInbound(ScriptEvent? next) => next is PacketEvent { Packet.IsInbound: true };

    private void WaitForEvent()
    {
        Clock.RunUntil(_eventStart, _thread);
        ThrowFailureOfThread();
        if (_lastEvent != null && Clock.Check(_event!.Time, _eventStart, _eventEnd, Clock.Now, _lastTime, _event.Description) is { } late)
        {
            throw new ScriptFailure(_event.Position, late);
        }
    }

    private void ThrowFailureOfThread()
    {
        if (Volatile.Read(ref _failureOfThread) is { } failure)
        {
            throw failure;
        }
    }

    private void Run(CodeEvent code)
    {
        ScriptSocket socket = _underTest is { Fd: >= 0 } tested ? tested : throw new ScriptFailure(code.Position, "there is no socket whose TCP_INFO could be asked for");
        try
        {
            _code.Run(code.Code, new SocketFacts(Process, socket.Fd, Memory).Find);
        }
        catch (CodeFailure failure)
        {
            throw new ScriptFailure(failure.Position, failure.Message);
        }
    }
}
