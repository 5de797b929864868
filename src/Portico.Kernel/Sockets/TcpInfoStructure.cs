using Portico.Net;

namespace Portico.Kernel;

/// <summary>struct tcp_info, as far as Linux 6.18 has it; what this TCP does not measure is 0.</summary>
internal static class TcpInfoStructure
{
    /// <summary>Up to and with the counters of accurate ECN.</summary>
    public const int Bytes = 280;

    private const byte TCPI_OPT_TIMESTAMPS = 1;
    private const byte TCPI_OPT_SACK = 2;
    private const byte TCPI_OPT_WSCALE = 4;
    private const byte TCPI_OPT_ECN = 8;
    private const byte TCPI_OPT_ECN_SEEN = 16;
    private const byte TCPI_OPT_SYN_DATA = 32;
    private const byte TCPI_OPT_TFO_CHILD = 128;

    public static void Write(Span<byte> to, in TcpInfo info)
    {
        to.Clear();
        to[0] = StateNumber(info.State);
        to[1] = info.CaState;
        to[2] = info.Retransmits;
        to[3] = info.Probes;
        to[4] = info.Backoff;
        to[5] = (byte)((info.Timestamps ? TCPI_OPT_TIMESTAMPS : 0) | (info.Sack ? TCPI_OPT_SACK : 0) | (info.WindowScale ? TCPI_OPT_WSCALE : 0)
            | (info.Ecn ? TCPI_OPT_ECN : 0) | (info.EcnSeen ? TCPI_OPT_ECN_SEEN : 0)
            | (info.SynData ? TCPI_OPT_SYN_DATA : 0) | (info.FastOpenChild ? TCPI_OPT_TFO_CHILD : 0));
        to[6] = (byte)(info.SndWindShift | (info.RcvWindShift << 4));
        to[7] = (byte)((info.IsDeliveryRateAppLimited ? 1 : 0) | (info.FastOpenClientFail << 1));
        ReadOnlySpan<uint> words =
        [
            info.RtoMicros, info.AtoMicros, info.SndMss, info.RcvMss,
            info.Unacked, info.Sacked, info.Lost, info.Retrans, 0,
            info.LastDataSentMillis, 0, info.LastDataReceivedMillis, info.LastAckReceivedMillis,
            info.PathMtu, info.RcvSsThresh, info.RttMicros, info.RttVarMicros, info.SndSsThresh, info.SndCwnd, info.AdvMss, info.Reordering,
            info.RcvRttMicros, info.RcvSpace, info.TotalRetrans,
        ];
        for (int i = 0; i < words.Length; i++)
        {
            BitConverter.TryWriteBytes(to[(8 + (4 * i))..], words[i]);
        }

        Span<byte> rest = to[104..];
        Put(rest, 0, info.PacingRate);
        Put(rest, 8, info.PacingRateMax);
        Put(rest, 16, info.BytesAcked);
        Put(rest, 24, info.BytesReceived);
        BitConverter.TryWriteBytes(rest[32..], info.SegsOut);
        BitConverter.TryWriteBytes(rest[36..], info.SegsIn);
        BitConverter.TryWriteBytes(rest[40..], info.NotSentBytes);
        BitConverter.TryWriteBytes(rest[44..], info.MinRttMicros);
        BitConverter.TryWriteBytes(rest[52..], info.DataSegsOut);
        Put(rest, 56, info.DeliveryRate);
        Put(rest, 64, info.BusyMicros);
        Put(rest, 72, info.WindowLimitedMicros);
        Put(rest, 80, info.BufferLimitedMicros);
        BitConverter.TryWriteBytes(rest[88..], info.Delivered);
        BitConverter.TryWriteBytes(rest[92..], info.DeliveredMarked);
        Put(rest, 96, info.BytesSent);
        Put(rest, 104, info.BytesRetrans);
        BitConverter.TryWriteBytes(rest[112..], info.DsackDuplicates);
        BitConverter.TryWriteBytes(rest[116..], info.ReorderSeen);
        BitConverter.TryWriteBytes(rest[124..], info.SndWnd);
        BitConverter.TryWriteBytes(rest[128..], info.RcvWnd);
        BitConverter.TryWriteBytes(rest[132..], info.Rehashes);
        BitConverter.TryWriteBytes(rest[136..], info.TotalRto);
        BitConverter.TryWriteBytes(rest[138..], info.TotalRtoRecoveries);
        BitConverter.TryWriteBytes(rest[140..], info.TotalRtoMillis);
    }

    private static void Put(Span<byte> to, int at, ulong value) => BitConverter.TryWriteBytes(to[at..], value);

    /// <summary>Linux's numbers of the states (net/tcp_states.h).</summary>
    private static byte StateNumber(TcpState state) => state switch
    {
        TcpState.Established => 1,
        TcpState.SynSent => 2,
        TcpState.SynReceived => 3,
        TcpState.FinWait1 => 4,
        TcpState.FinWait2 => 5,
        TcpState.TimeWait => 6,
        TcpState.Closed => 7,
        TcpState.CloseWait => 8,
        TcpState.LastAck => 9,
        TcpState.Listen => 10,
        _ => 11,
    };
}
