namespace Portico.Net;

/// <summary>
/// The retransmission timeout from round-trip samples (RFC 6298) the way Linux computes it: the variance is the largest deviation of
/// the last round trip, grows at once and decays once per round trip, and is at least the smallest timeout; a fast acknowledgment does
/// not raise it.
/// </summary>
internal struct RttEstimator
{
    public const int RtoMinMicros = 200_000;
    public const int RtoMaxMicros = 120_000_000;
    public const int RtoInitialMicros = 1_000_000;
    public const int RtoFallbackMicros = 3_000_000;

    // Samples beyond this change nothing: the timeout is at its maximum, and eight times it still fits.
    private const int SampleMaxMicros = RtoMaxMicros;

    /// <summary>Eight times the smoothed round-trip time; 0 before the first sample.</summary>
    private int _srttTimes8;

    /// <summary>Four times the mean deviation.</summary>
    private int _mdevTimes4;

    /// <summary>Four times the largest mean deviation seen in this round trip.</summary>
    private int _mdevMaxTimes4;

    /// <summary>Four times the variance that the timeout uses.</summary>
    private int _rttVarTimes4;

    /// <summary>What was SND.NXT when this round trip began.</summary>
    private uint _rttSeq;

    private MinRttFilter _min;

    /// <summary>An estimator without samples.</summary>
    public static RttEstimator Initial => default;

    public readonly bool HasSample => _srttTimes8 != 0;

    /// <summary>Eight times the smoothed round-trip time; 0 before the first sample.</summary>
    public readonly int SrttTimes8 => _srttTimes8;

    /// <summary>The smoothed round-trip time; 0 before the first sample.</summary>
    public readonly int SrttMicros => _srttTimes8 >> 3;

    /// <summary>The mean deviation, as tcpi_rttvar shows it.</summary>
    public readonly int RttVarMicros => _mdevTimes4 >> 2;

    /// <summary>The timeout before back-off.</summary>
    public readonly int RtoMicros =>
        _srttTimes8 == 0 ? Math.Max(RtoInitialMicros, _rttVarTimes4) : Math.Min((_srttTimes8 >> 3) + _rttVarTimes4, RtoMaxMicros);

    /// <summary>RFC 6298 5.7: a handshake that gave no sample had a timeout that may have been too short, so data is given longer.</summary>
    public void BeginWithoutSample()
    {
        if (_srttTimes8 == 0)
        {
            _rttVarTimes4 = _mdevTimes4 = _mdevMaxTimes4 = RtoFallbackMicros;
        }
    }

    /// <summary>A round trip was measured on a segment that was sent once (Karn's rule is the caller's).</summary>
    public void Sample(int rttMicros, uint sndUna, uint sndNxt, int rtoMinMicros = RtoMinMicros)
    {
        int sample = Math.Clamp(rttMicros, 1, SampleMaxMicros);
        if (_srttTimes8 == 0)
        {
            _srttTimes8 = sample << 3;
            _mdevTimes4 = sample << 1;
            _rttVarTimes4 = Math.Max(_mdevTimes4, rtoMinMicros);
            _mdevMaxTimes4 = _rttVarTimes4;
            _rttSeq = sndNxt;
            return;
        }

        int error = sample - (_srttTimes8 >> 3);
        _srttTimes8 = Math.Max(1, _srttTimes8 + error);
        int deviation = Math.Abs(error) - (_mdevTimes4 >> 2);
        if (error < 0 && deviation > 0)
        {
            // A sudden improvement is no reason to wait longer: take an eighth of it.
            deviation >>= 3;
        }

        _mdevTimes4 += deviation;
        if (_mdevTimes4 > _mdevMaxTimes4)
        {
            _mdevMaxTimes4 = _mdevTimes4;
            _rttVarTimes4 = Math.Max(_rttVarTimes4, _mdevMaxTimes4);
        }

        if (Seq.Gt(sndUna, _rttSeq))
        {
            if (_mdevMaxTimes4 < _rttVarTimes4)
            {
                _rttVarTimes4 -= (_rttVarTimes4 - _mdevMaxTimes4) >> 2;
            }

            _rttSeq = sndNxt;
            _mdevMaxTimes4 = rtoMinMicros;
        }
    }

    /// <summary>The least round-trip time of the last tcp_min_rtt_wlen seconds; 0 before the first sample.</summary>
    public readonly int MinRttMicros => (int)_min.Micros;

    /// <summary>Takes a sample for <see cref="MinRttMicros"/>.</summary>
    public void UpdateMin(int rttMicros, uint nowMillis, uint windowMillis = MinRttFilter.WindowMilliseconds) =>
        _min.Sample((uint)Math.Max(1, rttMicros), nowMillis, windowMillis);
}

/// <summary>
/// The least round-trip time of the last five minutes from three samples (Nichols' windowed filter, as Linux uses it): the best, the
/// best since that one, and the best since the second, each to take over when the one before has become too old.
/// </summary>
internal struct MinRttFilter
{
    public const uint WindowMilliseconds = 300_000;

    private struct Entry
    {
        public uint Time;
        public uint Value;
    }

    private Entry _best;
    private Entry _second;
    private Entry _third;

    /// <summary>The least sample; 0 before the first.</summary>
    public readonly uint Micros => _best.Value;

    /// <summary>Takes a sample and returns the least.</summary>
    public uint Sample(uint rttMicros, uint nowMillis, uint window = WindowMilliseconds)
    {
        Entry entry = new() { Time = nowMillis, Value = Math.Max(1, rttMicros) };
        if (_best.Value == 0 || entry.Value <= _best.Value || entry.Time - _third.Time > window)
        {
            _best = _second = _third = entry;
            return entry.Value;
        }

        if (entry.Value <= _second.Value)
        {
            _second = _third = entry;
        }
        else if (entry.Value <= _third.Value)
        {
            _third = entry;
        }

        uint age = entry.Time - _best.Time;
        if (age > window)
        {
            Shift(entry);
            if (entry.Time - _best.Time > window)
            {
                Shift(entry);
            }
        }
        else if (_second.Time == _best.Time && age > window / 4)
        {
            // A quarter of the window without a second choice: take this one, so that the three spread over the window.
            _second = _third = entry;
        }
        else if (_third.Time == _second.Time && age > window / 2)
        {
            _third = entry;
        }

        return _best.Value;
    }

    private void Shift(in Entry entry)
    {
        _best = _second;
        _second = _third;
        _third = entry;
    }
}
