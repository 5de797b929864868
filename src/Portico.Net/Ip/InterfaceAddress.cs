namespace Portico.Net;

/// <summary>How far an address may be used (RFC 4862 2).</summary>
public enum AddressState : byte
{
    /// <summary>Usable without restriction.</summary>
    Preferred,

    /// <summary>Still valid, but not to be chosen for new flows.</summary>
    Deprecated,

    /// <summary>Being checked for duplicates: not yet this host's.</summary>
    Tentative,

    /// <summary>Another host has it: never this host's.</summary>
    Duplicate,
}

/// <summary>An address of an interface, with the prefix of its network.</summary>
public sealed class InterfaceAddress
{
    internal InterfaceAddress(NetworkInterface owner, IpPrefix prefix)
    {
        Interface = owner;
        Prefix = prefix;
    }

    /// <summary>The interface that has it.</summary>
    public NetworkInterface Interface { get; }

    /// <summary>The address and the length of its network's prefix.</summary>
    public IpPrefix Prefix { get; }

    /// <summary>The address.</summary>
    public IpAddress Address => Prefix.Address;

    /// <summary>How far it may be used.</summary>
    public AddressState State { get; internal set; }

    /// <summary>A temporary address (RFC 8981): rule 7 of source-address selection prefers it.</summary>
    public bool IsTemporary { get; internal set; }

    /// <summary>Whether a connected route came with the address and goes with it.</summary>
    internal bool HasPrefixRoute { get; init; }

    /// <summary>Whether packets to it are this host's.</summary>
    internal bool IsUsable => State <= AddressState.Deprecated;

    /// <inheritdoc/>
    public override string ToString() => $"{Prefix} dev {Interface.Name} {State}";
}
