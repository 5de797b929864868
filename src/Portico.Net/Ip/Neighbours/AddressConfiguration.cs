// RFC 4862 (stateless address autoconfiguration), RFC 5227 (IPv4 address conflict detection).
namespace Portico.Net;

/// <summary>
/// How an Ethernet interface comes to its addresses: it checks that nobody else has them, makes a link-local one and others from
/// advertised prefixes, and lets them age. Silent until <see cref="Start"/> or <see cref="AddAddress"/>.
/// </summary>
public sealed partial class AddressConfiguration : IScheduled
{
    private static readonly Duration s_maxRtrSolicitationDelay = Duration.FromSeconds(1);

    private readonly NetworkInterface _interface;
    private readonly NeighbourTable _table;
    private readonly Engine _engine;
    private readonly List<AddressRecord> _records = [];
    private SipKey _secret;
    private bool _hasSecret;
    private MonoTime _wakeAt = MonoTime.Never;

    internal AddressConfiguration(NetworkInterface owner, NeighbourTable table)
    {
        _interface = owner;
        _table = table;
        _engine = owner.Stack.Engine;
    }

    /// <summary>Settings, changeable at any time; what has been configured stays.</summary>
    public AddressConfigurationOptions Options { get; } = new();

    /// <summary>Whether <see cref="Start"/> was called, and not <see cref="Stop"/>.</summary>
    public bool IsStarted { get; private set; }

    /// <summary>Sends router advertisements on the interface; null where it does not (the default).</summary>
    public RouterAdvertiser? Advertiser { get; private set; }

    /// <summary>Whether neighbours are told that this is a router.</summary>
    internal bool IsRouter => Advertiser != null || _interface.Stack.Ip.Options.ip6_forward;

    internal bool AcceptsRouterAdvertisements => IsStarted && Options.accept_ra && !IsRouter;

    /// <summary>
    /// Begins IPv6 on the interface: makes the link-local address, checks it, then asks routers for prefixes until one answers.
    /// </summary>
    public void Start()
    {
        if (IsStarted)
        {
            return;
        }

        IsStarted = true;
        foreach (InterfaceAddress own in _interface.AddressList)
        {
            if (!own.Address.IsIpv4 && own.Address.IsLinkLocal && own.IsUsable)
            {
                BeginSoliciting();
                return;
            }
        }

        Generate(new IpPrefix(new IpAddress(0xFE80_0000_0000_0000, 0), 64), AddressOrigin.LinkLocal, 0, out _);
    }

    /// <summary>Forgets what was configured automatically; addresses given by hand stay.</summary>
    public void Stop()
    {
        IsStarted = false;
        StopAdvertising();
        for (int i = _records.Count - 1; i >= 0; i--)
        {
            if (_records[i].Origin != AddressOrigin.Manual)
            {
                Remove(_records[i]);
            }
        }

        ForgetRouters();
    }

    /// <summary>
    /// Gives the interface an address once it is certain that no other host on the link has it: tentative first, then preferred or
    /// duplicate. For an address that is usable at once see <see cref="NetworkInterface.AddAddress(IpPrefix)"/>, whose errors this returns.
    /// </summary>
    public Errno AddAddress(IpPrefix prefix)
    {
        Errno error = _interface.AddAddress(prefix, AddressState.Tentative, addPrefixRoute: true, out InterfaceAddress? added);
        if (error == Errno.None)
        {
            AddressRecord record = new(added!, AddressOrigin.Manual);
            _records.Add(record);
            BeginDad(record);
        }

        return error;
    }

    /// <summary>Takes an address away that was added here or configured automatically. Errors: EADDRNOTAVAIL.</summary>
    public Errno RemoveAddress(IpAddress address)
    {
        AddressRecord? record = FindRecord(address);
        if (record == null)
        {
            return _interface.RemoveAddress(address);
        }

        Remove(record);
        return Errno.None;
    }

