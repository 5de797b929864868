using System.Text;
using Portico.Net;

namespace Portico.Kernel.Tests.Administration;

/// <summary>sysctl, ip, tc, ethtool and nstat on a kernel's own network.</summary>
public sealed class NetworkCommandsTests : IDisposable
{
    private readonly VirtualTime _time = new();
    private readonly PorticoKernel _kernel;
    private readonly VirtualDevice _device;
    private readonly NetworkCommands _commands;

    public NetworkCommandsTests()
    {
        _kernel = new PorticoKernel(_time.Driver);
        _device = new VirtualDevice(_time, mtu: 1500);
        using (_time.Driver.Enter())
        {
            _kernel.DefaultNamespace.AddInterface("tun0", _device);
        }

        _commands = new NetworkCommands(_kernel.CreateProcess(new ProcessOptions { UserId = 0 }));
    }

    private IReadOnlyList<Route> Routes => _kernel.DefaultNamespace.Ip.Routes.Routes;

    public void Dispose()
    {
        _kernel.Dispose();
        _time.Dispose();
    }

    private string Run(string line)
    {
        StringBuilder output = new();
        Assert.True(_commands.Run(line, output), line);
        return output.ToString();
    }

    [Theory]
    [InlineData("sysctl net.ipv4.tcp_sack=0", "net.ipv4.tcp_sack", "0")]
    [InlineData("sysctl -q -w net/ipv4/tcp_syn_retries=3", "net.ipv4.tcp_syn_retries", "3")]
    [InlineData("sysctl /proc/sys/net/ipv4/tcp_syn_retries=4", "net.ipv4.tcp_syn_retries", "4")]
    [InlineData("sysctl -q net.ipv4.tcp_rmem=\"4096 540000 15728640\"", "net.ipv4.tcp_rmem", "4096\t540000\t15728640")]
    [InlineData("sysctl -q net.ipv4.tcp_sack=0 net.ipv4.tcp_rmem=4096 540000 15728640", "net.ipv4.tcp_rmem", "4096\t540000\t15728640")]
    [InlineData("sysctl -q net.ipv4.tcp_allowed_congestion_control=\"bbr cubic\"", "net.ipv4.tcp_allowed_congestion_control", "cubic bbr")]
    public void Sysctl_sets_what_it_then_shows(string line, string name, string value)
    {
        Run(line);
        Assert.Equal(value + "\n", Run($"sysctl -n {name}"));
        Assert.Equal($"{name} = {value}\n", Run($"sysctl {name}"));
    }

    [Theory]
    [InlineData("sysctl net.ipv4.no_such_setting=1")]
    [InlineData("sysctl net.ipv4.tcp_sack=many")]
    [InlineData("sysctl net.ipv4.tcp_allowed_congestion_control=\"reno nothing\"")]
    [InlineData("sysctl")]
    [InlineData("ip route add nowhere dev tun0")]
    [InlineData("ip route add 192.0.2.0/24 via nobody dev tun0")]
    [InlineData("ip addr add 192.0.2.1/24 dev tun7")]
    [InlineData("ip route del 198.51.100.0/24")]
    [InlineData("tc class add dev tun0")]
    [InlineData("no-such-command")]
    [InlineData("")]
    public void What_cannot_be_done_fails(string line) => Assert.False(_commands.Run(line, new StringBuilder()));

    [Fact]
    public void The_congestion_control_of_new_connections_is_allowed_to_all()
    {
        Assert.Equal("net.ipv4.tcp_allowed_congestion_control = reno cubic\n", Run("sysctl net.ipv4.tcp_allowed_congestion_control"));
        Run("sysctl -q net.ipv4.tcp_congestion_control=bbr");
        Assert.Equal("net.ipv4.tcp_allowed_congestion_control = reno cubic bbr\n", Run("sysctl net.ipv4.tcp_allowed_congestion_control"));
    }

    [Fact]
    public void Sysctl_passes_over_a_name_that_there_is_not_where_told_so() => Run("sysctl -q -e net.ipv4.no_such_setting=1");

    [Fact]
    public void Addresses_and_routes_come_change_and_go()
    {
        Run("ip addr add 192.0.2.1/24 dev tun0");
        Run("ip route add default via 192.0.2.254 dev tun0");
        Run("ip route change 198.51.100.1 via 192.0.2.254 dev tun0 advmss 1460 mtu lock 1200");
        Route route = Assert.Single(Routes, route => route.Destination == IpPrefix.Parse("198.51.100.1/32"));
        Assert.Equal(1200, route.Mtu);
        Assert.Equal(IpAddress.FromIpv4(192, 0, 2, 254), route.Gateway);

        Run("ip route change 198.51.100.1 dev tun0 mtu 1300");
        Assert.Equal(1300, Assert.Single(Routes, route => route.Destination == IpPrefix.Parse("198.51.100.1/32")).Mtu);
        Run("ip route del 198.51.100.1");
        Assert.DoesNotContain(Routes, route => route.Destination == IpPrefix.Parse("198.51.100.1/32"));
        Assert.Contains(Routes, route => route.Destination.Length == 0);
    }

    [Fact]
    public void A_queue_without_room_drops_all_until_it_is_replaced()
    {
        Run("tc qdisc replace dev tun0 root pfifo limit 0");
        Assert.True(_device.DropsAll);
        Run("tc qdisc replace dev tun0 root fq");
        Assert.False(_device.DropsAll);
        Run("tc qdisc add dev tun0 root pfifo limit 0");
        Run("tc qdisc delete dev tun0 root");
        Assert.False(_device.DropsAll);
        Run("ethtool -K tun0 gso off tso off");
    }

    [Fact]
    public void Nstat_shows_what_has_changed_since_the_last_time()
    {
        Run("nstat");
        Assert.Equal("", Run("nstat"));
        _kernel.DefaultNamespace.Tcp.Mib[TcpCounter.OutOfWindowIcmps] += 2;
        Assert.Equal(["TcpExtOutOfWindowIcmps", "2", "0.0"], Run("nstat").Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
    }
}
