using System.Diagnostics;
using System.Net.Sockets;
using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>What goes wrong, and how much goes on at once.</summary>
public sealed class ProgramFailureTests : IDisposable
{
    private const string Attempts =
        """
        import socket,errno
        from concurrent.futures import ThreadPoolExecutor
        def attempt(target):
            s=socket.socket(socket.AF_INET6 if ':' in target else socket.AF_INET)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
            try: s.connect((target,81)); return target+' connected'
            except OSError as e: return f'{target} {errno.errorcode[e.errno]} {e.strerror}'
        targets=('192.0.2.1','2001:db8::1', '203.0.113.1','2001:db8:1::1', '198.51.100.1','2001:db8:3::1')
        print(*ThreadPoolExecutor(6).map(attempt,targets),sep='\n')
        """;

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Fact]
    public void Refused_unreachable_and_timed_out_look_as_they_do_without_portico()
    {
        // Silence: what comes back by lo for an address that is nobody's is dropped, since the host does not forward.
        const string Routes =
            """
            ip route add 198.51.100.0/24 dev lo
            ip -6 route add 2001:db8:3::/48 dev lo
            ip route add unreachable 203.0.113.0/24
            ip -6 route add unreachable 2001:db8:1::/48
            sysctl -qw net.ipv4.tcp_syn_retries=1
            """;
        CommandResult.WaitFor(_host.StartProgram("sh", "-ec", Routes)).Succeeded();
        using Process inside = _host.StartPortico("run", "--", "python3", "-c", Attempts);
        string without = CommandResult.WaitFor(_host.StartProgram("python3", "-c", Attempts)).Succeeded();
        foreach (string outcome in (string[])["ECONNREFUSED", "EHOSTUNREACH", "ETIMEDOUT"])
        {
            Assert.Contains(outcome, without, StringComparison.Ordinal);
        }

        Assert.Equal(without, CommandResult.WaitFor(inside).Succeeded());
    }

    [Fact]
    public void Five_thousand_connections_are_open_at_once()
    {
        using Socket ipv4 = _host.Listen(HostNamespace.Ipv4, out int port4, 4096);
        using Socket ipv6 = _host.Listen(HostNamespace.Ipv6, out int port6, 4096);
        int open = 0;
        int most = 0;
        foreach (Socket listener in (Socket[])[ipv4, ipv6])
        {
            _ = AcceptAsync(listener);
        }

        async Task AcceptAsync(Socket listener)
        {
            while (true)
            {
                Socket accepted = await listener.AcceptAsync();
                int now = Interlocked.Increment(ref open);
                lock (_host)
                {
                    most = Math.Max(most, now);
                }

                _ = EchoAsync(accepted);
            }
        }

        async Task EchoAsync(Socket accepted)
        {
            using (accepted)
            {
                byte[] buffer = new byte[1024];
                for (int count; (count = await accepted.ReceiveAsync(buffer)) > 0;)
                {
                    await accepted.SendAsync(buffer.AsMemory(0, count));
                }
            }

            Interlocked.Decrement(ref open);
        }

        string script =
            $$"""
            import asyncio,resource,os
            resource.setrlimit(resource.RLIMIT_NOFILE,(resource.getrlimit(resource.RLIMIT_NOFILE)[1],)*2)
            async def main():
                at_once=asyncio.Semaphore(200); good=0
                async def connect(i):
                    async with at_once:
                        return await asyncio.open_connection(*(('192.0.2.1',{{port4}}) if i%2 else ('2001:db8::1',{{port6}})))
                pairs=await asyncio.gather(*(connect(i) for i in range(5000)))
                async def ask(i,reader,writer):
                    data=os.urandom(1000); writer.write(data)
                    return await reader.readexactly(1000)==data
                print(sum(await asyncio.gather(*(ask(i,*p) for i,p in enumerate(pairs)))))
                for r,w in pairs: w.close()
            asyncio.run(main())
            """;
        Assert.Equal("5000", _host.Portico("run", "--", "python3", "-c", script).Succeeded().Trim());
        Assert.Equal(5000, most);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref open) == 0, TimeSpan.FromSeconds(20)));
    }
}
