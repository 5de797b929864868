using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>Two hosts joined by a cable under virtual time: the smallest world in which TCP can be watched.</summary>
internal sealed class TcpPair : IDisposable
{
    private const int StepsMax = 2_000_000;

    public TcpPair(
        int mtu = 1500, LinkFeatures features = LinkFeatures.None, bool ipv6 = false, ulong seed = 1, Impairment? impairment = null,
        Action<TcpSettings>? configureA = null, Action<TcpSettings>? configureB = null)
    {
        Engine = new Engine(new EngineOptions { Seed = seed });
        Cable = new Cable(Engine, new CableOptions { Mtu = mtu, Features = features });
        A = new NetworkStack(Engine, new NetworkStackOptions { Name = "a" });
        B = new NetworkStack(Engine, new NetworkStackOptions { Name = "b" });
        LinkA = impairment == null ? Cable.A : new ImpairmentLink(Engine, Cable.A, seed + 1, impairment, impairment, features);
        AddressA = IpAddress.Parse(ipv6 ? "fd00::1" : "10.0.0.1");
        AddressB = IpAddress.Parse(ipv6 ? "fd00::2" : "10.0.0.2");
        int length = ipv6 ? 64 : 24;
        A.AddInterface("eth0", LinkA).AddAddress(new IpPrefix(AddressA, length));
        B.AddInterface("eth0", Cable.B).AddAddress(new IpPrefix(AddressB, length));
        configureA?.Invoke(A.Tcp.Settings);
        configureB?.Invoke(B.Tcp.Settings);
    }

    public Engine Engine { get; }

    public Cable Cable { get; }

    public ILink LinkA { get; }

    public NetworkStack A { get; }

    public NetworkStack B { get; }

    public IpAddress AddressA { get; }

    public IpAddress AddressB { get; }

    public TcpListenerHandle Listen(ushort port = 80, int backlog = 128)
    {
        Assert.Equal(Errno.None, B.Tcp.Listen(new TcpListenRequest { Local = new Endpoint(AddressB, port), Backlog = backlog }, null, out TcpListenerHandle listener));
        return listener;
    }

    public TcpHandle Open(ushort port = 80)
    {
        Assert.Equal(Errno.None, A.Tcp.Open(new TcpOpenRequest { Remote = new Endpoint(AddressB, port) }, null, out TcpHandle handle));
        return handle;
    }

    /// <summary>An established connection: the opener's handle and the acceptor's.</summary>
    public (TcpHandle Client, TcpHandle Server) Connect(ushort port = 80)
    {
        TcpListenerHandle listener = Listen(port);
        TcpHandle client = Open(port);
        TcpHandle server = default;
        RunUntil(() => B.Tcp.Accept(listener, null, out server) == Errno.None, Duration.FromSeconds(60));
        RunUntil(() => State(A, client) == TcpState.Established, Duration.FromSeconds(60));
        return (client, server);
    }

    public static TcpState State(NetworkStack stack, TcpHandle handle)
    {
        stack.Tcp.GetInfo(handle, out TcpInfo info);
        return info.State;
    }

    /// <summary>Delivers what is on its way now, without letting time pass.</summary>
    public void Settle()
    {
        Engine.Advance(Engine.Now);
        Engine.DispatchReady();
    }

    public void RunFor(Duration time)
    {
        MonoTime end = Engine.Now + time;
        for (int steps = 0; Engine.NextDeadline <= end; steps++)
        {
            Assert.True(steps < StepsMax, "the engine does not come to rest");
            Engine.Advance(Engine.NextDeadline);
            Engine.DispatchReady();
        }

        Engine.Advance(end);
        Engine.DispatchReady();
    }

    public void RunUntil(Func<bool> done, Duration limit)
    {
        MonoTime end = Engine.Now + limit;
        Settle();
        for (int steps = 0; !done(); steps++)
        {
            Assert.True(steps < StepsMax, "the engine does not come to rest");
            Assert.True(Engine.NextDeadline <= end, $"did not happen within {limit}; now {Engine.Now}, next {Engine.NextDeadline}");
            Engine.Advance(Engine.NextDeadline);
            Engine.DispatchReady();
        }
    }

    /// <summary>Sends a pattern from one end to the other while time passes, reading as it comes; asserts every byte.</summary>
    public void Transfer(NetworkStack from, TcpHandle sender, NetworkStack to, TcpHandle receiver, int bytes, Duration limit, int chunk = 65536)
    {
        byte[] data = Pattern(bytes);
        byte[] got = new byte[bytes];
        byte[] buffer = new byte[chunk];
        int written = 0;
        int read = 0;
        MonoTime end = Engine.Now + limit;
        for (int steps = 0; read < bytes; steps++)
        {
            Assert.True(steps < StepsMax, "the engine does not come to rest");
            bool progress = false;
            if (written < bytes)
            {
                Errno error = from.Tcp.Send(sender, data.AsSpan(written, Math.Min(chunk, bytes - written)), TcpSendFlags.None, out int sent);
                Assert.True(error is Errno.None or Errno.EAGAIN, error.ToString());
                written += sent;
                progress |= sent > 0;
            }

            Settle();
            Errno received = to.Tcp.Receive(receiver, buffer, TcpReceiveFlags.None, out int count);
            Assert.True(received is Errno.None or Errno.EAGAIN, received.ToString());
            buffer.AsSpan(0, count).CopyTo(got.AsSpan(read));
            read += count;
            progress |= count > 0;
            if (!progress)
            {
                Assert.True(Engine.NextDeadline <= end, $"stuck at {read} of {bytes} bytes ({written} written); now {Engine.Now}, next {Engine.NextDeadline}");
                Engine.Advance(Engine.NextDeadline);
                Engine.DispatchReady();
            }
        }

        Assert.True(data.AsSpan().SequenceEqual(got), "the bytes differ");
    }

    public static byte[] Pattern(int bytes)
    {
        byte[] data = new byte[bytes];
        RandomSource random = new(99);
        for (int i = 0; i + 8 <= bytes; i += 8)
        {
            BitConverter.TryWriteBytes(data.AsSpan(i), random.NextUInt64());
        }

        return data;
    }

    public void AssertNothingLeft()
    {
        Assert.Equal(0, A.Tcp.ConnectionCount);
        Assert.Equal(0, B.Tcp.ConnectionCount);
        Assert.Equal(0, Engine.Packets.Outstanding);
        Assert.Equal(0, Engine.Blocks.BytesInUse);
        Assert.Equal(0, A.Tcp.ReceiveMemory + B.Tcp.ReceiveMemory);
    }

    public void Dispose() => Engine.Dispose();
}
