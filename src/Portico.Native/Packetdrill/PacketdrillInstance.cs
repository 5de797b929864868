using Portico.Kernel;
using Portico.Net;

namespace Portico.Native.Packetdrill;

/// <summary>A kernel in virtual time with one device, whose other end is packetdrill.</summary>
internal sealed class PacketdrillInstance : IDisposable
{
    /// <summary>Descriptors are smaller, since packetdrill keeps sets of them.</summary>
    private const int DescriptorLimit = 900;

    /// <summary>Where the clock stands when the script begins: not at zero, as on no machine.</summary>
    private static readonly MonoTime s_start = MonoTime.Zero + Duration.FromSeconds(10);

    private readonly PorticoKernel _kernel;
    private readonly ControlDirectory? _control;
    private readonly int _segmentBytes;

    public PacketdrillInstance(PacketdrillOptions options, string? controlPath)
    {
        Time = new VirtualTime();
        _kernel = new PorticoKernel(Time.Driver);
        Device = new VirtualDevice(Time, options.Mtu);
        _segmentBytes = options.SegmentBytes;
        Process = _kernel.CreateProcess(new ProcessOptions { UserId = 0, Files = new ResourceLimit(DescriptorLimit, DescriptorLimit) });
        Time.RunUntil(s_start);
        SetUpNetwork(options);
        _control = string.IsNullOrEmpty(controlPath) ? null : new ControlDirectory(controlPath, _kernel.CreateProcess(new ProcessOptions { Name = "sh", UserId = 0 }));
        Enter();
    }

    public VirtualTime Time { get; }

    public VirtualDevice Device { get; }

    /// <summary>Who makes the script's calls.</summary>
    public Process Process { get; }

    /// <summary>A packet comes in, and is handled completely at this instant. False where the engine's memory is used up.</summary>
    public bool Inject(ReadOnlySpan<byte> packet) => Device.Inject(packet, packet.Length > _segmentBytes ? _segmentBytes : 0);

    /// <summary>Microseconds since 1970 of a time of the kernel.</summary>
    public long ToUnixMicros(MonoTime time) => (Time.Origin + (time - MonoTime.Zero)).Nanoseconds / 1000;

    /// <summary>To be done before each entry's work: what a shell has said in the meantime.</summary>
    public void Enter() => _control?.Apply();

    /// <summary>To be done after it: what a shell may want to know.</summary>
    public void Leave() => _control?.Report();

    /// <summary>Ends everything. A call that is still blocked comes back before, with EINTR.</summary>
    public void Dispose()
    {
        Process.Exit();
        SpinWait spinner = default;
        while (Time.Runnable > 0 || Time.Blocked > 0)
        {
            spinner.SpinOnce();
        }

        _control?.Dispose();
        _kernel.Dispose();
        Time.Dispose();
    }

    /// <summary>Flags that name no network leave the device without one: the script's first call that needs it says so.</summary>
    private void SetUpNetwork(PacketdrillOptions options)
    {
        using (Time.Driver.Enter())
        {
            NetworkStack stack = _kernel.DefaultNamespace;
            stack.Tcp.Settings.hystart_detect = TcpSettings.HystartOfLinux;
            NetworkInterface tun = stack.AddInterface("tun0", Device);
            IpPrefix local = new(options.Local, options.PrefixLength);
            tun.AddAddress(local);
            tun.AcceptsAnyAddress = options.AcceptsAnyAddress;

            // On a device without link-layer addresses the router makes no difference; packetdrill's own address is given as one, too.
            bool isRouter = options.Gateway.IsIpv4 == options.Local.IsIpv4 && local.Contains(options.Gateway) && options.Gateway != options.Local;
            stack.Ip.Routes.Add(new Route
            {
                Destination = options.Remote,
                InterfaceIndex = tun.Index,
                Gateway = isRouter ? options.Gateway : default,
            });
        }
    }
}
