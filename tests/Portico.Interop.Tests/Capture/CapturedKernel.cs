using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Capture;

/// <summary>A Portico host and the Linux kernel at the two ends of a TUN device, with everything between them recorded.</summary>
/// <remarks>
/// A machine that is busy with something else may not run the stack for a while, which to the kernel looks like loss. So that a
/// retransmission in a capture means what it seems to mean, the kernel is told here to be patient: no tail loss probes, a
/// long minimum of its retransmission timeout, and a queue that holds all that a window allows.
/// </remarks>
public sealed class CapturedKernel : IDisposable
{
    public const string KernelIpv4 = "10.77.0.1";
    public const string KernelIpv6 = "fd77::1";
    public const string PorticoIpv4 = "10.77.0.2";
    public const string PorticoIpv6 = "fd77::2";

    private readonly FileStream _file;
    private readonly PcapngWriter _writer;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"portico-interop-{Guid.NewGuid():N}.pcapng");
    private bool _ended;

    public CapturedKernel(bool offloads = true, int mtu = 1500, Func<Impairment>? impairment = null)
    {
        _file = File.Create(_path);
        _writer = new PcapngWriter(_file);
        Kernel = new KernelNamespace(LinkKind.Ip, mtu, offloads, decorate: (engine, link) =>
        {
            if (impairment != null)
            {
                Impaired = new ImpairmentLink(engine, link, 1, impairment(), impairment());
                link = Impaired;
            }

            CaptureLink capture = new(engine, link, _writer, "tun0");
            if (Impaired != null)
            {
                Impaired.Dropped = new CaptureTap(engine, _writer, "dropped", link.Kind);
            }

            return capture;
        });
        string patience = impairment == null ? " rto_min 20s" : "";
        Kernel.Shell(
            "sysctl -qw net.ipv4.tcp_early_retrans=0 && ip link set portico0 txqueuelen 20000 && " +
            $"ip route replace 10.77.0.0/24 dev portico0 src {KernelIpv4}{patience} && " +
            $"ip -6 route replace fd77::/64 dev portico0 metric 1{patience}").Succeeded();
        Host = new PorticoHost(Kernel.Driver, Kernel.AddStack());
    }

    public KernelNamespace Kernel { get; }

    public PorticoHost Host { get; }

    public ImpairmentLink? Impaired { get; private set; }

    /// <summary>Runs a command line on the kernel's side, with the patience that a busy machine asks for.</summary>
    public Task<CommandResult> ShellAsync(string command) => Task.Run(
        () => CommandResult.WaitFor(Kernel.StartProgram("sh", "-c", command), TimeSpan.FromSeconds(240)));

    /// <summary>Ends the traffic and returns the finished capture's name.</summary>
    public string End()
    {
        if (!_ended)
        {
            _ended = true;
            Kernel.Dispose();
            _writer.Flush();
            _file.Dispose();
            Assert.Null(_writer.Failure);
            Assert.Equal(0, _writer.Drops);
        }

        return _path;
    }

    public void Dispose()
    {
        try
        {
            End();
        }
        finally
        {
            if (Environment.GetEnvironmentVariable("PORTICO_KEEP_CAPTURES") == null)
            {
                File.Delete(_path);
            }
        }
    }
}
