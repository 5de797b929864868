using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>The things about a packet that are decided at random, each by a number of its own.</summary>
internal enum ImpairmentChoice
{
    Loss,
    BurstState,
    BurstLoss,
    Duplicate,
    Corrupt,
    CorruptBit,
    Jitter,
    Reorder,
    Mark,
}

/// <summary>A packet's random numbers. They are a function of the seed and of the packet's place in its flow, and of nothing else.</summary>
internal readonly struct PacketChoices(ulong identity)
{
    /// <summary>The numbers of the packet's duplicate.</summary>
    public PacketChoices OfDuplicate => new(Mix(identity ^ 0xD1B5_4A32_D192_ED03));

    /// <summary>True with the given probability.</summary>
    public bool Chance(ImpairmentChoice choice, double probability) => probability > 0 && Number(choice) < probability;

    /// <summary>From 0 up to but not including 1.</summary>
    public double Number(ImpairmentChoice choice) =>
        (Mix(identity + (((ulong)choice + 1) * 0x9E37_79B9_7F4A_7C15)) >> 11) * (1.0 / (1UL << 53));

    /// <summary>SplitMix64's output function (Steele, Lea, Flood 2014).</summary>
    public static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }
}

/// <summary>One direction of a flow: how far it has come.</summary>
internal struct FlowHalf
{
    /// <summary>Whether the burst-loss chain of segments with data is in its bad state; then of all other packets.</summary>
    public bool DataIsBad;
    public bool OtherIsBad;

    private ulong _identity;
    private bool _hasSequence;
    private uint _firstSequence;
    private uint _highest;
    private ulong _position;
    private ulong _repeated;
    private ulong _others;

    public FlowHalf(ulong identity) => _identity = identity;

    /// <summary>Whether a SYN is not the one that opened this flow: the five-tuple is used again.</summary>
    public readonly bool IsOtherOpening(in PacketFlow flow) => _hasSequence && flow.Sequence != _firstSequence;

    /// <summary>
    /// The next packet's numbers. A TCP segment that moves the highest sequence number on goes by that number, so that neither
    /// acknowledgements nor retransmissions, which come when timing has it, shift what happens to the data. Those, and all packets
    /// of other protocols, are counted, each kind by itself.
    /// </summary>
    public PacketChoices Next(in PacketFlow flow)
    {
        if (flow.SequenceLength == 0)
        {
            return Choices(kind: 1, ++_others);
        }

        if (!_hasSequence)
        {
            _hasSequence = true;
            _firstSequence = _highest = flow.Sequence;
        }

        uint end = flow.Sequence + flow.SequenceLength;
        int advance = (int)(end - _highest);
        if (advance <= 0)
        {
            return Choices(kind: 2, ++_repeated);
        }

        _highest = end;
        _position += (uint)advance;
        return Choices(kind: 3, _position);
    }

    private readonly PacketChoices Choices(ulong kind, ulong position) =>
        new(PacketChoices.Mix(_identity + (kind << 62) + (position * 0xDA94_2042_E4DD_58B5)));
}

/// <summary>
/// The flows of a link and how far they have come, so that a packet's fate depends on the seed and its place in its flow, and not on
/// the order in which flows mix. A flow is known by where its first packet went, from which address, and its number among the flows
/// that did the same: not by the port it came from, which the kernel draws at random.
/// </summary>
internal sealed class ImpairmentFlows
{
    private const int Ways = 4;
    private const int CountersOfOpenings = 4096;

    [StructLayout(LayoutKind.Auto)]
    private struct Flow
    {
        public ulong Key;
        public long LastUsed;
        public FlowHalf Outbound;
        public FlowHalf Inbound;
    }

    private readonly SipKey _key;
    private readonly Flow[] _flows;
    private readonly uint[] _openings = new uint[CountersOfOpenings];
    private long _uses;

    public ImpairmentFlows(ulong seed, int flowsMax)
    {
        _key = new SipKey(PacketChoices.Mix(seed + 1), PacketChoices.Mix(seed ^ 0x9E37_79B9_7F4A_7C15));
        _flows = new Flow[Math.Max(1, (flowsMax + Ways - 1) / Ways) * Ways];
    }

    /// <summary>Flows that were forgotten because others took their places; a packet of theirs begins a new one.</summary>
    public long Evictions { get; private set; }

    /// <summary>The half of a flow that a packet belongs to; makes the flow where it is new.</summary>
    public ref FlowHalf Find(in PacketFlow packet, bool isInbound)
    {
        // Never 0, which marks a free place.
        ulong key = (SipHash.HashFlow(_key, packet.Near, packet.Far, packet.NearPort, packet.FarPort) ^ (ulong)packet.Protocol) | 1;
        Span<Flow> set = _flows.AsSpan((int)((key >> 8) % (ulong)(_flows.Length / Ways)) * Ways, Ways);
        int oldest = 0;
        for (int i = 0; i < Ways; i++)
        {
            ref Flow flow = ref set[i];
            if (flow.Key == key)
            {
                flow.LastUsed = ++_uses;
                ref FlowHalf half = ref isInbound ? ref flow.Inbound : ref flow.Outbound;
                if (packet.IsOpening && half.IsOtherOpening(packet))
                {
                    Open(ref flow, key, packet, isInbound);
                }

                return ref half;
            }

            oldest = flow.LastUsed < set[oldest].LastUsed ? i : oldest;
        }

        Evictions += set[oldest].Key != 0 ? 1 : 0;
        Open(ref set[oldest], key, packet, isInbound);
        return ref isInbound ? ref set[oldest].Inbound : ref set[oldest].Outbound;
    }

    private void Open(ref Flow flow, ulong key, in PacketFlow packet, bool isInbound)
    {
        IpAddress from = isInbound ? packet.Far : packet.Near;
        IpAddress to = isInbound ? packet.Near : packet.Far;
        ushort port = isInbound ? packet.NearPort : packet.FarPort;
        ulong named = SipHash.HashFlow(_key, from, to, (ushort)packet.Protocol, port);
        ulong identity = PacketChoices.Mix(named + ++_openings[named % CountersOfOpenings]);
        flow = new Flow
        {
            Key = key,
            LastUsed = ++_uses,
            Outbound = new FlowHalf(identity),
            Inbound = new FlowHalf(PacketChoices.Mix(identity)),
        };
    }
}
