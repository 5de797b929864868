using Portico.Net;

namespace Portico.Simulation.Scripts;

// Packets: those that the script sends, and those that it expects.
internal sealed partial class ScriptRun
{
    private const int PacketBytesMax = 65_536;

    /// <summary>How long a packet is waited for that does not come, in microseconds behind the time at which it should have.</summary>
    private const long PatienceUsecs = 2_000_000;

    /// <summary>The same where it may come at any time.</summary>
    private const long AnyTimeUsecs = 86_400_000_000;

    private readonly byte[] _buffer = new byte[PacketBytesMax];
    private int _connections;

    private void Run(PacketEvent packet)
    {
        ScriptSocket socket = FindSocketFor(packet);
        if (packet.Packet.IsInbound)
        {
            WaitForEvent();
            Send(packet, socket);
        }
        else
        {
            Expect(packet, socket);
        }
    }

    /// <summary>The connection that the packet is about: a SYN to a listener makes a new one.</summary>
    private ScriptSocket FindSocketFor(PacketEvent packet)
    {
        ScriptSocket? socket = _underTest;
        if (packet.Packet is TcpTemplate tcp)
        {
            bool isInbound = tcp.IsInbound;
            if (isInbound && (socket == null || socket.State == ScriptSocketState.Listening))
            {
                return AddIncoming(tcp);
            }

            if (!isInbound && (tcp.Flags & (TcpFlagBits.Syn | TcpFlagBits.Ack)) == TcpFlagBits.Syn && socket is { State: ScriptSocketState.Connecting })
            {
                socket.State = ScriptSocketState.ActiveSynSent;
                socket.ScriptLocalIsn = tcp.Sequence;
                return socket;
            }
        }

        bool fits = packet.Packet switch
        {
            TcpTemplate other => socket?.Protocol == IpProtocol.Tcp || other.SourcePort != 0 || other.DestinationPort != 0,
            UdpTemplate other => socket?.Protocol == IpProtocol.Udp || other.SourcePort != 0 || other.DestinationPort != 0,
            _ => true,
        };
        return fits && socket != null ? socket : throw new ScriptFailure(packet.Position, "there is no socket that the packet could be of");
    }

    private ScriptSocket AddIncoming(TcpTemplate syn)
    {
        ScriptSocket socket = new()
        {
            State = ScriptSocketState.PassiveSynReceived,
            RemoteIsn = syn.Sequence,
            Local = new Endpoint(Configuration.Local, ScriptConfiguration.BindPort),
            Remote = new Endpoint(Configuration.Remote, (ushort)(ScriptConfiguration.FirstRemotePort + _connections++)),
        };
        _sockets.Insert(0, socket);
        return _underTest = socket;
    }

    private void Send(PacketEvent packet, ScriptSocket socket)
    {
        if (packet.Packet is TcpTemplate tcp && (tcp.Flags & TcpFlagBits.Ack) != 0)
        {
            if (socket.State == ScriptSocketState.PassiveSynAckSent)
            {
                socket.State = ScriptSocketState.PassiveEstablished;
            }
            else if (socket.State == ScriptSocketState.ActiveSynSent && (tcp.Flags & TcpFlagBits.Syn) != 0)
            {
                socket.State = ScriptSocketState.ActiveEstablished;
                socket.RemoteIsn = tcp.Sequence;
            }
        }

        ScriptPacket sent = PacketTemplates.Make(_script.Path, packet.Packet, Configuration.IsIpv6);
        sent.Source = socket.Remote.Address;
        sent.Destination = socket.Local.Address;
        Trace($"<      {PacketText.Show(sent)}");
        sent.SourcePort = sent.SourcePort == 0 ? socket.Remote.Port : sent.SourcePort;
        sent.DestinationPort = sent.DestinationPort == 0 ? socket.Local.Port : sent.DestinationPort;
        if (packet.Packet is IcmpTemplate icmp)
        {
            sent.Payload = PacketTemplates.Quote(icmp, socket, Configuration.IsIpv6);
        }
        else if (sent.IsTcp && !socket.ToStack(sent, Configuration.ScalesTimestampEchoes))
        {
            throw new ScriptFailure(packet.Position, $"it echoes the timestamp {sent.Timestamps!.Value.Echo}, which the script has in no packet before");
        }

        byte[] bytes = PacketWriter.Write(sent);
        Count(bytes, Clock.Time.Now);
        int segmentBytes = sent.IsTcp && Configuration.SegmentBytes > 0 && sent.Payload.Length > Configuration.SegmentBytes ? Configuration.SegmentBytes : 0;
        if (!_device.Inject(bytes, segmentBytes))
        {
            throw new ScriptFailure(packet.Position, "the engine has no memory left for the packet");
        }
    }

