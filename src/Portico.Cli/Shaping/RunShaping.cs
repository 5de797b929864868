using System.Net;
using System.Net.Sockets;
using Portico.Kernel;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>
/// Puts a plan in force, at the start and while the command runs. Where single packets are to be hit, the device carries packets as a
/// wire would: the MTU is 1,500 on both sides, the stack cuts its super-segments, and the kernel's, which it may have queued before, are
/// cut behind the device.
/// </summary>
internal sealed class RunShaping(
    StackDriver driver, ImpairmentLink link, NetworkInterface device, RunNamespace inside, int mtu,
    Func<string, IReadOnlyList<IpAddress>> addressesOf)
{
    /// <summary>The MTU where nobody asked for one: what lets the kernel send 64 KiB at a time, or what a wire has.</summary>
    public const int MtuWhole = 65_520;
    public const int MtuOfWire = 1500;

    private readonly object _gate = new();
    private readonly Dictionary<ShapingTarget, ImpairmentRule> _rules = [];

    /// <summary>What is in force.</summary>
    public ShapingPlan Plan { get; private set; } = ShapingPlan.Empty;

    /// <summary>The longest that a packet may be under way, one way. Inside a scope of the driver.</summary>
    public Duration Flight
    {
        get
        {
            Duration longest = Duration.Zero;
            foreach (ImpairmentRule rule in Rules.Select(r => r.Rule))
            {
                foreach (Impairment settings in (Impairment[])[rule.Outbound.Settings, rule.Inbound.Settings])
                {
                    longest = Duration.Max(longest, settings.Delay + settings.Jitter);
                }
            }

            return longest;
        }
    }

    /// <summary>The rules in force with what they have done, everybody's first. Inside a scope of the driver.</summary>
    public IEnumerable<(ShapingTarget Target, ImpairmentRule Rule)> Rules =>
        [(ShapingTarget.All, link.Default), .. _rules.Select(r => (r.Key, r.Value))];

    /// <summary>The MTU that a plan has the device begin with; <paramref name="asked"/> is 0 where nobody asked for one.</summary>
    public static int MtuFor(ShapingPlan plan, int asked) => asked != 0 ? asked : plan.HitsPackets ? MtuOfWire : MtuWhole;

    /// <summary>Changes the plan and puts the new one in force; throws, and leaves all as it was, where it cannot be.</summary>
    public void Change(Func<ShapingPlan, ShapingPlan> change)
    {
        lock (_gate)
        {
            Apply(change(Plan));
        }
    }

    /// <summary>Puts a plan in force, for the packets that come from now on; what is under way arrives as it was to.</summary>
    public void Apply(ShapingPlan plan)
    {
        lock (_gate)
        {
            // Names are resolved before the lock of the driver is taken: that may take seconds.
            Resolved[] resolved = [.. plan.Rules.Where(r => r.Target != ShapingTarget.All).Select(r => new Resolved(r, Resolve(r.Target)))];
            ShapingRule all = plan.Rules.FirstOrDefault(r => r.Target == ShapingTarget.All)
                ?? new ShapingRule(ShapingTarget.All, ShapingSettings.None, ShapingSettings.None);
            Resolved[] wider = [.. resolved.OrderByDescending(r => r.Narrowness)];
            (Impairment Up, Impairment Down)[] impairments = [.. resolved.Select(r => (
                Inherited(r, wider, all, s => s.Up).ToImpairment(), Inherited(r, wider, all, s => s.Down).ToImpairment()))];
            (Impairment Up, Impairment Down) ofAll = (all.Up.ToImpairment(), all.Down.ToImpairment());
            ImpairmentTarget[] partitions = [.. plan.Partitions.SelectMany(Resolve)];
            if (resolved.Sum(r => r.Targets.Length) > link.TargetsMax || partitions.Length > link.TargetsMax)
            {
                throw new ArgumentException($"more than {link.TargetsMax} destinations");
            }

            using (driver.Enter())
            {
                SetRules(resolved, impairments, ofAll, partitions);
                for (int i = 0; i < resolved.Length; i++)
                {
                    ShareRates(resolved[i], wider);
                }

                link.WantsPackets = plan.HitsPackets;
                device.UpdateFeatures();
                device.Mtu = MtuFor(plan, mtu);
                Plan = plan;
            }

            inside.SetMtu(MtuFor(plan, mtu));
        }
    }

    private void SetRules(
        Resolved[] resolved, (Impairment Up, Impairment Down)[] impairments, (Impairment Up, Impairment Down) ofAll,
        ImpairmentTarget[] partitions)
    {
        // What comes in from the device is what the command sends.
        link.Inbound.Settings = ofAll.Up;
        link.Outbound.Settings = ofAll.Down;
        Dictionary<ShapingTarget, ImpairmentRule> before = new(_rules);
        _rules.Clear();
        for (int i = 0; i < resolved.Length; i++)
        {
            (Impairment up, Impairment down) = impairments[i];
            ShapingTarget target = resolved[i].Rule.Target;

            // A rule that stays keeps its counters and the packets that wait for its rate.
            ImpairmentRule rule = before.TryGetValue(target, out ImpairmentRule? known) && known.Targets.SequenceEqual(resolved[i].Targets)
                ? known
                : link.CreateRule(resolved[i].Targets, down, up);
            rule.Inbound.Settings = up;
            rule.Outbound.Settings = down;
            _rules.Add(target, rule);
        }

        link.SetRules([.. _rules.Values], partitions);
    }

    /// <summary>A target without a rate of its own goes through the queue of the narrowest that contains it and has one.</summary>
    private void ShareRates(Resolved resolved, Resolved[] wider)
    {
        ImpairmentRule Owner(Func<ShapingRule, ShapingSettings> direction) =>
            direction(resolved.Rule).HasOwnQueue ? _rules[resolved.Rule.Target]
            : Array.Find(wider, w => w != resolved && w.Contains(resolved) && direction(w.Rule).HasOwnQueue) is { } owner
                ? _rules[owner.Rule.Target] : link.Default;
        ImpairmentRule rule = _rules[resolved.Rule.Target];
        ImpairmentLink.ShareRate(rule.Inbound, Owner(r => r.Up).Inbound);
        ImpairmentLink.ShareRate(rule.Outbound, Owner(r => r.Down).Outbound);
    }

    private static ShapingSettings Inherited(
        Resolved resolved, Resolved[] wider, ShapingRule all, Func<ShapingRule, ShapingSettings> direction)
    {
        ShapingSettings settings = direction(resolved.Rule);
        foreach (Resolved other in wider)
        {
            settings = other != resolved && other.Contains(resolved) ? settings.Over(direction(other.Rule)) : settings;
        }

        return settings.Over(direction(all));
    }

    private ImpairmentTarget[] Resolve(ShapingTarget target) => target.Resolve(addressesOf);

    /// <summary>The addresses of a name that nobody inside has defined, as the host has them.</summary>
    public static IReadOnlyList<IpAddress> HostAddresses(string name)
    {
        try
        {
            return [.. Dns.GetHostAddresses(name).Select(IpAddress.From)];
        }
        catch (Exception e) when (e is SocketException or ArgumentException)
        {
            return [];
        }
    }

    private sealed record Resolved(ShapingRule Rule, ImpairmentTarget[] Targets)
    {
        /// <summary>By which the narrower comes first, as in the link.</summary>
        public int Narrowness => (Targets.Min(Bits) * 2) + (Rule.Target.Port != 0 ? 1 : 0);

        /// <summary>Whether all that the other is about is among what this is about.</summary>
        public bool Contains(Resolved other) =>
            other.Targets.All(o => Targets.Any(t =>
                (t.Port == 0 || t.Port == o.Port) && t.Prefix.Length <= o.Prefix.Length && t.Prefix.Contains(o.Prefix.Address)));

        private static int Bits(ImpairmentTarget target) => target.Prefix.Length + (target.Prefix.Address.IsIpv4 ? 96 : 0);
    }
}
