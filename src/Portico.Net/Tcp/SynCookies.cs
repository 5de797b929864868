namespace Portico.Net;

/// <summary>
/// SYN cookies (RFC 4987 3.6) in Linux's form: the initial sequence number carries a time counter, an index of the peer's MSS and a
/// keyed hash of the flow, so that a handshake needs no memory; window scale, SACK and ECN ride in the low bits of the timestamp.
/// </summary>
internal sealed class SynCookies(RandomSource random)
{
    private const long PeriodNanoseconds = 64_000_000_000;

    /// <summary>A cookie is good in the period that it was made in and in the next.</summary>
    private const uint AgeMax = 2;

    private const int DataBits = 24;
    private const uint DataMask = (1u << DataBits) - 1;

    private const int TimestampBits = 6;
    private const uint TimestampMask = (1u << TimestampBits) - 1;
    private const uint ScaleMask = 0xF;
    private const uint ScaleAbsent = 0xF;
    private const uint SackBit = 1 << 4;
    private const uint EcnBit = 1 << 5;

    // Two hashes: the second shows only in the sum with the data, under the first, so that cookies of two periods do not differ by
    // something that can be computed. The peer's sequence number is in it, too: were it in the sum alone, a segment that overtakes one to three
    // bytes of data would look like the handshake's last ACK of a peer with another MSS, and those bytes would be lost.
    private readonly SipKey _baseKey = SipKey.From(random);
    private readonly SipKey _dataKey = SipKey.From(random);

    private static ReadOnlySpan<ushort> MssIpv4 => [536, 1300, 1440, 1460];

    private static ReadOnlySpan<ushort> MssIpv6 => [1220, 1420, 1440, 8940];

    /// <summary>The sequence number for the SYN-ACK. <paramref name="mss"/> comes back rounded down to one of four.</summary>
    public uint Make(
        in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, uint irs, ushort mss, MonoTime now)
    {
        ReadOnlySpan<ushort> table = remote.IsIpv4 ? MssIpv4 : MssIpv6;
        uint index = (uint)table.Length - 1;
        while (index > 0 && table[(int)index] > mss)
        {
            index--;
        }

        uint period = PeriodOf(now);
        uint data = (DataHash(local, remote, localPort, remotePort, period, irs) + index) & DataMask;
        return BaseHash(local, remote, localPort, remotePort) + irs + (period << DataBits) + data;
    }

    /// <summary>
    /// Whether an ACK returns a cookie of this flow that is not too old: <paramref name="cookie"/> is what it acknowledges less one,
    /// <paramref name="irs"/> its sequence number less one.
    /// </summary>
    public bool TryCheck(
        in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, uint cookie, uint irs, MonoTime now, out ushort mss)
    {
        mss = 0;
        uint inner = cookie - BaseHash(local, remote, localPort, remotePort) - irs;
        uint period = PeriodOf(now);
        uint age = (period - (inner >> DataBits)) & (uint.MaxValue >> DataBits);
        if (age >= AgeMax)
        {
            return false;
        }

        uint index = (inner - DataHash(local, remote, localPort, remotePort, period - age, irs)) & DataMask;
        ReadOnlySpan<ushort> table = remote.IsIpv4 ? MssIpv4 : MssIpv6;
        if (index >= (uint)table.Length)
        {
            return false;
        }

        mss = table[(int)index];
        return true;
    }

    /// <summary>
    /// The timestamp (before the flow's offset) for the SYN-ACK, whose low bits remember the options: at most <paramref name="now"/>,
    /// and less than 128 below it. <paramref name="windowScale"/> is -1 if the SYN had none.
    /// </summary>
    public static uint EncodeTimestamp(uint now, sbyte windowScale, bool sack, bool ecn)
    {
        uint options = (windowScale < 0 ? ScaleAbsent : Math.Min((uint)windowScale, 14)) | (sack ? SackBit : 0) | (ecn ? EcnBit : 0);
        uint value = (now & ~TimestampMask) | options;
        return Seq.Gt(value, now) ? value - (1u << TimestampBits) : value;
    }

    /// <summary>The options in the timestamp that the ACK echoes, less the flow's offset.</summary>
    public static void DecodeTimestamp(uint echo, out sbyte windowScale, out bool sack, out bool ecn)
    {
        uint scale = echo & ScaleMask;
        windowScale = scale == ScaleAbsent ? (sbyte)-1 : (sbyte)scale;
        sack = (echo & SackBit) != 0;
        ecn = (echo & EcnBit) != 0;
    }

    private static uint PeriodOf(MonoTime now) => (uint)(now.Nanoseconds / PeriodNanoseconds);

    private uint BaseHash(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort) =>
        (uint)SipHash.HashFlow24(_baseKey, local, remote, localPort, remotePort, 0);

    private uint DataHash(in IpAddress local, in IpAddress remote, ushort localPort, ushort remotePort, uint period, uint irs) =>
        (uint)SipHash.HashFlow24(_dataKey, local, remote, localPort, remotePort, ((ulong)irs << 32) | period);
}
