using System.Diagnostics;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Neighbours;

/// <summary>ARP, Neighbor Discovery and autoconfiguration against the Linux kernel across a TAP device.</summary>
public sealed class NeighbourInteropTests : IDisposable
{
    private static readonly MacAddress s_portico = new(0x02_50_6F_72_74_01);
    private readonly KernelNamespace _kernel = new(LinkKind.Ethernet);
    private readonly NetworkStack _stack;
    private readonly NetworkInterface _interface;

    public NeighbourInteropTests()
    {
        _stack = _kernel.AddStack();
        _interface = _stack.Interfaces.Single(candidate => candidate.Name == "eth0");
    }

    public void Dispose() => _kernel.Dispose();

    /// <summary>Looks again and again, for at most 20 seconds, until something is so.</summary>
    private static void Eventually(string what, Func<bool> condition)
    {
        Stopwatch clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(20), $"did not happen: {what}");
            Thread.Sleep(20);
        }
    }

    private T Inside<T>(Func<T> look)
    {
        using (_kernel.Driver.Enter())
        {
            return look();
        }
    }

    private Neighbour Find(IpAddress address) => Inside(() => _interface.Neighbours!.Find(address));

    private AddressState? StateOf(IpAddress address) => Inside(() => _interface.FindAddress(address)?.State);

    private long Solicitations() => Inside(() => _interface.Neighbours!.Counters[NeighbourCounter.NdInRouterSolicits]);

    private string KernelAddresses() => _kernel.Run("ip", "-6", "addr", "show", "dev", "portico0").Succeeded();

    private MacAddress KernelMac() => MacAddress.Read(Convert.FromHexString(
        _kernel.Shell("cat /sys/class/net/portico0/address || ip -o link show portico0 | sed 's/.*ether //; s/ .*//'")
            .Succeeded().Trim().Replace(":", "", StringComparison.Ordinal)));

    [Theory]
    [InlineData("10.77.0.2")]
    [InlineData("fd77::2")]
    public void The_kernel_resolves_Portico(string address)
    {
        _kernel.Run("ping", "-c", "1", "-W", "10", address).Succeeded();
        string shown = _kernel.Run("ip", "neigh", "show", address).Succeeded();
        Assert.Contains($"lladdr {s_portico}", shown, StringComparison.Ordinal);
        Assert.Matches("REACHABLE|DELAY", shown);
        IpAddress peer = address.Contains(':') ? KernelNamespace.KernelIpv6.Address : KernelNamespace.KernelIpv4.Address;
        Assert.NotEqual(NudState.None, Find(peer).State);
        Assert.NotEqual(default, Find(peer).LinkAddress);
    }

    [Theory]
    [InlineData("10.77.0.1")]
    [InlineData("fd77::1")]
    public void Portico_resolves_the_kernel_and_probes_it_later(string text)
    {
        IpAddress peer = IpAddress.Parse(text);
        IcmpEchoHandle echo = Inside(() =>
        {
            _interface.Neighbours!.Options.delay_first_probe_time = Duration.FromMilliseconds(200);
            _interface.Neighbours.Options.retrans_time = Duration.FromMilliseconds(500);
            IpAddress any = peer.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
            Assert.Equal(Errno.None, _stack.Icmp.OpenEcho(any, 0, 0, null, out IcmpEchoHandle handle));
            return handle;
        });
        byte[] payload = [1, 2, 3];
        Assert.Equal(Errno.None, Inside(() => _stack.Icmp.SendEcho(echo, peer, 1, payload)));
        Eventually("the kernel answers", () => Inside(() => _stack.Icmp.ReceiveEcho(echo, new byte[16], out _)) == Errno.None);
        Neighbour known = Find(peer);
        Assert.Equal(NudState.Reachable, known.State);
        Assert.Equal(KernelMac(), known.LinkAddress);

        // Both forget; the kernel's question leaves an unconfirmed entry here, which its answer to a unicast probe confirms.
        Inside(() => _interface.Neighbours!.Remove(peer));
        _kernel.Run("ip", "neigh", "flush", "dev", "portico0").Succeeded();
        _kernel.Run("ping", "-c", "1", "-W", "10", peer.IsIpv4 ? "10.77.0.2" : "fd77::2").Succeeded();
        long before = Inside(() => _interface.Neighbours!.Counters[NeighbourCounter.RcvProbesUcast]);
        Inside(() => _stack.Icmp.SendEcho(echo, peer, 2, payload));
        Eventually("the kernel answers a probe", () => Find(peer).State == NudState.Reachable);
        Assert.True(Inside(() => _interface.Neighbours!.Counters[NeighbourCounter.RcvProbesUcast]) > before);
    }

    [Theory]
    [InlineData("10.77.0.99")]
    [InlineData("fd77::99")]
    public void A_neighbour_that_does_not_exist_is_reported_as_unreachable(string text)
    {
        IpAddress peer = IpAddress.Parse(text);
        IcmpEchoHandle echo = Inside(() =>
        {
            _interface.Neighbours!.Options.retrans_time = Duration.FromMilliseconds(100);
            IpAddress any = peer.IsIpv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
            Assert.Equal(Errno.None, _stack.Icmp.OpenEcho(any, 0, 0, null, out IcmpEchoHandle handle));
            return handle;
        });
        Inside(() => _stack.Icmp.SendEcho(echo, peer, 1, new byte[8]));
        Eventually("the neighbour fails", () => Find(peer).State == NudState.Failed);
        Assert.Equal(Errno.EHOSTUNREACH, Inside(() => _stack.Icmp.TakeEchoError(echo)));
    }

    [Theory]
    [InlineData("10.77.0.1/24")]
    [InlineData("fd77::1/64")]
    public void Portico_does_not_take_an_address_that_the_kernel_has(string text)
    {
        IpPrefix taken = IpPrefix.Parse(text);
        Assert.Equal(Errno.None, Inside(() => _interface.Configuration!.AddAddress(taken)));
        Eventually("the conflict is seen", () => StateOf(taken.Address) == AddressState.Duplicate);
    }

    [Theory]
    [InlineData("10.77.0.50/24")]
    [InlineData("fd77::50/64")]
    public void Portico_takes_an_address_that_nobody_has_and_the_kernel_reaches_it(string text)
    {
        IpPrefix free = IpPrefix.Parse(text);
        Assert.Equal(Errno.None, Inside(() => _interface.Configuration!.AddAddress(free)));
        Assert.Equal(AddressState.Tentative, StateOf(free.Address));
        Eventually("nobody objects", () => StateOf(free.Address) == AddressState.Preferred);
        _kernel.Run("ping", "-c", "1", "-W", "10", free.Address.ToString()).Succeeded();
    }

    [Fact]
    public void The_kernel_does_not_take_an_address_that_Portico_has()
    {
        _kernel.Run("ip", "addr", "add", "fd77::2/64", "dev", "portico0").Succeeded();
        Eventually(
            "the kernel sees the conflict",
            () => _kernel.Run("ip", "-6", "addr", "show", "dev", "portico0").Succeeded().Contains("dadfailed", StringComparison.Ordinal));
    }

    [Fact]
    public void The_kernel_configures_itself_from_Porticos_advertisements()
    {
        Inside(() =>
        {
            _interface.Configuration!.StartAdvertising(new RouterAdvertisementOptions
            {
                Prefixes = [new AdvertisedPrefix(IpPrefix.Parse("2001:db8:42::/64"))],
                LinkMtu = 1400,
                CurHopLimit = 61,
                RouterLifetimeSeconds = 600,
            });
            _interface.Configuration.Start();
            return 0;
        });

        string addresses = "";
        Eventually("the kernel has an address with the prefix", () =>
        {
            addresses = _kernel.Run("ip", "-6", "addr", "show", "dev", "portico0").Succeeded();
            return addresses.Split('\n').Any(line => line.Contains("inet6 2001:db8:42:", StringComparison.Ordinal)
                && line.Contains("dynamic", StringComparison.Ordinal) && !line.Contains("tentative", StringComparison.Ordinal));
        });
        string routes = _kernel.Run("ip", "-6", "route").Succeeded();
        IpAddress linkLocal = Inside(() => _interface.Addresses.Single(own => own.Address.IsLinkLocal).Address);
        Assert.Contains($"default via {linkLocal} dev portico0 proto ra", routes, StringComparison.Ordinal);
        Assert.Matches("2001:db8:42::/64 dev portico0 proto kernel", routes);
        Assert.Equal("1400", _kernel.Shell("cat /proc/sys/net/ipv6/conf/portico0/mtu").Succeeded().Trim());
        Assert.Equal("61", _kernel.Shell("cat /proc/sys/net/ipv6/conf/portico0/hop_limit").Succeeded().Trim());

        // What Portico advertised is on its link, so it can reach what the kernel made of it,
        string shown = addresses.Split('\n').First(line => line.Contains("inet6 2001:db8:42:", StringComparison.Ordinal));
        string own = shown.Trim().Split(' ')[1];
        IpPrefix kernelAddress = IpPrefix.Parse(own);
        Assert.Equal(Errno.None, Inside(() => _interface.AddAddress(IpPrefix.Parse("2001:db8:42::1/64"))));
        _kernel.Run("ping", "-c", "1", "-W", "10", "-I", kernelAddress.Address.ToString(), "2001:db8:42::1").Succeeded();

        // and the kernel knows Portico for a router, until it resigns.
        Inside(() =>
        {
            _interface.Configuration!.StopAdvertising();
            return 0;
        });
        Eventually(
            "the default route is gone",
            () => !_kernel.Run("ip", "-6", "route").Succeeded().Contains("proto ra", StringComparison.Ordinal));
    }

    [Fact]
    public void A_kernel_that_solicits_routers_is_answered()
    {
        Inside(() =>
        {
            AdvertisedPrefix prefix = new(IpPrefix.Parse("2001:db8:43::/64"));
            _interface.Configuration!.StartAdvertising(new RouterAdvertisementOptions { Prefixes = [prefix] });
            _interface.Configuration.Start();
            return 0;
        });
        Eventually("the link-local address is ready", () => Inside(() => _interface.Addresses.Any(
            own => own.Address.IsLinkLocal && own.State == AddressState.Preferred)));
        long before = Solicitations();
        _kernel.Shell("ip link set portico0 down && ip link set portico0 up").Succeeded();
        Eventually("the kernel solicits", () => Solicitations() > before);
        Eventually("the kernel has an address with the prefix", () => KernelAddresses().Contains("2001:db8:43:", StringComparison.Ordinal));
    }
}
