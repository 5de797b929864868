using System.Net.NetworkInformation;
using Portico.Net;
using Card = System.Net.NetworkInformation.NetworkInterface;

namespace Portico.Linux;

/// <summary>What a destination seen inside means outside.</summary>
public enum HostPolicyVerdict
{
    /// <summary>Connect the host's socket to the destination that the policy gave.</summary>
    Allow,

    /// <summary>Nobody may go there.</summary>
    Prohibit,

    /// <summary>Nothing listens there.</summary>
    Refuse,
}

/// <summary>
/// Decides where traffic from inside may go, and translates the gateway's own addresses. Rules are tried in their order and the first
/// that is about a destination decides; a rule about just <c>all</c> stands for what no other decides, wherever it stands. Without one
/// everything is reachable but the host's loopback, link-local addresses and the others where clouds keep their metadata, multicast
/// and broadcast: these need a rule of their own.
/// </summary>
public sealed class HostPolicy
{
    private readonly PolicyRule[] _rules = [];
    private readonly LearnedAddresses?[] _learned = [];
    private readonly bool _deniesByDefault;

    /// <summary>The gateway's addresses: portico.internal.</summary>
    public IReadOnlyList<IpAddress> Gateways { get; init; } = [];

    /// <summary>The addresses that stand for the host: host.portico.</summary>
    public IReadOnlyList<IpAddress> Hosts { get; init; } = [];

    /// <summary>Whether host.portico is the host's loopback instead of its outer address.</summary>
    public bool HostLoopback { get; init; }

    /// <summary>The host's own address of a family, as seen from its network; asked for only when somebody uses host.portico.</summary>
    public Func<bool, IpAddress?> OuterAddress { get; init; } = FindOuterAddress;

    /// <summary>Whether an interface of the host has an address; asked for only where a rule needs to know.</summary>
    public Func<IpAddress, bool> IsHostsOwn { get; init; } = static address => HostSocket.IsLocal(address);

