namespace Portico.Net.Tests.HostileInput;

/// <summary>
/// A transparent proxy for addresses that nobody has, as <c>portico run</c> has one: decides late and in every way that there is.
/// </summary>
public sealed class HostileForwarder(HostileWorld world, RandomSource random) : ITcpForwarder, IUdpForwarder
{
    private const int WaitingMax = 256;
    private readonly Queue<TcpForwardRequest> _requests = new();
    private readonly Queue<(Endpoint Source, Endpoint Destination, int Length)> _datagrams = new();
    private readonly byte[] _payload = new byte[2000];

    public bool OnConnectionRequest(in TcpForwardRequest request)
    {
        if (_requests.Count >= WaitingMax || random.NextBelow(8) == 0)
        {
            return false;
        }

        _requests.Enqueue(request);
        return true;
    }

    public bool OnDatagram(in Endpoint source, in Endpoint destination, ReadOnlySpan<byte> payload)
    {
        if (_datagrams.Count >= WaitingMax || random.NextBelow(4) == 0)
        {
            return false;
        }

        _datagrams.Enqueue((source, destination, Math.Min(payload.Length, _payload.Length)));
        return true;
    }

    public void OnError(in Endpoint source, in Endpoint destination, Errno error)
    {
        if (error == Errno.None)
        {
            throw new InvalidOperationException("an ICMP error was reported to a proxy without its errno");
        }
    }

    /// <summary>Decides everything that waits; where the scripted connections wait for it, most requests are accepted.</summary>
    public void Decide()
    {
        while (_requests.TryDequeue(out TcpForwardRequest request))
        {
            TcpForwardVerdict verdict = random.NextBelow(4) != 0 ? TcpForwardVerdict.Accept : (TcpForwardVerdict)random.NextBelow(6);
            if (world.Victim.Tcp.CompleteForward(request.Id, verdict, null, out TcpHandle handle) == Errno.None
                && verdict == TcpForwardVerdict.Accept)
            {
                world.Keep(handle);
            }
        }

        while (_datagrams.TryDequeue(out (Endpoint Source, Endpoint Destination, int Length) datagram))
        {
            if (random.NextBelow(2) == 0)
            {
                world.Victim.Udp.SendFrom(datagram.Destination, datagram.Source, _payload.AsSpan(0, datagram.Length));
            }
            else
            {
                UdpForwardError kind = (UdpForwardError)random.NextBelow(4);
                world.Victim.Udp.ReportForwardError(datagram.Source, datagram.Destination, datagram.Length, kind);
                IcmpErrorReport report = new(
                    datagram.Destination.Address, (byte)random.NextBelow(16), (byte)random.NextBelow(16), random.NextBelow(1 << 20));
                world.Victim.Udp.ReportForwardError(datagram.Source, datagram.Destination, datagram.Length, report);
            }
        }
    }
}
