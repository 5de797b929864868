using Portico.Net;

namespace Portico.Linux;

/// <summary>The addresses that answers of the name servers gave for the names of one rule, each until it expires.</summary>
internal sealed class LearnedAddresses(int capacity)
{
    private readonly Dictionary<IpAddress, MonoTime> _expiries = [];

    /// <summary>Keeps an address at least until a time; false where there are too many.</summary>
    public bool Add(in IpAddress address, MonoTime expiry, MonoTime now)
    {
        if (_expiries.TryGetValue(address, out MonoTime known))
        {
            _expiries[address] = known > expiry ? known : expiry;
            return true;
        }

        if (_expiries.Count >= capacity)
        {
            RemoveExpired(now);
        }

        return _expiries.Count < capacity && _expiries.TryAdd(address, expiry);
    }

    /// <summary>Whether an address is among them now.</summary>
    public bool Contains(in IpAddress address, MonoTime now) => _expiries.TryGetValue(address, out MonoTime expiry) && expiry > now;

    private void RemoveExpired(MonoTime now)
    {
        foreach ((IpAddress address, MonoTime expiry) in _expiries)
        {
            if (expiry <= now)
            {
                _expiries.Remove(address);
            }
        }
    }
}
