namespace Portico.Net;

/// <summary>
/// Initial sequence numbers (RFC 6528) and timestamp offsets (RFC 7323 5.4): a keyed hash of the flow makes them independent from flow
/// to flow, and a clock makes them rise for successive connections of the same flow.
/// </summary>
internal sealed class IsnGenerator(RandomSource random)
{
    /// <summary>The sequence clock ticks every 64 ns: it passes 2^32 in 4.6 minutes, longer than a segment lives.</summary>
    private const int ClockShift = 6;

    private const ulong SequenceUse = 1;
    private const ulong TimestampUse = 2;

    private readonly SipKey _key = SipKey.From(random);

    /// <summary>The first sequence number for a connection that opens now.</summary>
    public uint Next(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, MonoTime now) =>
        (uint)SipHash.HashFlow24(_key, local, remote, localPort, remotePort, SequenceUse) + (uint)(now.Nanoseconds >> ClockShift);

    /// <summary>What is added to the clock in the timestamps of a flow; the same for each of its connections, so that PAWS holds.</summary>
    public uint TimestampOffset(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort) =>
        (uint)SipHash.HashFlow24(_key, local, remote, localPort, remotePort, TimestampUse);
}