    /// <summary>Takes packets of the connection until they have the length of the script's, and compares.</summary>
    private void Expect(PacketEvent packet, ScriptSocket socket)
    {
        ScriptPacket expected = PacketTemplates.Make(_script.Path, packet.Packet, Configuration.IsIpv6);
        bool isSynAck = packet.Packet is TcpTemplate { Flags: var flags } && (flags & (TcpFlagBits.Syn | TcpFlagBits.Ack)) == (TcpFlagBits.Syn | TcpFlagBits.Ack);
        bool opens = socket.State == ScriptSocketState.PassiveSynReceived && isSynAck;
        if (opens)
        {
            socket.ScriptLocalIsn = expected.Sequence;
        }

        ScriptPacket? whole = null;
        ScriptPacket? before = null;
        int length = 0;
        do
        {
            ScriptPacket part = TakePacket(packet, expected, whole);
            if (opens)
            {
                opens = false;
                socket.State = ScriptSocketState.PassiveSynAckSent;
                socket.LocalIsn = part.Sequence;
            }

            socket.ToScript(part);
            if (whole != null && PacketCheck.CompareParts(before!, part, expected.Payload.Length - length) is { } reason)
            {
                throw Mismatch(packet, expected, part, reason);
            }

            length += part.Payload.Length;
            before = part;
            whole = whole == null ? part.Copy() : Join(whole, part);
        }
        while (length < expected.Payload.Length && !Configuration.StrictSegments);

        Compare(packet, socket, expected, whole, before);
    }

    private void Compare(PacketEvent packet, ScriptSocket socket, ScriptPacket expected, ScriptPacket whole, ScriptPacket last)
    {
        // Addresses and ports have been compared where the packet was found to be the connection's.
        expected.Source = whole.Source;
        expected.Destination = whole.Destination;
        if (whole.Payload.Length != expected.Payload.Length && packet.Packet is not IcmpTemplate)
        {
            throw Mismatch(packet, expected, whole, $"payload: expected {expected.Payload.Length} bytes, got {whole.Payload.Length}");
        }

        socket.MapTimestamps(expected, whole);
        string? problem = PacketCheck.Compare(packet.Packet, expected, whole, socket, Configuration, _eventStart)
            ?? Clock.Check(packet.Time, _eventStart, _eventEnd, last.Time, _lastTime, packet.Description);
        if (problem != null)
        {
            throw Mismatch(packet, expected, whole, problem);
        }
    }

    /// <summary>A segment and the one behind it as one that was not cut.</summary>
    private static ScriptPacket Join(ScriptPacket first, ScriptPacket next)
    {
        const TcpFlagBits OfLast = TcpFlagBits.Psh | TcpFlagBits.Fin;
        first.Flags = (first.Flags & ~OfLast) | (next.Flags & OfLast);
        first.Payload = [.. first.Payload, .. next.Payload];
        return first;
    }

    private ScriptFailure Mismatch(PacketEvent packet, ScriptPacket expected, ScriptPacket actual, string reason)
    {
        TcpTemplate? tcp = packet.Packet as TcpTemplate;
        string shown = PacketText.Show(expected, tcp?.Window != null, tcp?.Options != null);
        return new ScriptFailure(
            packet.Position, reason, $"{ClockText(_eventStart)}  > {shown}", $"{ClockText(actual.Time)}  > {PacketText.Show(actual)}");
    }

