using Portico.Net.Tests.Ip;

namespace Portico.Net.Tests.Links;

/// <summary>An impairment between two recorders, and packets of real flows to send through it, in virtual time.</summary>
internal sealed class ImpairedLink : IDisposable
{
    public const string Here = "10.0.0.1";
    public const string There = "192.0.2.1";
    public const string Elsewhere = "198.51.100.7";

    private readonly CableEnd _far;

    public ImpairedLink(
        Impairment? outbound = null, Impairment? inbound = null, ulong seed = 7, bool namesNearEnd = false, int flowsMax = 1024)
    {
        Cable cable = new(Engine);
        Link = new ImpairmentLink(Engine, cable.A, seed, outbound, inbound) { NamesNearEnd = namesNearEnd, FlowsMax = flowsMax };
        NearEnd = new Recorder(Engine);
        FarEnd = new Recorder(Engine);
        Link.Attach(NearEnd);
        _far = cable.B;
        _far.Attach(FarEnd);
    }

    public Engine Engine { get; } = new();

    public ImpairmentLink Link { get; }

    /// <summary>What comes in arrives here.</summary>
    public Recorder NearEnd { get; }

    /// <summary>What is sent arrives here.</summary>
    public Recorder FarEnd { get; }

    public ImpairmentRule Rule(Impairment outbound, Impairment? inbound, params ImpairmentTarget[] targets) =>
        Link.CreateRule(targets, outbound, inbound ?? new Impairment());

    public void SetRules(params ImpairmentRule[] rules) => Assert.Equal(Errno.None, Link.SetRules(rules, []));

    public static ImpairmentTarget To(string prefix, ushort port = 0) => new(IpPrefix.Parse(prefix), port);

    public void Send(byte[] bytes) => Link.Transmit(Packet(bytes));

    public void Receive(byte[] bytes) => _far.Transmit(Packet(bytes));

    public void Run(Duration time) => LinkFixture.RunUntil(Engine, Engine.Now + time);

    private Packet Packet(byte[] bytes)
    {
        Packet packet = Engine.Packets.RentLinear(bytes.Length)!;
        bytes.CopyTo(packet.Append(bytes.Length));
        packet.NetworkOffset = packet.Start;
        return packet;
    }

    /// <summary>A datagram whose last four bytes are its number.</summary>
    public static byte[] Udp(int number, string from = Here, string to = There, int fromPort = 40000, int toPort = 53, int payload = 72)
    {
        byte[] bytes = new byte[payload];
        BitConverter.TryWriteBytes(bytes.AsSpan(payload - 4), number);
        byte[] datagram = IpBytes.Udp(fromPort, toPort, bytes);
        return from.Contains(':', StringComparison.Ordinal) ? IpBytes.V6(from, to, 17, datagram) : IpBytes.V4(from, to, 17, datagram);
    }

    /// <summary>A segment with data, or without; the data ends with its sequence number.</summary>
    public static byte[] Tcp(uint sequence, int payload, int fromPort = 40000, int toPort = 80, int flags = 0x10, string to = There)
    {
        byte[] bytes = new byte[payload];
        if (payload >= 4)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(payload - 4), sequence);
        }

        return IpBytes.V4(Here, to, 6, IpBytes.Tcp4(Here, to, fromPort, toPort, sequence, 1, flags, bytes));
    }

    public void Dispose()
    {
        Assert.Equal(0, Engine.Packets.Outstanding);
        Assert.Equal(0, Engine.Blocks.BytesInUse);
        Engine.Dispose();
    }
}
