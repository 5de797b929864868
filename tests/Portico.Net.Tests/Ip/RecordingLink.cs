namespace Portico.Net.Tests.Ip;

/// <summary>A link that keeps what is sent as byte arrays and hands in what the test gives it.</summary>
internal sealed class RecordingLink(
    Engine engine, LinkKind kind = LinkKind.Ip, int mtu = 1500, LinkFeatures features = LinkFeatures.None) : ILink
{
    private ILinkClient? _client;

    public List<byte[]> Sent { get; } = [];

    public List<(int Length, int GsoSize, ChecksumState Checksum)> SentAs { get; } = [];

    public LinkKind Kind => kind;

    public int Mtu => mtu;

    public MacAddress Address => kind == LinkKind.Ethernet ? new MacAddress(0x0200_0000_0001) : default;

    public LinkFeatures Features => features;

    public void Attach(ILinkClient client) => _client = client;

    public void Transmit(Packet packet)
    {
        byte[] bytes = new byte[packet.Length];
        packet.CopyTo(bytes);
        Sent.Add(bytes);
        SentAs.Add((packet.Length, packet.GsoSize, packet.Checksum));
        packet.Release();
    }

    public void Flush()
    {
    }

    /// <summary>Hands in a packet and runs the engine until nothing waits.</summary>
    public void Inject(ReadOnlySpan<byte> bytes, bool isLinkBroadcast = false)
    {
        Packet packet = engine.Packets.RentLinear(bytes.Length)!;
        bytes.CopyTo(packet.Append(bytes.Length));
        packet.IsLinkBroadcast = isLinkBroadcast;
        engine.Post(_client!, packet);
        engine.RunPending(int.MaxValue);
    }

    /// <summary>Takes the only packet that was sent since the last call.</summary>
    public byte[] TakeOne()
    {
        byte[] only = Assert.Single(Sent);
        Sent.Clear();
        return only;
    }

    public byte[][] TakeAll()
    {
        byte[][] all = [.. Sent];
        Sent.Clear();
        return all;
    }
}
