using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>
/// Measurements of a connection as they come with a time of sending (SCM_TIMESTAMPING_OPT_STATS): attributes of netlink(7) in Linux's order
/// (tcp_get_timestamping_opt_stats).
/// </summary>
internal static class TimestampStatistics
{
    /// <summary>Room for all of them.</summary>
    public const int BytesMax = 320;

    private const int HeaderBytes = 4;

    /// <summary>The attributes, with the names that Linux gives them.</summary>
    private enum Attribute : ushort
    {
        TCP_NLA_BUSY = 1,
        TCP_NLA_RWND_LIMITED,
        TCP_NLA_SNDBUF_LIMITED,
        TCP_NLA_DATA_SEGS_OUT,
        TCP_NLA_TOTAL_RETRANS,
        TCP_NLA_PACING_RATE,
        TCP_NLA_DELIVERY_RATE,
        TCP_NLA_SND_CWND,
        TCP_NLA_REORDERING,
        TCP_NLA_MIN_RTT,
        TCP_NLA_RECUR_RETRANS,
        TCP_NLA_DELIVERY_RATE_APP_LMT,
        TCP_NLA_SNDQ_SIZE,
        TCP_NLA_CA_STATE,
        TCP_NLA_SND_SSTHRESH,
        TCP_NLA_DELIVERED,
        TCP_NLA_DELIVERED_CE,
        TCP_NLA_BYTES_SENT,
        TCP_NLA_BYTES_RETRANS,
        TCP_NLA_DSACK_DUPS,
        TCP_NLA_REORD_SEEN,
        TCP_NLA_SRTT,
        TCP_NLA_TIMEOUT_REHASH,
        TCP_NLA_BYTES_NOTSENT,
        TCP_NLA_EDT,
        TCP_NLA_TTL,
        TCP_NLA_REHASH,
    }

    private ref struct Writer(Span<byte> to)
    {
        private readonly Span<byte> _to = to;

        public int Length { get; private set; }

        public void Put<TValue>(Attribute attribute, TValue value)
            where TValue : unmanaged
        {
            int size = Marshal.SizeOf<TValue>();
            Span<byte> at = _to[Length..];
            BinaryPrimitives.WriteUInt16LittleEndian(at, (ushort)(HeaderBytes + size));
            BinaryPrimitives.WriteUInt16LittleEndian(at[2..], (ushort)attribute);
            MemoryMarshal.Write(at[HeaderBytes..], value);
            int whole = (HeaderBytes + size + 3) & ~3;
            at[(HeaderBytes + size)..whole].Clear();
            Length += whole;
        }
    }

    /// <summary>Writes them and returns how many bytes they are; <paramref name="ackHopLimit"/> is -1 where no ACK is the reason.</summary>
    public static int Write(Span<byte> to, in TcpInfo info, MonoTime now, int ackHopLimit)
    {
        Writer writer = new(to);
        writer.Put(Attribute.TCP_NLA_BUSY, info.BusyMicros);
        writer.Put(Attribute.TCP_NLA_RWND_LIMITED, info.WindowLimitedMicros);
        writer.Put(Attribute.TCP_NLA_SNDBUF_LIMITED, info.BufferLimitedMicros);
        writer.Put(Attribute.TCP_NLA_DATA_SEGS_OUT, (ulong)info.DataSegsOut);
        writer.Put(Attribute.TCP_NLA_TOTAL_RETRANS, (ulong)info.TotalRetrans);
        writer.Put(Attribute.TCP_NLA_PACING_RATE, info.PacingRate);
        writer.Put(Attribute.TCP_NLA_DELIVERY_RATE, info.DeliveryRate);
        writer.Put(Attribute.TCP_NLA_SND_CWND, info.SndCwnd);
        writer.Put(Attribute.TCP_NLA_REORDERING, info.Reordering);
        writer.Put(Attribute.TCP_NLA_MIN_RTT, info.MinRttMicros);
        writer.Put(Attribute.TCP_NLA_RECUR_RETRANS, info.Retransmits);
        writer.Put(Attribute.TCP_NLA_DELIVERY_RATE_APP_LMT, (byte)(info.IsDeliveryRateAppLimited ? 1 : 0));
        writer.Put(Attribute.TCP_NLA_SND_SSTHRESH, info.SndSsThresh);
        writer.Put(Attribute.TCP_NLA_DELIVERED, info.Delivered);
        writer.Put(Attribute.TCP_NLA_DELIVERED_CE, info.DeliveredMarked);
        writer.Put(Attribute.TCP_NLA_SNDQ_SIZE, info.SendQueueBytes);
        writer.Put(Attribute.TCP_NLA_CA_STATE, info.CaState);
        writer.Put(Attribute.TCP_NLA_BYTES_SENT, info.BytesSent);
        writer.Put(Attribute.TCP_NLA_BYTES_RETRANS, info.BytesRetrans);
        writer.Put(Attribute.TCP_NLA_DSACK_DUPS, info.DsackDuplicates);
        writer.Put(Attribute.TCP_NLA_REORD_SEEN, info.ReorderSeen);
        writer.Put(Attribute.TCP_NLA_SRTT, info.RttMicros);
        writer.Put(Attribute.TCP_NLA_TIMEOUT_REHASH, (ushort)info.Rehashes);
        writer.Put(Attribute.TCP_NLA_BYTES_NOTSENT, info.NotSentBytes);
        writer.Put(Attribute.TCP_NLA_EDT, (ulong)now.Nanoseconds);
        if (ackHopLimit >= 0)
        {
            writer.Put(Attribute.TCP_NLA_TTL, (byte)ackHopLimit);
        }

        writer.Put(Attribute.TCP_NLA_REHASH, 0u);
        return writer.Length;
    }
}
