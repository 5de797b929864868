using Portico.Kernel;

namespace Portico.Simulation.Scripts;

/// <summary>What code knows of the socket at the moment: the fields of TCP_INFO as tcpi_*, and constants.</summary>
internal sealed class SocketFacts
{
    private const int TcpInfoBytes = 280;
    private const int SOL_TCP = 6;
    private const int TCP_INFO = 11;

    /// <summary>Names, offsets and sizes in bytes of struct tcp_info (linux/tcp.h).</summary>
    private static readonly Dictionary<string, (int Offset, int Size)> s_fields = Lay(
        (1, 0, ["state", "ca_state", "retransmits", "probes", "backoff", "options"]),
        (4, 8,
        [
            "rto", "ato", "snd_mss", "rcv_mss", "unacked", "sacked", "lost", "retrans", "fackets", "last_data_sent", "last_ack_sent",
            "last_data_recv", "last_ack_recv", "pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering",
            "rcv_rtt", "rcv_space", "total_retrans",
        ]),
        (8, 104, ["pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received"]),
        (4, 136, ["segs_out", "segs_in", "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out"]),
        (8, 160, ["delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited"]),
        (4, 192, ["delivered", "delivered_ce"]),
        (8, 200, ["bytes_sent", "bytes_retrans"]),
        (4, 216, ["dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash"]),
        (2, 240, ["total_rto", "total_rto_recoveries"]),
        (4, 244,
        [
            "total_rto_time", "received_ce", "delivered_e1_bytes", "delivered_e0_bytes", "delivered_ce_bytes", "received_e1_bytes",
            "received_e0_bytes", "received_ce_bytes",
        ]));

    private readonly byte[] _info;

    public SocketFacts(Process process, int fd, CallMemory memory)
    {
        nint value = memory.Allocate(TcpInfoBytes);
        nint length = memory.Put(TcpInfoBytes);
        LinuxAbi.Invoke(process, SyscallNumber.getsockopt, fd, SOL_TCP, TCP_INFO, value, length);
        _info = CallMemory.Read(value, TcpInfoBytes).ToArray();
    }

    public long? Find(string name)
    {
        const string Prefix = "tcpi_";
        if (!name.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return ScriptSymbols.Find(name);
        }

        switch (name[Prefix.Length..])
        {
            case "snd_wscale":
                return _info[6] & 15;
            case "rcv_wscale":
                return _info[6] >> 4;
            case "delivery_rate_app_limited":
                return _info[7] & 1;
            case "fastopen_client_fail":
                return (_info[7] >> 1) & 3;
        }

        if (!s_fields.TryGetValue(name[Prefix.Length..], out (int Offset, int Size) field))
        {
            return null;
        }

        return field.Size switch
        {
            1 => _info[field.Offset],
            2 => BitConverter.ToUInt16(_info, field.Offset),
            4 => BitConverter.ToUInt32(_info, field.Offset),
            _ => (long)BitConverter.ToUInt64(_info, field.Offset),
        };
    }

    private static Dictionary<string, (int Offset, int Size)> Lay(params (int Size, int Offset, string[] Names)[] runs)
    {
        Dictionary<string, (int, int)> fields = [];
        foreach ((int size, int offset, string[] names) in runs)
        {
            for (int i = 0; i < names.Length; i++)
            {
                fields[names[i]] = (offset + (i * size), size);
            }
        }

        return fields;
    }
}
