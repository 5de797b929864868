using System.Globalization;
using Portico.Net;

namespace Portico.Cli;

/// <summary>A segment with data, in seconds and bytes of the stream.</summary>
internal readonly record struct SentBytes(double Seconds, long Start, long End, bool IsAgain, bool IsLost);

/// <summary>
/// What a plot shows of one direction of a connection, as the recorder saw it: next to the sender that is what the sender saw.
/// </summary>
internal sealed class FlowSeries
{
    private const int RateIntervals = 120;

    /// <summary>How far the stream has gone out, by time, for the round-trip times; the bytes sent again are not timed (Karn).</summary>
    private readonly List<(double Seconds, long End, bool IsTimed)> _unacknowledged = [];

    /// <summary>Follows the bytes of the first end, or of the second.</summary>
    public FlowSeries(CapturedConnection connection, bool fromFirst)
    {
        long sentTo = 0, acknowledged = 0;
        foreach (CapturedSegment segment in connection.Segments)
        {
            if (segment.IsFromFirst == fromFirst)
            {
                AddSent(segment, ref sentTo, acknowledged);
            }
            else if (segment.Acknowledged >= 0 && (segment.Flags & TcpFlags.Rst) == 0)
            {
                AddAcknowledgment(segment, sentTo, ref acknowledged);
            }
        }

        Begin = connection.Segments[0].Seconds;
        End = Math.Max(connection.Segments[^1].Seconds, Begin + 1e-6);
        BytesMax = Math.Max(sentTo, 1);
        Acknowledged = acknowledged;
        AddRates();
    }

    /// <summary>When the connection was seen first, in seconds of the capture.</summary>
    public double Begin { get; }

    /// <summary>When it was seen last.</summary>
    public double End { get; }

    /// <summary>Bytes of the stream that were sent.</summary>
    public long BytesMax { get; }

    /// <summary>Bytes of the stream that were acknowledged.</summary>
    public long Acknowledged { get; }

    /// <summary>Every segment with data.</summary>
    public List<SentBytes> Sent { get; } = [];

    /// <summary>SND.UNA as it moves.</summary>
    public List<(double X, double Y)> Acks { get; } = [];

    /// <summary>The end of the window that the receiver offers.</summary>
    public List<(double X, double Y)> Window { get; } = [];

    /// <summary>The blocks of each ACK's SACK option.</summary>
    public List<SentBytes> Sacks { get; } = [];

    /// <summary>Milliseconds from a byte to its acknowledgment.</summary>
    public List<(double X, double Y)> RoundTrips { get; } = [];

    /// <summary>Bytes that are sent and not acknowledged.</summary>
    public List<(double X, double Y)> InFlight { get; } = [];

    /// <summary>The congestion window in bytes, where the capture's comments tell it.</summary>
    public List<(double X, double Y)> CongestionWindow { get; } = [];

    /// <summary>Mbit/s of data on the way out, what was sent again included.</summary>
    public List<(double X, double Y)> SendRate { get; } = [];

    /// <summary>Mbit/s of data that was acknowledged for the first time.</summary>
    public List<(double X, double Y)> AckRate { get; } = [];

    /// <summary>How many segments were sent again.</summary>
    public int Retransmissions => Sent.Count(s => s.IsAgain);

    private void AddSent(CapturedSegment segment, ref long sentTo, long acknowledged)
    {
        foreach (string comment in segment.Comments)
        {
            if (TryReadCongestionWindow(comment, out long bytes))
            {
                CongestionWindow.Add((segment.Seconds, bytes));
            }
        }

        if (segment.End == segment.Start)
        {
            return;
        }

        bool isAgain = segment.Start < sentTo;
        bool isLost = segment.Comments.Any(c => c.StartsWith("dropped", StringComparison.Ordinal));
        Sent.Add(new SentBytes(segment.Seconds, segment.Start, segment.End, isAgain, isLost));
        if (isAgain)
        {
            for (int i = 0; i < _unacknowledged.Count; i++)
            {
                if (_unacknowledged[i].End > segment.Start && _unacknowledged[i].End <= segment.End)
                {
                    _unacknowledged[i] = _unacknowledged[i] with { IsTimed = false };
                }
            }
        }
        else
        {
            _unacknowledged.Add((segment.Seconds, segment.End, true));
        }

        sentTo = Math.Max(sentTo, segment.End);
        InFlight.Add((segment.Seconds, Math.Max(sentTo - acknowledged, 0)));
    }

    private void AddAcknowledgment(CapturedSegment segment, long sentTo, ref long acknowledged)
    {
        // A FIN takes a number that is no byte.
        long upTo = Math.Min(segment.Acknowledged, Math.Max(sentTo, acknowledged));
        Window.Add((segment.Seconds, Math.Max(segment.WindowEnd, 0)));
        foreach ((long left, long right) in segment.Sacks)
        {
            Sacks.Add(new SentBytes(segment.Seconds, left, right, false, false));
        }

        if (upTo > acknowledged)
        {
            int covered = _unacknowledged.FindLastIndex(u => u.End <= upTo);
            if (covered >= 0)
            {
                if (_unacknowledged[covered].IsTimed)
                {
                    RoundTrips.Add((segment.Seconds, (segment.Seconds - _unacknowledged[covered].Seconds) * 1e3));
                }

                _unacknowledged.RemoveRange(0, covered + 1);
            }

            acknowledged = upTo;
            InFlight.Add((segment.Seconds, Math.Max(sentTo - acknowledged, 0)));
        }

        Acks.Add((segment.Seconds, acknowledged));
    }

    private void AddRates()
    {
        double interval = (End - Begin) / RateIntervals;
        double[] sent = new double[RateIntervals];
        double[] acknowledged = new double[RateIntervals];
        foreach (SentBytes segment in Sent)
        {
            sent[IntervalOf(segment.Seconds, interval)] += segment.End - segment.Start;
        }

        double last = 0;
        foreach ((double seconds, double upTo) in Acks)
        {
            acknowledged[IntervalOf(seconds, interval)] += upTo - last;
            last = upTo;
        }

        for (int i = 0; i < RateIntervals; i++)
        {
            double middle = Begin + ((i + 0.5) * interval);
            SendRate.Add((middle, sent[i] * 8 / interval / 1e6));
            AckRate.Add((middle, acknowledged[i] * 8 / interval / 1e6));
        }
    }

    private int IntervalOf(double seconds, double interval) => Math.Clamp((int)((seconds - Begin) / interval), 0, RateIntervals - 1);

    /// <summary>Reads "cwnd 14, ssthresh 7, MSS 1448", which the stack notes in captures of its own.</summary>
    private static bool TryReadCongestionWindow(string comment, out long bytes)
    {
        bytes = 0;
        string[] words = comment.Split([' ', ','], StringSplitOptions.RemoveEmptyEntries);
        if (words.Length < 6 || words[0] != "cwnd" || words[4] != "MSS"
            || !long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long segments)
            || !long.TryParse(words[5], NumberStyles.None, CultureInfo.InvariantCulture, out long mss))
        {
            return false;
        }

        bytes = segments * mss;
        return true;
    }
}
