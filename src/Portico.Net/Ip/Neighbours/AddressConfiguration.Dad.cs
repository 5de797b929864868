namespace Portico.Net;

// Is the address free? (RFC 4862 5.4 for IPv6, RFC 5227 for IPv4.) And what if it is not, or somebody takes it later.
public sealed partial class AddressConfiguration
{
    private const int IdgenRetries = 3;
    private const int ProbeNum = 3;
    private const int AnnounceNum = 2;

    private static readonly Duration s_idgenDelay = Duration.FromSeconds(1);
    private static readonly Duration s_probeWait = Duration.FromSeconds(1);
    private static readonly Duration s_probeMin = Duration.FromSeconds(1);
    private static readonly Duration s_probeMax = Duration.FromSeconds(2);
    private static readonly Duration s_announceWait = Duration.FromSeconds(2);
    private static readonly Duration s_announceInterval = Duration.FromSeconds(2);
    private static readonly Duration s_defendInterval = Duration.FromSeconds(10);

    /// <summary>Somebody else asks from :: for an address that is being checked here: both give it up (RFC 4862 5.4.3).</summary>
    internal void HandleDadSolicitation(InterfaceAddress address, ulong nonce)
    {
        AddressRecord? record = FindRecord(address.Address);
        if (record != null && nonce != 0 && nonce == record.Nonce)
        {
            _table.Counters[NeighbourCounter.NdInOwnFrames]++;
            return;
        }

        BecomeDuplicate(address, record);
    }

    /// <summary>Somebody else advertises an own address.</summary>
    internal void HandleDadAdvertisement(InterfaceAddress address)
    {
        _table.Counters[NeighbourCounter.DadConflicts]++;
        if (address.State == AddressState.Tentative)
        {
            BecomeDuplicate(address, FindRecord(address.Address));
        }
    }

    /// <summary>
    /// An ARP packet shows that somebody else uses, or is about to use, an own IPv4 address. While it is checked it is given up. In use
    /// it was given by hand, so it is never given up but defended, once in DEFEND_INTERVAL (RFC 5227 2.4 (c)), which keeps two hosts
    /// from arguing at line rate.
    /// </summary>
    internal void HandleArpConflict(InterfaceAddress address)
    {
        AddressRecord? record = FindRecord(address.Address);
        if (address.State == AddressState.Tentative)
        {
            BecomeDuplicate(address, record);
            return;
        }

        if (!address.IsUsable)
        {
            return;
        }

        _table.Counters[NeighbourCounter.DadConflicts]++;
        if (record == null)
        {
            record = new AddressRecord(address, AddressOrigin.Manual);
            _records.Add(record);
        }

        if (record.DefendedAt == MonoTime.Never || _engine.Now - record.DefendedAt >= s_defendInterval)
        {
            record.DefendedAt = _engine.Now;
            _table.Counters[NeighbourCounter.ArpOutDefences]++;
            _table.Arp.SendAnnouncement(address.Address);
        }
    }

    private void BeginDad(AddressRecord record)
    {
        if (Options.dad_transmits == 0)
        {
            Assign(record);
            WakeAt(NextTime());
            return;
        }

        record.Phase = DadPhase.Probing;
        record.Step = 0;
        record.Nonce = _engine.Random.NextUInt64() & 0xFFFF_FFFF_FFFF;

        // RFC 4862 5.4.2 and RFC 5227 2.1.1: hosts that start together must not all speak at once.
        bool isIpv4 = record.Address.Address.IsIpv4;
        record.NextAt = _engine.Now + RandomUpTo(isIpv4 ? s_probeWait : s_maxRtrSolicitationDelay);
        WakeAt(record.NextAt);
    }

    private void AdvanceDad(AddressRecord record)
    {
        IpAddress address = record.Address.Address;
        switch (record.Phase)
        {
            case DadPhase.Probing when address.IsIpv4 && record.Step < ProbeNum:
                _table.Arp.SendProbe(address);
                record.Step++;
                record.NextAt = _engine.Now
                    + (record.Step < ProbeNum ? s_probeMin + RandomUpTo(s_probeMax - s_probeMin) : s_announceWait);
                break;
            case DadPhase.Probing when !address.IsIpv4 && record.Step < Options.dad_transmits:
                _table.Discovery.SendDadSolicitation(address, record.Nonce);
                record.Step++;
                record.NextAt = _engine.Now + _table.RetransTime(ipv4: false);
                break;
            case DadPhase.Probing:
                Assign(record);
                break;
            case DadPhase.Announcing:
                Announce(record);
                break;
            case DadPhase.Regenerating:
                Regenerate(record);
                break;
            default:
                record.NextAt = MonoTime.Never;
                break;
        }
    }

    /// <summary>Nobody objected: the address is this interface's.</summary>
    private void Assign(AddressRecord record)
    {
        record.Phase = DadPhase.Idle;
        record.NextAt = MonoTime.Never;
        bool isPreferred = record.PreferredUntil > _engine.Now;
        _interface.SetAddressState(record.Address, isPreferred ? AddressState.Preferred : AddressState.Deprecated);
        if (record.Address.Address.IsIpv4)
        {
            record.Phase = DadPhase.Announcing;
            record.Step = 0;
            Announce(record);
        }
        else if (record.Address.Address.IsLinkLocal)
        {
            BeginSoliciting();
            Advertiser?.HandleLinkLocalReady();
        }
    }

    private void Announce(AddressRecord record)
    {
        _table.Arp.SendAnnouncement(record.Address.Address);
        record.Step++;
        bool more = record.Step < AnnounceNum;
        record.Phase = more ? DadPhase.Announcing : DadPhase.Idle;
        record.NextAt = more ? _engine.Now + s_announceInterval : MonoTime.Never;
    }

    private void BecomeDuplicate(InterfaceAddress address, AddressRecord? record)
    {
        _table.Counters[NeighbourCounter.DadConflicts]++;
        _interface.SetAddressState(address, AddressState.Duplicate);
        if (record == null)
        {
            return;
        }

        bool mayRetry = record.Origin != AddressOrigin.Manual
            && Options.addr_gen_mode == AddressGenerationMode.StablePrivacy
            && record.DadCounter < IdgenRetries;
        record.Phase = mayRetry ? DadPhase.Regenerating : DadPhase.Idle;
        record.NextAt = mayRetry ? _engine.Now + RandomUpTo(s_idgenDelay) : MonoTime.Never;
        WakeAt(record.NextAt);
    }

    private void Regenerate(AddressRecord record)
    {
        IpPrefix prefix = record.Address.Prefix.Network;
        Remove(record);
        if (Generate(prefix, record.Origin, (byte)(record.DadCounter + 1), out AddressRecord? next))
        {
            next!.PreferredUntil = record.PreferredUntil;
            next.ValidUntil = record.ValidUntil;
        }
    }
}