    /// <summary>The rules, in their order.</summary>
    public IReadOnlyList<PolicyRule> Rules
    {
        get => _rules;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            _rules = [.. value.Where(r => !r.IsDefault)];
            _deniesByDefault = value.LastOrDefault(r => r.IsDefault) is { IsAllow: false };
            _learned = [.. _rules.Select(r => r.IsAboutNames ? new LearnedAddresses(LearnedMax) : null)];
        }
    }

    /// <summary>The most addresses that are remembered for the names of one rule.</summary>
    public const int LearnedMax = 4096;

    /// <summary>Tells the rules about names that one has an address for good: the command finds it without a name server.</summary>
    public void AddName(string name, IpAddress address)
    {
        if (DnsName.TryEncode(name, out byte[] encoded))
        {
            Learn(encoded, address, MonoTime.Never, MonoTime.Zero);
        }
    }

    /// <summary>
    /// Decides about one destination at a time; <paramref name="target"/> is where the host's socket is to go. Echo requests have the
    /// port 0.
    /// </summary>
    public HostPolicyVerdict Decide(IpProtocol protocol, in Endpoint destination, MonoTime now, out Endpoint target)
    {
        IpAddress address = destination.Address;
        target = destination;
        if (Contains(Gateways, address))
        {
            return HostPolicyVerdict.Refuse;
        }

        if (Contains(Hosts, address))
        {
            return DecideHost(protocol, destination, out target);
        }

        bool isClosed = ClosedAddresses.Contains(address);
        Span<IpAddress> embedded = stackalloc IpAddress[ClosedAddresses.EmbeddedMax];
        int embeddedCount = ClosedAddresses.Embedded(address, embedded);
        for (int i = 0; i < _rules.Length; i++)
        {
            PolicyRule rule = _rules[i];
            if (!rule.AppliesTo(protocol, destination.Port))
            {
                continue;
            }

            if (rule.IsAllow)
            {
                if ((!isClosed || rule.OpensClosed) && IsAbout(i, address, now))
                {
                    return HostPolicyVerdict.Allow;
                }

                continue;
            }

            // What is denied is denied in the forms that a host may translate to it, too.
            bool denies = IsAbout(i, address, now);
            for (int j = 0; j < embeddedCount; j++)
            {
                denies |= IsAbout(i, embedded[j], now);
            }

            if (denies)
            {
                return HostPolicyVerdict.Prohibit;
            }
        }

        return isClosed || _deniesByDefault ? HostPolicyVerdict.Prohibit : HostPolicyVerdict.Allow;
    }

    /// <summary>
    /// Whether queries for a name (in lower case, as DNS has it on the wire) may be passed on. A rule with ports or a protocol decides
    /// when somebody connects; where everything is denied, names are resolved that a rule allows.
    /// </summary>
    internal bool MayResolve(ReadOnlySpan<byte> name) => DecideName(name) ?? !_deniesByDefault;

    /// <summary>Whether a rule denies a name, whatever is the default.</summary>
    internal bool IsDenied(ReadOnlySpan<byte> name) => DecideName(name) == false;

    /// <summary>Hears that a name has an address, from an answer that is passed on; false where a rule has too many addresses.</summary>
    internal bool Learn(ReadOnlySpan<byte> name, in IpAddress address, MonoTime expiry, MonoTime now)
    {
        bool kept = true;
        for (int i = 0; i < _rules.Length; i++)
        {
            if (_learned[i] is LearnedAddresses learned && _rules[i].HoldsName(name))
            {
                kept &= learned.Add(address, expiry, now);
            }
        }

        return kept;
    }

    /// <summary>Whether an address is the gateway's own.</summary>
    internal bool IsGateway(in IpAddress address) => Contains(Gateways, address);

    /// <summary>Whether an address means something else inside than outside, so that no answer from outside may hold it.</summary>
    internal bool IsOwnName(in IpAddress address) => Contains(Gateways, address) || Contains(Hosts, address);

    private bool? DecideName(ReadOnlySpan<byte> name)
    {
        foreach (PolicyRule rule in _rules)
        {
            if (rule.HoldsName(name) && (rule.IsAllow || rule.IsAboutEverything))
            {
                return rule.IsAllow;
            }
        }

        return null;
    }

    /// <summary>
    /// Decides about host.portico: the rules see the address inside, the host and where it leads. A rule that allows the loopback for a
    /// port makes it the loopback for that port.
    /// </summary>
    private HostPolicyVerdict DecideHost(IpProtocol protocol, in Endpoint destination, out Endpoint target)
    {
        bool isIpv4 = destination.Address.IsIpv4;
        IpAddress loopback = isIpv4 ? IpAddress.LoopbackIpv4 : IpAddress.LoopbackIpv6;
        IpAddress? own = HostLoopback ? loopback : OuterAddress(isIpv4);
        target = new Endpoint(own ?? default, destination.Port);
        foreach (PolicyRule rule in _rules)
        {
            if (!rule.AppliesTo(protocol, destination.Port))
            {
                continue;
            }

            bool isAboutLoopback = rule.Target == PolicyTarget.Loopback
                || (rule.Target == PolicyTarget.Prefix && rule.Prefix.Contains(loopback) && (rule.OpensClosed || !rule.IsAllow));
            if (rule.IsAllow && isAboutLoopback)
            {
                target = new Endpoint(loopback, destination.Port);
                return HostPolicyVerdict.Allow;
            }

            bool isAbout = rule.Target switch
            {
                PolicyTarget.All or PolicyTarget.Host => true,
                PolicyTarget.Loopback => HostLoopback,
                PolicyTarget.Prefix => rule.Prefix.Contains(destination.Address)
                    || (own is IpAddress outer && rule.Prefix.Contains(outer)),
                _ => false,
            };
            if (isAbout)
            {
                return !rule.IsAllow ? HostPolicyVerdict.Prohibit : own == null ? HostPolicyVerdict.Refuse : HostPolicyVerdict.Allow;
            }
        }

        return _deniesByDefault ? HostPolicyVerdict.Prohibit : own == null ? HostPolicyVerdict.Refuse : HostPolicyVerdict.Allow;
    }

    /// <summary>
    /// Whether a rule is about an address. Names lead where those want who answer for them: an answer must not open the host itself.
    /// </summary>
    private bool IsAbout(int index, in IpAddress address, MonoTime now)
    {
        PolicyRule rule = _rules[index];
        return rule.Target switch
        {
            PolicyTarget.All => true,
            PolicyTarget.Prefix => rule.Prefix.Contains(address),
            PolicyTarget.Host => IsHostsOwn(address),
            PolicyTarget.Loopback => address.IsLoopback,
            _ => _learned[index]!.Contains(address, now) && (!rule.IsAllow || !IsHostsOwn(address)),
        };
    }

    private static bool Contains(IReadOnlyList<IpAddress> list, in IpAddress address)
    {
        for (int i = 0; i < list.Count; i++)
        {
            if (list[i] == address)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>The address that the host would send from; connecting a datagram socket asks the kernel and sends nothing.</summary>
    private static IpAddress? FindOuterAddress(bool isIpv4)
    {
        IpAddress far = isIpv4 ? IpAddress.FromIpv4(198, 51, 100, 1) : IpAddress.Parse("2001:db8::1");
        if (HostSocket.Connect(new Endpoint(far, 9), LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out HostSocket socket) == Errno.None)
        {
            bool known = socket.TryGetLocal(out Endpoint local);
            socket.Close();
            if (known && !ClosedAddresses.Contains(local.Address))
            {
                return local.Address;
            }
        }

        foreach (Card card in Card.GetAllNetworkInterfaces())
        {
            foreach (UnicastIPAddressInformation unicast in card.GetIPProperties().UnicastAddresses)
            {
                IpAddress address = IpAddress.From(unicast.Address);
                if (address.IsIpv4 == isIpv4 && !ClosedAddresses.Contains(address))
                {
                    return address;
                }
            }
        }

        return null;
    }
}
