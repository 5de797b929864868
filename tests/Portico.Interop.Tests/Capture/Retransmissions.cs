using System.Globalization;

namespace Portico.Interop.Tests.Capture;

/// <summary>Looks for the reason of each retransmission of Portico's in a capture that also holds what an impairment dropped.</summary>
public sealed class Retransmissions
{
    private const double RtoMin = 0.2;

    /// <summary>What the sender could know of one connection.</summary>
    private sealed class Connection
    {
        public readonly Dictionary<uint, double> SentAt = [];
        public readonly List<(uint Start, uint End)> Dropped = [];
        public readonly List<(uint Start, uint End)> Sacked = [];

        /// <summary>What is not acknowledged, in the order in which it was sent first.</summary>
        public readonly Queue<uint> Outstanding = [];

        /// <summary>When the latest was sent of all that has been delivered (RFC 8985: RACK.xmit_ts).</summary>
        public double DeliveredSentAt = -1;
        public uint Acked;
        public uint SndMax;
        public bool HasSent;
        public bool HasAcked;
        public double TimeoutAt = -1;
    }

    private readonly Dictionary<string, Connection> _connections = [];
    private readonly List<string> _unexplained = [];
    private int _count;

    private static readonly string[] s_fields =
    [
        "frame.number", "frame.time_relative", "frame.interface_id", "frame.packet_flags_direction", "tcp.stream", "tcp.seq_raw", "tcp.len",
        "tcp.ack_raw", "tcp.options.sack_le", "tcp.options.sack_re", "_ws.malformed", "ip.checksum.status",
        "tcp.checksum.status", "tcp.checksum", "frame.comment",
    ];

    /// <summary>
    /// Fails the test unless all packets of the capture are well-formed, and each retransmission repeats a segment that was dropped,
    /// or that the peer reported missing below others that it has (RFC 6675 4), or that was sent before one that has been delivered
    /// (RFC 8985 6.2), or that was unacknowledged for the least retransmission timeout or sent before one that was (RFC 6298 5), or is a
    /// tail loss probe (RFC 8985 7).
    /// </summary>
    public static void AssertExplained(string file)
    {
        Retransmissions found = new();
        foreach (string line in Tshark.Read(file, "frame", s_fields))
        {
            found.Add(line.Split('\t'));
        }

        Assert.True(found._count > 0, "no retransmission at all");
        Assert.True(
            found._unexplained.Count == 0,
            $"{found._unexplained.Count} of {found._count} retransmissions have no reason:\n" +
            $"{string.Join('\n', found._unexplained.Take(20))}");
    }

    private void Add(string[] fields)
    {
        AssertWellFormed(fields);
        if (fields[4].Length == 0)
        {
            return;
        }

        double time = double.Parse(fields[1], CultureInfo.InvariantCulture);
        bool wasDropped = fields[2] == "1";
        bool isOutbound = fields[3].EndsWith('2');
        if (!_connections.TryGetValue(fields[4], out Connection? connection))
        {
            _connections.Add(fields[4], connection = new Connection());
        }

        if (!isOutbound)
        {
            if (!wasDropped)
            {
                Acknowledge(connection, fields);
            }

            return;
        }

        uint start = uint.Parse(fields[5], CultureInfo.InvariantCulture);
        uint end = start + uint.Parse(fields[6], CultureInfo.InvariantCulture);
        if (start == end)
        {
            return;
        }

        if (wasDropped)
        {
            connection.Dropped.Add((start, end));
            return;
        }

        if (connection.HasSent && Before(start, connection.SndMax))
        {
            _count++;
            if (!IsExplained(connection, start, end, time) && !fields[14].Contains("tail loss probe", StringComparison.Ordinal))
            {
                _unexplained.Add($"frame {fields[0]} stream {fields[4]} seq {start} len {end - start}, acked up to {connection.Acked}");
            }
        }

        if (connection.SentAt.TryAdd(start, time))
        {
            connection.Outstanding.Enqueue(start);
        }

        connection.SentAt[start] = time;
        connection.SndMax = !connection.HasSent || Before(connection.SndMax, end) ? end : connection.SndMax;
        connection.HasSent = true;
    }

    /// <summary>What <see cref="Tshark.AssertWellFormed"/> asks for, in the same reading of the file.</summary>
    private static void AssertWellFormed(string[] fields)
    {
        bool isZeroFromKernel = fields[13] == "0xffff" && fields[3].EndsWith('1');
        Assert.True(
            fields[10].Length == 0 && fields[11] != "0" && (fields[12] != "0" || isZeroFromKernel), $"frame {fields[0]} is malformed");
    }

    private static void Acknowledge(Connection connection, string[] fields)
    {
        uint ack = uint.Parse(fields[7].Length == 0 ? "0" : fields[7], CultureInfo.InvariantCulture);
        if (ack == 0)
        {
            // A SYN's field.
            return;
        }

        if (!connection.HasAcked || Before(connection.Acked, ack))
        {
            connection.HasAcked = true;
            connection.Acked = ack;
            while (connection.Outstanding.TryPeek(out uint first) && Before(first, ack))
            {
                connection.Outstanding.Dequeue();
                connection.DeliveredSentAt = Math.Max(connection.DeliveredSentAt, connection.SentAt[first]);
            }

            connection.Sacked.RemoveAll(range => !Before(ack, range.End));
            connection.Dropped.RemoveAll(range => !Before(ack, range.End));
        }

        if (fields[8].Length == 0)
        {
            return;
        }

        string[] lefts = fields[8].Split(',');
        string[] rights = fields[9].Split(',');
        for (int i = 0; i < lefts.Length; i++)
        {
            uint left = uint.Parse(lefts[i], CultureInfo.InvariantCulture);
            uint right = uint.Parse(rights[i], CultureInfo.InvariantCulture);
            if (!Before(left, connection.Acked))
            {
                connection.Sacked.RemoveAll(range => !Before(range.Start, left) && !Before(right, range.End));
                connection.Sacked.Add((left, right));
                foreach (uint start in connection.Outstanding.Where(o => !Before(o, left) && Before(o, right)))
                {
                    connection.DeliveredSentAt = Math.Max(connection.DeliveredSentAt, connection.SentAt[start]);
                }
            }
        }
    }

    private static bool IsExplained(Connection connection, uint start, uint end, double time)
    {
        // What the peer has said that it holds is never sent again.
        if (!Before(connection.Acked, end))
        {
            return false;
        }

        // A timeout declares everything that was sent before it lost, unless the peer reported it.
        double sentAt = connection.SentAt.GetValueOrDefault(start, 0);
        if (time - sentAt >= RtoMin)
        {
            connection.TimeoutAt = time;
        }

        int dropped = connection.Dropped.FindIndex(range => Before(range.Start, end) && Before(start, range.End));
        if (dropped >= 0)
        {
            connection.Dropped.RemoveAt(dropped);
            return true;
        }

        return connection.Sacked.Exists(range => !Before(range.Start, end)) || connection.DeliveredSentAt > sentAt || connection.TimeoutAt >= sentAt;
    }

    private static bool Before(uint a, uint b) => (int)(a - b) < 0;
}