    private static string ClockText(long usecs) => (usecs / 1e6).ToString("0.000000", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>The next packet of the connection. Others are passed over, as packetdrill does.</summary>
    private ScriptPacket TakePacket(PacketEvent packet, ScriptPacket expected, ScriptPacket? whole)
    {
        long limit = packet.Time.Kind == TimeKind.Any ? Clock.Now + AnyTimeUsecs : Math.Max(_eventEnd, Clock.Now) + PatienceUsecs;
        while (Clock.WaitForPacket(limit, _thread))
        {
            ThrowFailureOfThread();
            if (!_device.TryTake(_buffer, out int length, out MonoTime stamp))
            {
                continue;
            }

            ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, length);
            Count(bytes, stamp);
            ScriptPacket taken = PacketReader.TryRead(bytes, out string problem) ?? throw new ScriptFailure(packet.Position, $"the packet that came is wrong: {problem}");
            taken.Time = Clock.ToScript(stamp);
            if (Recognize(taken))
            {
                return taken;
            }
        }

        ThrowFailureOfThread();
        TcpTemplate? tcp = packet.Packet as TcpTemplate;
        string shown = PacketText.Show(expected, tcp?.Window != null, tcp?.Options != null);
        throw new ScriptFailure(
            packet.Position,
            whole == null ? "no packet came" : $"no packet came with the last {expected.Payload.Length - whole.Payload.Length} bytes",
            $"{ClockText(_eventStart)}  > {shown}",
            whole == null ? "nothing" : $"{ClockText(whole.Time)}  > {PacketText.Show(whole)}");
    }

    /// <summary>Counts and traces what the stack has sent and the script has not looked at.</summary>
    public void DrainPackets()
    {
        while (_device.TryTake(_buffer, out int length, out MonoTime stamp))
        {
            ReadOnlySpan<byte> bytes = _buffer.AsSpan(0, length);
            Count(bytes, stamp);
            if (PacketReader.TryRead(bytes, out _) is { } packet)
            {
                packet.Time = Clock.ToScript(stamp);
                Recognize(packet);
            }
        }
    }

    /// <summary>Whether the packet is of the connection that the script is about; traces it in the script's numbers where it is.</summary>
    private bool Recognize(ScriptPacket packet)
    {
        ScriptSocket? socket = _underTest;
        bool isOpening = socket is { State: ScriptSocketState.ActiveSynSent } && packet.IsTcp && packet.Has(TcpFlagBits.Syn) && !packet.Has(TcpFlagBits.Ack);
        bool isDatagram = socket is { State: ScriptSocketState.Connecting } && !packet.IsTcp && packet.Protocol == socket.Protocol;
        bool isNew = (isOpening || isDatagram) && packet.Destination == socket!.Remote.Address && (packet.IsIcmp || packet.DestinationPort == socket.Remote.Port);
        if (isNew && !socket!.IsSentBy(packet))
        {
            socket.Local = new Endpoint(packet.Source, packet.SourcePort);
            socket.LocalIsn = packet.Sequence;
        }

        bool isKnown = socket != null && socket.IsSentBy(packet);
        ScriptPacket shown = packet.Copy();
        if (isKnown && socket!.State != ScriptSocketState.PassiveSynReceived)
        {
            socket.ToScript(shown);
        }
        else if (isKnown)
        {
            shown.Sequence = socket!.ScriptLocalIsn;
            shown.Acknowledgment -= socket.RemoteOffset(isSyn: true);
        }

        string line = $"{(isKnown ? ">      " : ">other ")}{PacketText.Show(shown)}";
        Trace(packet.Time < Clock.Now ? $"{line}   (sent at {ClockText(packet.Time)})" : line);
        return isKnown;
    }

    private void Count(ReadOnlySpan<byte> bytes, MonoTime time)
    {
        PacketCount++;
        _digest.AppendData(BitConverter.GetBytes(time.Nanoseconds));
        _digest.AppendData(bytes);
    }
}
