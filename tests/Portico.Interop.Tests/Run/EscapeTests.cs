using System.Diagnostics;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;
using Portico.Net;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// Programs inside <c>portico run</c> that try to get out: to the host's loopback, to metadata services, past the rules. What proves
/// that they fail are sockets of the host that nothing reaches.
/// </summary>
public sealed class EscapeTests : IDisposable
{
    /// <summary>The addresses that mean the host, or the machine under it, in all the ways to write them.</summary>
    private static readonly string[] s_closed =
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "255.255.255.255", "224.0.0.1",
        "168.63.129.16", "100.100.100.200", "::", "::1", "fe80::1%portico0", "fe80::a9fe:a9fe%portico0", "ff02::1%portico0",
        "fd00:ec2::254", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::169.254.169.254", "::ffff:0:127.0.0.1",
        "::ffff:0:169.254.169.254",
        "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1:a9fe:a9:fe00::", "2002:7f00:1::1", "2002:a9fe:a9fe::1",
        "2001:0:c000:201::5601:5601", "2001:db8::5efe:127.0.0.1", "2001:db8::200:5efe:169.254.169.254",
        "10.0.2.2", "fd70:6f72:7469:636f::2",
    ];

    /// <summary>Tries to connect and to send to each address and port; says which connection was made, and what took too long.</summary>
    private const string TryAll =
        """
        import socket,sys,errno
        port=int(sys.argv[1])
        for address in sys.argv[2:]:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                try: family,_,_,_,where=socket.getaddrinfo(address,port,type=kind)[0]
                except OSError as e: print('unresolved',address); continue
                s=socket.socket(family,kind); s.settimeout(5)
                try:
                    if kind==socket.SOCK_DGRAM:
                        s.setsockopt(socket.SOL_SOCKET,socket.SO_BROADCAST,1)
                        s.sendto(b'out',where)
                    else:
                        s.connect(where); s.getpeername(); print('connected',address)
                except socket.timeout: print('silence',address)
                except OSError as e: pass
        """;

    private readonly HostNamespace _host = new();

    /// <summary>
    /// A host that has all of these addresses, also those that only a translator or a tunnel would bring to it: what passes the policy
    /// is seen.
    /// </summary>
    public EscapeTests()
    {
        string[] prefixes =
        [
            "169.254.0.0/16", "168.63.129.16/32", "100.100.100.200/32", "fd00:ec2::/32", "fe80::/64", "::/96", "::ffff:0:0:0/96",
            "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "2001:db8::/32",
        ];
        foreach (string prefix in prefixes)
        {
            string family = prefix.Contains(':', StringComparison.Ordinal) ? "-6" : "-4";
            CommandResult.WaitFor(_host.StartProgram("ip", family, "route", "add", "local", prefix, "dev", "lo")).Succeeded();
        }
    }

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Addresses_that_mean_the_host_are_out_of_reach_however_they_are_written(bool ordinaryUser)
    {
        using Watchers host = new(_host);
        string output = Run(ordinaryUser, [], ["python3", "-c", TryAll, $"{host.Port}", .. s_closed]).Succeeded();
        Assert.DoesNotContain("connected", output, StringComparison.Ordinal);
        host.SawNothing();
    }

    [Fact]
    public void Allowing_everything_does_not_mean_those()
    {
        using Watchers host = new(_host);
        string[] rules = ["--allow", "all", "--allow", "0.0.0.0/0", "--allow", "::/0"];
        string output = Run(false, rules, ["python3", "-c", TryAll, $"{host.Port}", .. s_closed]).Succeeded();
        Assert.DoesNotContain("connected", output, StringComparison.Ordinal);
        host.SawNothing();
    }

    [Fact]
    public void One_of_them_is_reached_where_a_rule_names_it()
    {
        using Watchers host = new(_host);
        string output = Run(
            false, ["--allow", "169.254.169.254/32", "--allow", $"localhost:{host.Port}"],
            ["python3", "-c", TryAll, $"{host.Port}", "169.254.169.254", "host.portico", "169.254.169.253"]).Succeeded();
        Assert.Equal("connected 169.254.169.254\nconnected host.portico\n", output);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_name_server_that_answers_with_such_addresses_opens_none(bool ordinaryUser)
    {
        using Watchers host = new(_host);
        using TestNameServer dns = new(_host);
        string[] addresses =
        [
            "127.0.0.1", "169.254.169.254", "0.0.0.0", "10.0.2.2", "10.0.2.3", "::1", "::ffff:127.0.0.1", "::ffff:169.254.169.254",
            "::ffff:10.0.2.3", "64:ff9b::a9fe:a9fe", "fd00:ec2::254", "fe80::1", "fd70:6f72:7469:636f::3", "::",
        ];
        string[] names = [.. addresses.Select((_, i) => $"n{i}.evil.test")];
        for (int i = 0; i < addresses.Length; i++)
        {
            dns.With(names[i], addresses[i], 0);
        }

        // Also where the names are allowed by a rule, and host.portico would be the loopback.
        string[] options = ["--dns", dns.Address, "--host-loopback", "--allow", "*.evil.test"];
        string output = Run(ordinaryUser, options, ["python3", "-c", TryAll, $"{host.Port}", .. names]).Succeeded();
        Assert.DoesNotContain("connected", output, StringComparison.Ordinal);
        Assert.All(names, n => Assert.Contains(dns.Queries, q => q.Name == n));
        host.SawNothing();
    }

    [Fact]
    public void A_name_that_changes_its_address_to_the_hosts_own_opens_nothing()
    {
        using Watchers host = new(_host);
        using TestNameServer dns = new(_host);
        dns.With("good.test", "192.0.2.1").With("good.test", "2001:db8::1");
        string output = Run(
            false, ["--dns", dns.Address, "--deny", "all", "--allow", "good.test"],
            ["python3", "-c", TryAll, $"{host.Port}", "good.test", "192.0.2.1", "2001:db8::1"]).Succeeded();
        Assert.Equal("", output);
        host.SawNothing();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Where_everything_is_denied_nothing_is_reached_and_no_name_leaves(bool ordinaryUser)
    {
        using Watchers host = new(_host);
        using TestNameServer dns = new(_host);
        dns.With("secret.exfiltrated.test", "192.0.2.1");
        string output = Run(
            ordinaryUser, ["--dns", dns.Address, "--deny", "all"],
            [
                "python3", "-c", TryAll, $"{host.Port}", "192.0.2.1", "2001:db8::1", "host.portico", "10.0.2.3", "198.51.100.7",
                "secret.exfiltrated.test", "::ffff:192.0.2.1", "64:ff9b::c000:201",
            ]).Succeeded();
        Assert.Equal("unresolved secret.exfiltrated.test\nunresolved secret.exfiltrated.test\n", output);
        Assert.Empty(dns.Queries);
        host.SawNothing();
    }

    [Fact]
    public void Denied_names_do_not_exist_not_even_as_aliases()
    {
        using Watchers host = new(_host);
        using TestNameServer dns = new(_host);
        dns.With("www.bad.test", "192.0.2.1").With("bad.test", "192.0.2.1").With("fine.test", "192.0.2.1")
            .WithAlias("cloak.test", "www.bad.test").With("www.bad.test", "2001:db8::1");
        string output = Run(
            false, ["--dns", dns.Address, "--deny", "*.bad.test", "--deny", "bad.test"],
            ["python3", "-c", TryAll, $"{host.Port}", "www.bad.test", "bad.test", "WWW.Bad.Test", "cloak.test"]).Succeeded();
        Assert.DoesNotContain("connected", output, StringComparison.Ordinal);
        host.SawNothing();
        Assert.DoesNotContain(dns.Queries, q => q.Name.EndsWith("bad.test", StringComparison.Ordinal));
        Assert.Contains("connected", Run(
            false, ["--dns", dns.Address, "--deny", "*.bad.test"], ["python3", "-c", TryAll, $"{host.Port}", "fine.test"]).Succeeded());
    }

    [Theory]
    [InlineData("192.0.2.0/24", false)]
    [InlineData("host", false)]
    [InlineData("all/tcp", true)]
    [InlineData("192.0.2.1:1-65535/tcp", true)]
    public void A_denied_address_is_out_of_reach_in_every_form(string rule, bool onlyTcp)
    {
        using Watchers host = new(_host);
        Run(
            false, ["--deny", rule],
            ["python3", "-c", TryAll, $"{host.Port}", "192.0.2.1", "::ffff:192.0.2.1", "10.0.2.3", "64:ff9b::c000:201"]).Succeeded();
        Assert.False(host.HasConnection);
        Assert.Equal(onlyTcp, host.HasDatagram);
    }

    [Theory]
    [InlineData("192.0.2.1")]
    [InlineData("2001:db8::1")]
    public void A_denied_destination_says_so_at_once_each_time(string address)
    {
        const string Script =
            """
            import socket,sys,errno,time
            # A connection is one that has a peer.
            where=(sys.argv[1],9)
            family=socket.AF_INET6 if ':' in where[0] else socket.AF_INET
            seen=set()
            start=time.monotonic()
            for i in range(200):
                s=socket.socket(family); s.settimeout(20)
                try: s.connect(where); s.getpeername(); seen.add('connected')
                except OSError as e: e.errno==errno.ENOTCONN or seen.add(errno.errorcode.get(e.errno,str(e)))
                u=socket.socket(family,socket.SOCK_DGRAM); u.settimeout(20); u.connect(where); u.send(b'x')
                try: u.recv(1)
                except OSError as e: seen.add(errno.errorcode.get(e.errno,str(e)))
            # A SYN that nobody answers is repeated after a second.
            print(*sorted(seen), 'at once' if time.monotonic()-start<60 else 'late')
            """;
        string output = Run(false, ["--deny", address], ["python3", "-c", Script, address]).Succeeded();
        Assert.Equal(address.Contains(':', StringComparison.Ordinal) ? "EACCES at once\n" : "EHOSTUNREACH at once\n", output);
    }

    [Fact]
    public void Packets_made_by_hand_reach_nothing_and_do_the_gateway_no_harm()
    {
        using Watchers host = new(_host);
        string script =
            $"""
            import random,socket,struct
            random.seed(5)
            port={host.Port}
            s=socket.socket(socket.AF_PACKET,socket.SOCK_DGRAM)
            def csum(b):
                b+=b'\0'*(len(b)%2); t=sum(struct.unpack('>%dH'%(len(b)//2),b))
                while t>>16: t=(t&0xffff)+(t>>16)
                return ~t&0xffff
            def v4(src,dst,proto,body):
                src,dst=socket.inet_aton(src),socket.inet_aton(dst)
                h=struct.pack('>BBHHHBBH4s4s',0x45,0,20+len(body),1,0,64,proto,0,src,dst)
                return h[:10]+struct.pack('>H',csum(h))+h[12:]+l4(src,dst,proto,body)
            def v6(src,dst,proto,body):
                src,dst=socket.inet_pton(socket.AF_INET6,src),socket.inet_pton(socket.AF_INET6,dst)
                return struct.pack('>IHBB16s16s',6<<28,len(body),proto,64,src,dst)+l4(src,dst,proto,body)
            def l4(src,dst,proto,body):
                at=16 if proto==6 else 6
                c=csum(src+dst+struct.pack('>HH',proto,len(body))+body)
                return body[:at]+struct.pack('>H',c)+body[at+2:]
            syn=struct.pack('>HHIIBBHHH',40000,port,1,0,0x50,2,65535,0,0)
            udp=struct.pack('>HHHH',40000,port,11,0)+b'out'
            def send(packet): s.sendto(packet,('portico0',0x0800 if packet[0]>>4==4 else 0x86dd))
            for proto,body in ((6,syn),(17,udp)):
                for src in ('10.0.2.100','127.0.0.1','10.0.2.2','192.0.2.1','0.0.0.0','255.255.255.255','224.0.0.1'):
                    for dst in ('127.0.0.1','169.254.169.254','0.0.0.0','255.255.255.255','10.0.2.2'):
                        send(v4(src,dst,proto,body))
                for src in ('fd70:6f72:7469:636f::100','::1','::ffff:127.0.0.1','fe80::1','ff02::1','::'):
                    for dst in ('::1','::ffff:127.0.0.1','::ffff:192.0.2.1','fe80::1','::ffff:169.254.169.254','fd00:ec2::254','::',
                            'ff02::1'):
                        send(v6(src,dst,proto,body))
            # The same in tunnels, in fragments, and by source routes; a datagram without a checksum is right in all of them.
            def bare(dst,proto,body,options=b'',fragment=0):
                a,b=socket.inet_aton('10.0.2.100'),socket.inet_aton(dst)
                h=struct.pack('>BBHHHBBH4s4s',0x45+len(options)//4,0,20+len(options)+len(body),7,fragment,64,proto,0,a,b)+options
                return h[:10]+struct.pack('>H',csum(h))+h[12:]+body
            for dst in ('127.0.0.1','169.254.169.254','0.0.0.0','10.0.2.2'):
                for inner in (v4('10.0.2.100',dst,6,syn),bare(dst,17,udp)):
                    for outer in ('10.0.2.2',dst,'192.0.2.1'):
                        send(bare(outer,4,inner)); send(bare(outer,47,b'\0\0\x08\0'+inner)); send(bare(outer,94,inner))
                send(bare(dst,17,udp[:8],fragment=0x2000)); send(bare(dst,17,udp[8:],fragment=1))
                for kind in (131,137):
                    for first,last in (('10.0.2.2',dst),(dst,'10.0.2.2')):
                        send(bare(first,17,udp,bytes((kind,7,4))+socket.inet_aton(last)+b'\0'))
            base=[(22,v4('10.0.2.100','192.0.2.1',6,syn)),(22,v4('10.0.2.100','10.0.2.2',17,udp)),
                (42,v6('fd70:6f72:7469:636f::100','2001:db8::2',6,syn))]
            for i in range(20000):
                at,p=random.choice(base); p=bytearray(p)
                # The ports stay away from the watchers: this part is about the gateway's health.
                for _ in range(random.randint(1,6)): p[random.randrange(len(p))]=random.randrange(256)
                p[at]=0
                try: send(bytes(p[:random.choice([len(p)]*3+[random.randint(1,len(p))])]))
                except OSError: pass
            """;
        string output = Run(
            false, [], ["sh", "-c", "python3 -c \"$1\" && curl -sS -m 20 http://portico.internal/", "sh", script]).Succeeded();
        Assert.Contains("ESTABLISHED", output, StringComparison.Ordinal);
        host.SawNothing();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_command_finds_no_control_socket(bool ordinaryUser)
    {
        string name = $"escape-{Guid.NewGuid():N}"[..20];
        string output = Run(
            ordinaryUser, ["--name", name],
            [
                "sh", "-c",
                "find \"$XDG_RUNTIME_DIR\" /tmp/portico-* /run/user/*/portico -type s 2>/dev/null; "
                + "grep -c portico-12345.*tmpfs /proc/self/mountinfo; "
                + "dotnet \"$0\" ps | grep -c escape-",
                HostNamespace.ToolPath,
            ]).Output;
        Assert.DoesNotContain(name, output, StringComparison.Ordinal);
        Assert.EndsWith("0\n", output, StringComparison.Ordinal);
    }

    [Fact]
    public void An_ordinary_users_command_gets_into_no_other_namespace()
    {
        string output = Run(
            true, [],
            [
                "sh", "-c",
                "nsenter --net=/proc/$PPID/ns/net true 2>/dev/null && echo entered; nsenter -t 1 -n true 2>/dev/null && echo entered; "
                + "cat /proc/$PPID/environ 2>/dev/null | head -c 1; "
                + "umount /etc/resolv.conf 2>/dev/null && echo uncovered; ip link set portico0 down 2>/dev/null && echo changed; echo done",
            ]).Succeeded();
        Assert.Equal("done\n", output);
    }

    private CommandResult Run(bool ordinaryUser, string[] options, string[] command)
    {
        string[] arguments = [HostNamespace.ToolPath, "run", .. options, "--", .. command];
        Process process = ordinaryUser
            ? _host.StartAsUser("666", "dotnet", arguments)
            : _host.StartProgram("dotnet", arguments);
        using (process)
        {
            return CommandResult.WaitFor(process, TimeSpan.FromSeconds(200));
        }
    }
}
