using System.Diagnostics;
using Portico.Interop.Tests.Kernel;
using Portico.Linux;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// What routers and hosts far away say is what a program under <c>portico run</c> hears: a second namespace plays a router, which
/// refuses in several ways.
/// </summary>
public sealed class RemoteErrorTests : IDisposable
{
    private readonly HostNamespace _host = new();
    private readonly NetworkNamespace _router = new();

    public RemoteErrorTests()
    {
        using Process anchor = _router.Invoke(() => Process.Start("sleep", "600"));
        try
        {
            Host($"ip link add v0 type veth peer name v1 netns {anchor.Id}");
            Host("ip addr add 198.18.0.1/30 dev v0; ip addr add 2001:db8:5::1/64 dev v0 nodad; ip link set v0 up");
            Router("ip link set lo up; ip addr add 198.18.0.2/30 dev v1; ip addr add 2001:db8:5::2/64 dev v1 nodad; ip link set v1 up");
            Router("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv4.icmp_ratelimit=0 net.ipv6.icmp.ratelimit=0");
            Host("ip route add 203.0.113.0/24 via 198.18.0.2; ip -6 route add 2001:db8:113::/48 via 2001:db8:5::2");
            Router("ip route add unreachable 203.0.113.0/26; ip route add prohibit 203.0.113.64/26");
            Router("ip route add blackhole 203.0.113.128/26; ip route add 203.0.113.192/26 via 198.18.0.1");
            Router("ip -6 route add unreachable 2001:db8:113:1::/64; ip -6 route add prohibit 2001:db8:113:2::/64");
        }
        finally
        {
            anchor.Kill();
        }
    }

    public void Dispose()
    {
        _host.Dispose();
        _router.Dispose();
    }

    [Theory]
    [InlineData("-c 1 -W 5 203.0.113.1", "From 198.18.0.2 icmp_seq=1 Destination Host Unreachable")]
    [InlineData("-c 1 -W 5 203.0.113.65", "From 198.18.0.2 icmp_seq=1 Packet filtered")]
    [InlineData("-c 1 -W 5 -t 2 203.0.113.193", "From 198.18.0.2 icmp_seq=1 Time to live exceeded")]
    [InlineData("-c 1 -W 5 -t 1 203.0.113.193", "From 10.0.2.2 icmp_seq=1 Time to live exceeded")]
    [InlineData("-c 1 -W 5 -6 2001:db8:113:1::1", "From 2001:db8:5::2 icmp_seq=1 Destination unreachable: No route")]
    [InlineData("-c 1 -W 5 -6 2001:db8:113:2::1", "From 2001:db8:5::2 icmp_seq=1 Destination unreachable: Administratively prohibited")]
    [InlineData("-c 1 -W 5 -6 -t 1 2001:db8:113:1::1", "From fd70:6f72:7469:636f::2 icmp_seq=1 Time exceeded: Hop limit")]
    public void A_ping_hears_who_refused_it_and_why(string arguments, string line)
    {
        CommandResult result = _host.Portico(["run", "--", "ping", "-n", .. arguments.Split(' ')]);
        Assert.Contains(line, result.Output, StringComparison.Ordinal);
        Assert.Contains("100% packet loss", result.Output, StringComparison.Ordinal);
    }

    [Fact]
    public void A_datagrams_error_has_its_type_its_code_and_its_reporter()
    {
        // Routes that refuse answer a peer once a second after a burst, whatever icmp_ratelimit says (net.ipv4.route.error_cost):
        // the second run, which comes from the same peer, may have to ask again.
        const string Script =
            """
            import socket,struct,select,errno
            def attempt(address):
                v6=':' in address
                s=socket.socket(socket.AF_INET6 if v6 else socket.AF_INET,socket.SOCK_DGRAM)
                s.setsockopt(41 if v6 else 0, 25 if v6 else 11, 1)
                s.connect((address,9))
                p=select.poll(); p.register(s,0)
                for _ in range(10):
                    s.send(b'x')
                    if p.poll(1500): break
                else: print('silence'); return
                data,control,flags,name=s.recvmsg(100,500,0x2000)
                e=control[0][2]; code,origin,kind,sub=struct.unpack('iBBB',e[:7])
                offender=socket.inet_ntop(socket.AF_INET6,e[24:40]) if v6 else socket.inet_ntop(socket.AF_INET,e[20:24])
                print(errno.errorcode[code],kind,sub,offender)
            for a in ('203.0.113.1','203.0.113.65','192.0.2.1','2001:db8:113:1::1','2001:db8:113:2::1','2001:db8::1'): attempt(a)
            """;
        string[] inside = Lines(_host.Portico("run", "--", "python3", "-c", Script));
        Assert.Equal(
            [
                "EHOSTUNREACH 3 1 198.18.0.2", "EHOSTUNREACH 3 13 198.18.0.2", "ECONNREFUSED 3 3 192.0.2.1",
                "ENETUNREACH 1 0 2001:db8:5::2", "EACCES 1 1 2001:db8:5::2", "ECONNREFUSED 1 4 2001:db8::1",
            ],
            inside);
        Assert.Equal(Lines(_host.Run("python3", "-c", Script)), inside);
    }

    [Fact]
    public void A_connection_fails_as_it_does_without_the_tool()
    {
        const string Script =
            """
            import socket,errno
            for a in ('203.0.113.1','203.0.113.65','203.0.113.129','2001:db8:113:1::1'):
                s=socket.socket(socket.AF_INET6 if ':' in a else socket.AF_INET)
                try: s.connect((a,80)); print('connected')
                except OSError as e: print(a,errno.errorcode[e.errno])
            """;

        // Two SYNs, three seconds, and then the kernel's own time-out: the host's and the command's.
        const string FewRetries = "echo 1 >/proc/sys/net/ipv4/tcp_syn_retries; exec python3 -c \"$0\"";
        using Process run = _host.StartPortico("run", "--", "sh", "-c", FewRetries, Script);
        string[] outside = Lines(_host.Run("sh", "-c", FewRetries, Script));
        string[] inside = Lines(CommandResult.WaitFor(run));
        Assert.Equal(
            ["203.0.113.1 EHOSTUNREACH", "203.0.113.65 EHOSTUNREACH", "203.0.113.129 ETIMEDOUT", "2001:db8:113:1::1 ENETUNREACH"], outside);
        Assert.Equal(outside, inside);
    }

    [Fact]
    public void Where_the_host_forbids_ping_sockets_a_ping_is_told_so()
    {
        CommandResult result = _host.Run(
            "sh", "-c", "echo '1 0' >/proc/sys/net/ipv4/ping_group_range; exec dotnet \"$0\" run -- ping -n -c 1 -W 5 192.0.2.1",
            HostNamespace.ToolPath);
        Assert.Contains("Packet filtered", result.Output, StringComparison.Ordinal);
        Assert.Contains("100% packet loss", result.Output, StringComparison.Ordinal);
    }

    private static string[] Lines(CommandResult result) => result.Succeeded().Split('\n', StringSplitOptions.RemoveEmptyEntries);

    private void Host(string command) => _host.Run("sh", "-ec", command).Succeeded();

    private void Router(string command) =>
        CommandResult.WaitFor(_router.Invoke(() => Process.Start(CommandResult.StartInfo("sh", ["-ec", command]))!)).Succeeded();
}
