namespace Portico.Net.Tests.Links;

/// <summary>Keeps what a link delivers: bytes, time and checksum state.</summary>
internal sealed class Recorder(Engine engine) : ILinkClient
{
    public List<(MonoTime Time, byte[] Bytes, ChecksumState Checksum, int GsoSize)> Received { get; } = [];

    public List<Packet> Kept { get; } = [];

    public bool Keep { get; set; }

    public void HandleFrame(Packet packet)
    {
        byte[] bytes = new byte[packet.Length];
        packet.CopyTo(bytes);
        Received.Add((engine.Now, bytes, packet.Checksum, packet.GsoSize));
        if (Keep)
        {
            Kept.Add(packet);
        }
        else
        {
            packet.Release();
        }
    }

    public int[] Numbers() => [.. Received.Select(r => BitConverter.ToInt32(r.Bytes.AsSpan()[^4..]))];
}

internal static class LinkFixture
{
    /// <summary>A packet of the given length whose last four bytes are its number.</summary>
    public static Packet Numbered(Engine engine, int number, int length = 100)
    {
        Packet packet = engine.Packets.RentLinear(length)!;
        Span<byte> bytes = packet.Append(length);
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes[^4..], number);
        packet.NetworkOffset = packet.Start;
        return packet;
    }

    /// <summary>An Ethernet frame of 60 bytes whose last four bytes are its number.</summary>
    public static Packet Frame(Engine engine, ulong destination, ulong source, int number)
    {
        Packet packet = Numbered(engine, number, 60);
        new MacAddress(destination).Write(packet.Linear);
        new MacAddress(source).Write(packet.Linear[6..]);
        packet.Linear[12] = 0x08;
        packet.NetworkOffset = packet.Start + 14;
        return packet;
    }

    /// <summary>Runs the engine up to a time, stopping at each deadline on the way.</summary>
    public static void RunUntil(Engine engine, MonoTime end)
    {
        while (engine.NextDeadline <= end)
        {
            engine.Advance(engine.NextDeadline);
        }

        engine.Advance(end);
    }

    public static MonoTime At(Duration time) => MonoTime.Zero + time;
}