    /// <summary>Begins to send router advertisements; replaces an earlier setting.</summary>
    public void StartAdvertising(RouterAdvertisementOptions options)
    {
        StopAdvertising();
        ForgetRouters();
        Advertiser = new RouterAdvertiser(_interface, _table, options);
        Advertiser.Start();
    }

    /// <summary>Sends a last advertisement that takes the default route back (RFC 4861 6.2.5), and stops.</summary>
    public void StopAdvertising()
    {
        Advertiser?.Stop();
        Advertiser = null;
    }

    /// <inheritdoc/>
    void IScheduled.OnTime(long cookie)
    {
        if (_wakeAt > _engine.Now)
        {
            return;
        }

        _wakeAt = MonoTime.Never;
        for (int i = _records.Count - 1; i >= 0; i--)
        {
            AddressRecord record = _records[i];
            if (_interface.FindAddress(record.Address.Address) != record.Address)
            {
                // Taken away behind our back, by NetworkInterface.RemoveAddress.
                _records.RemoveAt(i);
                continue;
            }

            if (record.NextAt <= _engine.Now)
            {
                AdvanceDad(record);
            }

            Age(record);
        }

        SolicitIfDue();
        AgeRouters();
        WakeAt(NextTime());
    }

    private MonoTime NextTime()
    {
        MonoTime next = MonoTime.Min(_solicitAt, NextRouterTime());
        foreach (AddressRecord record in _records)
        {
            next = MonoTime.Min(next, MonoTime.Min(record.NextAt, record.ValidUntil));
            if (record.Address.State == AddressState.Preferred)
            {
                next = MonoTime.Min(next, record.PreferredUntil);
            }
        }

        return next;
    }

    private void WakeAt(MonoTime time)
    {
        if (time < _wakeAt)
        {
            _wakeAt = time;
            _engine.Schedule(time, this, 0);
        }
    }

    private void Age(AddressRecord record)
    {
        if (record.ValidUntil <= _engine.Now)
        {
            Remove(record);
        }
        else if (record.Address.State == AddressState.Preferred && record.PreferredUntil <= _engine.Now)
        {
            _interface.SetAddressState(record.Address, AddressState.Deprecated);
        }
    }

    private void Remove(AddressRecord record)
    {
        _records.Remove(record);
        _interface.RemoveAddress(record.Address.Address);
    }

    private AddressRecord? FindRecord(in IpAddress address)
    {
        foreach (AddressRecord record in _records)
        {
            if (record.Address.Address == address)
            {
                return record;
            }
        }

        return null;
    }

    /// <summary>Adds a tentative address made from a prefix and starts to check it.</summary>
    private bool Generate(in IpPrefix prefix, AddressOrigin origin, byte dadCounter, out AddressRecord? record)
    {
        bool isOpaque = Options.addr_gen_mode == AddressGenerationMode.StablePrivacy;
        ulong identifier = isOpaque
            ? StableInterfaceId.Make(Secret(), prefix.Address, _interface.Link.Address, dadCounter)
            : StableInterfaceId.MakeEui64(_interface.Link.Address);
        IpPrefix address = new(new IpAddress(prefix.Address.High, identifier), prefix.Length);
        record = null;
        bool addRoute = origin == AddressOrigin.LinkLocal;
        if (_interface.AddAddress(address, AddressState.Tentative, addRoute, out InterfaceAddress? added) != Errno.None)
        {
            return false;
        }

        record = new AddressRecord(added!, origin) { DadCounter = dadCounter };
        _records.Add(record);
        BeginDad(record);
        return true;
    }

    private SipKey Secret()
    {
        if (!_hasSecret)
        {
            (ulong high, ulong low) = Options.stable_secret;
            _secret = (high | low) == 0 ? SipKey.From(_engine.Random) : new SipKey(high, low);
            _hasSecret = true;
        }

        return _secret;
    }

    private Duration RandomUpTo(Duration most) => new((long)(_engine.Random.NextDouble() * most.Nanoseconds));
}
