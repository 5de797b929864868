namespace Portico.Net.Tests.HostileInput;

/// <summary>A connection between the victim and its friend that the attack must not disturb.</summary>
public sealed class LegitimateConnection
{
    private readonly NetworkStack _victim;
    private readonly NetworkStack _friend;
    private readonly TcpListenerHandle _listener;
    private readonly TcpHandle _ours;
    private readonly TcpHandle _theirs;

    public LegitimateConnection(HostileWorld world, bool ipv4, ushort port)
    {
        _victim = world.Victim;
        _friend = world.Friend;
        IpAddress address = ipv4 ? HostileAddresses.Friend4 : HostileAddresses.Friend6;
        TcpListenRequest listen = new() { Local = new Endpoint(address, port), Backlog = 4 };
        HostileWorld.Check(_friend.Tcp.Listen(listen, null, out _listener));
        IpAddress any = ipv4 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
        TcpOpenRequest request = new() { Local = new Endpoint(any, 0), Remote = new Endpoint(address, port) };
        HostileWorld.Check(_victim.Tcp.Open(request, null, out _ours));
        world.RunFor(Duration.FromSeconds(2));
        HostileWorld.Check(_friend.Tcp.Accept(_listener, null, out _theirs));
    }

    public bool TryMove(int bytes, RandomSource random, Action<Duration> runFor) =>
        TryMove(_victim, _ours, _friend, _theirs, bytes, random, runFor)
        && TryMove(_friend, _theirs, _victim, _ours, bytes, random, runFor);

    /// <summary>Ends it in an orderly way on both sides.</summary>
    public void Close()
    {
        _victim.Tcp.Close(_ours);
        _friend.Tcp.Close(_theirs);
        _friend.Tcp.Close(_listener);
    }

    private static bool TryMove(
        NetworkStack from, TcpHandle sender, NetworkStack to, TcpHandle receiver, int bytes, RandomSource random, Action<Duration> runFor)
    {
        byte[] data = new byte[bytes];
        for (int i = 0; i < bytes; i++)
        {
            data[i] = (byte)random.NextUInt32();
        }

        byte[] received = new byte[bytes + 1];
        int sent = 0, got = 0;
        for (int step = 0; step < 10_000 && got < bytes; step++)
        {
            if (sent < bytes && from.Tcp.Send(sender, data.AsSpan(sent), TcpSendFlags.None, out int taken) == Errno.None)
            {
                sent += taken;
            }

            runFor(Duration.FromMilliseconds(10));
            while (to.Tcp.Receive(receiver, received.AsSpan(got), TcpReceiveFlags.None, out int count) == Errno.None && count > 0)
            {
                got += count;
            }
        }

        // Acknowledgments that were held back go out, so that nothing is in flight afterwards.
        runFor(Duration.FromSeconds(2));
        return got == bytes && data.AsSpan().SequenceEqual(received.AsSpan(0, bytes));
    }
}
