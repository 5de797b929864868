namespace Portico.Net;

/// <summary>Where an address came from.</summary>
internal enum AddressOrigin : byte
{
    /// <summary>Given by hand.</summary>
    Manual,

    /// <summary>The link-local address that configuration begins with.</summary>
    LinkLocal,

    /// <summary>From an advertised prefix (RFC 4862 5.5.3).</summary>
    Autoconfigured,
}

/// <summary>How far duplicate address detection has come.</summary>
internal enum DadPhase : byte
{
    /// <summary>Nothing to do: the address is in use, was given up, or was never checked.</summary>
    Idle,

    /// <summary>Probes are being sent.</summary>
    Probing,

    /// <summary>IPv4: the address is in use and being announced (RFC 5227 2.3).</summary>
    Announcing,

    /// <summary>It was a duplicate; another interface identifier is tried (RFC 7217 6).</summary>
    Regenerating,
}

/// <summary>What <see cref="AddressConfiguration"/> keeps of an address that it looks after.</summary>
internal sealed class AddressRecord(InterfaceAddress address, AddressOrigin origin)
{
    public InterfaceAddress Address { get; set; } = address;

    public AddressOrigin Origin { get; } = origin;

    public DadPhase Phase { get; set; }

    /// <summary>Probes or announcements sent in this phase.</summary>
    public int Step { get; set; }

    /// <summary>When the phase goes on.</summary>
    public MonoTime NextAt { get; set; } = MonoTime.Never;

    public MonoTime PreferredUntil { get; set; } = MonoTime.Never;

    public MonoTime ValidUntil { get; set; } = MonoTime.Never;

    /// <summary>RFC 7217's DAD_Counter.</summary>
    public byte DadCounter { get; set; }

    /// <summary>Tells an echo of the own solicitation from another host's (RFC 7527).</summary>
    public ulong Nonce { get; set; }

    /// <summary>When the address was last defended; Never if it never was.</summary>
    public MonoTime DefendedAt { get; set; } = MonoTime.Never;
}
