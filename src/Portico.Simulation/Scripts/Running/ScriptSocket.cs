using Portico.Net;

namespace Portico.Simulation.Scripts;

/// <summary>How far a socket has come, as the script's lines show it.</summary>
internal enum ScriptSocketState
{
    New,
    Listening,

    /// <summary>A SYN for it has been sent by the script.</summary>
    PassiveSynReceived,
    PassiveSynAckSent,
    PassiveEstablished,
    Connecting,
    ActiveSynSent,
    ActiveEstablished,
}

/// <summary>A socket or a connection of the script, and how the script's numbers stand to those of the stack.</summary>
internal sealed class ScriptSocket
{
    private readonly Dictionary<uint, uint> _timestamps = [];
    private (uint Script, uint Live)? _firstTimestamp;
    private (uint Script, uint Live)? _flowLabel;

    public ScriptSocketState State { get; set; }

    /// <summary>IPPROTO_TCP, IPPROTO_UDP, ...; what a socket(2) that was given 0 stands for.</summary>
    public IpProtocol Protocol { get; init; } = IpProtocol.Tcp;

    /// <summary>The script's number; -1 for a connection that has not been accepted.</summary>
    public int ScriptFd { get; set; } = -1;

    /// <summary>The process's number.</summary>
    public int Fd { get; set; } = -1;

    public bool IsClosed { get; set; }

    public Endpoint Local { get; set; }

    public Endpoint Remote { get; set; }

    /// <summary>The initial sequence number of the stack's own end, as the script has it and as it is.</summary>
    public uint ScriptLocalIsn { get; set; }

    public uint LocalIsn { get; set; }

    /// <summary>The initial sequence number of the script's end, which is what the script says.</summary>
    public uint RemoteIsn { get; set; }

    public bool IsSentBy(ScriptPacket packet) =>
        packet.Source == Local.Address && packet.Destination == Remote.Address
        && (packet.IsIcmp ? Protocol is IpProtocol.Icmp or IpProtocol.Icmpv6 : packet.SourcePort == Local.Port && packet.DestinationPort == Remote.Port);

    /// <summary>What is added to the script's numbers of the stack's own end to have the real ones.</summary>
    public uint LocalOffset(bool isSyn) => isSyn ? LocalIsn - ScriptLocalIsn : LocalIsn;

    /// <summary>Likewise for the script's end.</summary>
    public uint RemoteOffset(bool isSyn) => isSyn ? 0 : RemoteIsn;

    /// <summary>Turns a packet of the stack into the script's numbers.</summary>
    public void ToScript(ScriptPacket packet)
    {
        if (!packet.IsTcp)
        {
            return;
        }

        bool isSyn = packet.Has(TcpFlagBits.Syn);
        packet.Sequence -= LocalOffset(isSyn);
        if (packet.Has(TcpFlagBits.Ack))
        {
            packet.Acknowledgment -= RemoteOffset(isSyn);
        }

        packet.ShiftSackBlocks(0u - RemoteOffset(isSyn));
    }

    /// <summary>Turns a packet of the script into the stack's numbers. False where a timestamp is echoed that has not been sent.</summary>
    public bool ToStack(ScriptPacket packet, bool scalesEchoes)
    {
        bool isSyn = packet.Has(TcpFlagBits.Syn);
        packet.Sequence += RemoteOffset(isSyn);
        if (packet.Has(TcpFlagBits.Ack))
        {
            packet.Acknowledgment += LocalOffset(isSyn);
        }

        packet.ShiftSackBlocks(LocalOffset(isSyn));
        if (!packet.Has(TcpFlagBits.Ack) || packet.Timestamps is not { } timestamps)
        {
            return true;
        }

        if (_timestamps.TryGetValue(timestamps.Echo, out uint live))
        {
            packet.Timestamps = (timestamps.Value, live);
            return true;
        }

        if (!scalesEchoes || _firstTimestamp is not { } first)
        {
            return false;
        }

        packet.Timestamps = (timestamps.Value, timestamps.Echo - first.Script + first.Live);
        return true;
    }

    /// <summary>Remembers that the script's timestamp stands for the stack's, and turns the stack's into the script's.</summary>
    public void MapTimestamps(ScriptPacket expected, ScriptPacket actual)
    {
        if (expected.Timestamps is not { } script || actual.Timestamps is not { } live)
        {
            return;
        }

        _timestamps[script.Value] = live.Value;
        _firstTimestamp ??= (script.Value, live.Value);
        actual.Timestamps = (_firstTimestamp.Value.Script + (live.Value - _firstTimestamp.Value.Live), live.Echo);
    }

    /// <summary>What is wrong with a flow label: those that the script has as the same have to be the same, others others.</summary>
    public string? CheckFlowLabel(uint expected, uint actual)
    {
        if (expected == 0)
        {
            return null;
        }

        if (actual == 0)
        {
            return "it has no flow label";
        }

        (uint Script, uint Live)? before = _flowLabel;
        bool changes = before == null || before.Value.Script != expected;
        if (changes && before?.Live == actual)
        {
            return "it has the same flow label as before";
        }

        if (!changes && before!.Value.Live != actual)
        {
            return "it has another flow label than before";
        }

        _flowLabel = (expected, actual);
        return null;
    }
}
