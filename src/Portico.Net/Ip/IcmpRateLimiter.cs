namespace Portico.Net;

/// <summary>
/// The two limits on ICMP messages (RFC 1812 4.3.2.8, RFC 4443 2.4(f)): so many a second to everybody, with a random part so that
/// nobody can count what others use up (the SAD DNS attack, CVE-2020-25705), and one every so often to each destination.
/// </summary>
internal sealed class IcmpRateLimiter
{
    private const int SlotCount = 1024;
    private const int BurstFactor = 6;

    private struct Slot
    {
        public IpAddress Destination;
        public long UpdatedAt;
        public long Credit;
    }

    private readonly IpOptions _options;
    private readonly Engine _engine;
    private readonly Slot[] _slots = new Slot[SlotCount];
    private readonly SipKey _key;
    private long _globalCreditNanoseconds;
    private long _globalUpdatedAt;
    private bool _isStarted;

    public IcmpRateLimiter(IpOptions options, Engine engine)
    {
        _options = options;
        _engine = engine;
        _key = SipKey.From(engine.Random);
    }

    /// <summary>Whether the limit on all messages lets one through; takes its credit.</summary>
    public bool TryTakeGlobal()
    {
        long rate = _options.icmp_msgs_per_sec;
        if (rate <= 0)
        {
            return false;
        }

        // Credit is kept in units of one message's share of a second, in nanoseconds.
        long cost = Math.Max(1, 1_000_000_000 / rate);
        long most = cost * Math.Max(1, _options.icmp_msgs_burst);
        long now = _engine.Now.Nanoseconds;
        if (!_isStarted)
        {
            _isStarted = true;
            _globalCreditNanoseconds = most;
        }
        else
        {
            _globalCreditNanoseconds = Math.Min(most, _globalCreditNanoseconds + (now - _globalUpdatedAt));
        }

        _globalUpdatedAt = now;
        if (_globalCreditNanoseconds < cost)
        {
            return false;
        }

        // Linux takes one and up to two more at random: the average rate stays below the limit and cannot be counted from outside.
        _globalCreditNanoseconds = Math.Max(0, _globalCreditNanoseconds - (cost * (1 + _engine.Random.NextBelow(3))));
        return true;
    }

    /// <summary>Whether the limit per destination lets one through; takes its credit.</summary>
    public bool TryTake(in IpAddress destination)
    {
        long interval = _options.icmp_ratelimit.Nanoseconds;
        if (interval <= 0)
        {
            return true;
        }

        long now = _engine.Now.Nanoseconds;
        ref Slot slot = ref _slots[SipHash.HashFlow(_key, destination, destination, 0, 0) % SlotCount];
        bool isRestored = now - slot.UpdatedAt >= BurstFactor * interval;
        if (slot.Destination != destination && (isRestored || slot.Destination == default))
        {
            slot.Destination = destination;
            slot.UpdatedAt = now;
            slot.Credit = BurstFactor * interval;
        }

        // Where another destination still needs the slot, the two share its credit.
        slot.Credit = Math.Min(BurstFactor * interval, slot.Credit + (now - slot.UpdatedAt));
        slot.UpdatedAt = now;
        if (slot.Credit < interval)
        {
            return false;
        }

        slot.Credit -= interval;
        return true;
    }
}
