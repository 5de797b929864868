using Portico.Net;

namespace Portico.Net.Tests.Tcp;

/// <summary>A segment as it stood on the wire.</summary>
internal sealed record Seg(TcpFlags Flags, uint Seq, uint Ack, ushort Window, byte[] Payload, TcpOptions Options, ushort SourcePort, ushort DestinationPort)
{
    /// <summary>The options as bytes.</summary>
    public byte[] OptionBytes { get; init; } = [];

    public bool Is(TcpFlags flags) => Flags == flags;

    public override string ToString() => $"{Flags} seq {Seq} ack {Ack} win {Window} len {Payload.Length}";
}

/// <summary>
/// One Portico stack, and on the other side of the cable a peer made by hand: it sends any segment and sees every answer.
/// </summary>
internal sealed class RawPeer : IDisposable, ILinkClient
{
    public const ushort StackPort = 80;
    public const ushort PeerPort = 5000;
    private readonly Cable _cable;

    public RawPeer(Action<TcpSettings>? configure = null, ulong seed = 7, int mtu = 1500)
    {
        Engine = new Engine(new EngineOptions { Seed = seed });
        _cable = new Cable(Engine, new CableOptions { Mtu = mtu, Features = LinkFeatures.None });
        _cable.A.Attach(this);
        Stack = new NetworkStack(Engine);
        StackAddress = IpAddress.Parse("10.0.0.2");
        PeerAddress = IpAddress.Parse("10.0.0.1");
        Stack.AddInterface("eth0", _cable.B).AddAddress(new IpPrefix(StackAddress, 24));
        configure?.Invoke(Stack.Tcp.Settings);
        Engine.Advance(new MonoTime(1_000_000_000));
    }

    public Engine Engine { get; }

    public NetworkStack Stack { get; }

    public IpAddress StackAddress { get; }

    public IpAddress PeerAddress { get; set; }

    /// <summary>What the stack has sent and nobody has looked at.</summary>
    public Queue<Seg> Received { get; } = new();

    public TcpHandle Handle { get; set; }

    /// <summary>The peer's SND.NXT and RCV.NXT.</summary>
    public uint Seq { get; set; } = 1000;

    public uint Ack { get; set; }

    public uint StackIss { get; private set; }

    public bool Timestamps { get; set; }

    public uint TsVal { get; set; } = 500;

    public uint TsEcr { get; set; }

    public TcpLayer Tcp => Stack.Tcp;

    public TcpState State
    {
        get
        {
            Tcp.GetInfo(Handle, out TcpInfo info);
            return info.State;
        }
    }

    public void HandleFrame(Packet packet)
    {
        byte[] bytes = new byte[packet.Length];
        packet.CopyTo(bytes);
        packet.Release();
        if (bytes[9] != 6)
        {
            return;
        }

        int ip = (bytes[0] & 15) * 4;
        Assert.True(TcpHeader.TryParse(bytes.AsSpan(ip), out TcpHeader header));
        TcpOptions.Parse(header.OptionBytes, out TcpOptions options);
        Received.Enqueue(new Seg(header.Flags, header.Sequence, header.Acknowledgment, header.Window, bytes[(ip + header.HeaderLength)..],
            options, header.SourcePort, header.DestinationPort) { OptionBytes = header.OptionBytes.ToArray() });
    }

    public void Inject(
        TcpFlags flags, uint seq, uint ack, ReadOnlySpan<byte> payload = default, ushort window = 65535, ReadOnlySpan<byte> options = default,
        ushort urgent = 0, ushort peerPort = PeerPort, ushort stackPort = StackPort)
    {
        Span<byte> allOptions = stackalloc byte[40];
        int optionBytes = options.Length;
        options.CopyTo(allOptions);
        if (Timestamps && optionBytes == 0)
        {
            optionBytes = TcpOptions.WriteTimestamp(allOptions, TsVal, TsEcr);
        }

        int headerLength = 20 + optionBytes;
        Packet packet = Engine.Packets.RentLinear(20 + headerLength + payload.Length)!;
        Span<byte> bytes = packet.Append(20 + headerLength + payload.Length);
        packet.NetworkOffset = packet.Start;
        packet.TransportOffset = packet.Start + 20;
        Ipv4Header.Write(bytes, bytes.Length, 1, 0x4000, 64, IpProtocol.Tcp, PeerAddress, StackAddress, 0);
        TcpHeader.Write(bytes[20..], peerPort, stackPort, seq, ack, headerLength, flags, window, urgent);
        allOptions[..optionBytes].CopyTo(bytes[40..]);
        payload.CopyTo(bytes[(20 + headerLength)..]);
        packet.Checksum = ChecksumState.Partial;
        ChecksumOffload.Complete(packet);
        packet.Checksum = ChecksumState.Unverified;
        _cable.A.Transmit(packet);
        Settle();
    }

    /// <summary>Data in order from the peer.</summary>
    public void Say(ReadOnlySpan<byte> payload, TcpFlags flags = TcpFlags.Ack | TcpFlags.Psh)
    {
        Inject(flags, Seq, Ack, payload);
        Seq += (uint)payload.Length + ((flags & TcpFlags.Fin) != 0 ? 1u : 0);
    }

    /// <summary>A router on the path reports that a segment of the stack was too large for it (RFC 1191).</summary>
    public void TooLarge(Seg segment, int mtu)
    {
        byte[] quoted = new byte[TcpHeader.LengthMin];
        TcpHeader.Write(quoted, segment.SourcePort, segment.DestinationPort, segment.Seq, segment.Ack, quoted.Length, segment.Flags, 0);
        Tcp.HandleIcmpError(new IcmpErrorInfo { LocalAddress = StackAddress, RemoteAddress = PeerAddress, Mtu = mtu, Error = Errno.EMSGSIZE }, quoted);
        Settle();
    }

    public void Settle()
    {
        Engine.Advance(Engine.Now);
        Engine.DispatchReady();
    }

    public void RunFor(Duration time)
    {
        MonoTime end = Engine.Now + time;
        while (Engine.NextDeadline <= end)
        {
            Engine.Advance(Engine.NextDeadline);
        }

        Engine.Advance(end);
    }

    /// <summary>When the stack next sends something, from now; fails if it does not within the limit.</summary>
    public Duration TimeToNextSegment(Duration limit)
    {
        MonoTime start = Engine.Now;
        while (Received.Count == 0)
        {
            Assert.True(Engine.NextDeadline <= start + limit, $"nothing was sent within {limit}");
            Engine.Advance(Engine.NextDeadline);
        }

        return Engine.Now - start;
    }

    public Seg Expect(TcpFlags flags)
    {
        Assert.True(Received.Count > 0, $"nothing was sent; {flags} was expected");
        Seg seg = Received.Dequeue();
        Assert.Equal(flags, seg.Flags);
        return seg;
    }

    public void ExpectSilence() => Assert.Empty(Received);

    public TcpListenerHandle Listen(int backlog = 16)
    {
        Assert.Equal(Errno.None, Tcp.Listen(new TcpListenRequest { Local = new Endpoint(StackAddress, StackPort), Backlog = backlog }, null, out TcpListenerHandle l));
        return l;
    }

    /// <summary>The three-way handshake, begun by the peer, with the options given.</summary>
    public void EstablishPassive(bool timestamps = false, bool sack = false, int windowScale = -1, ushort mss = 1460, ushort window = 65535)
    {
        TcpListenerHandle listener = Listen();
        Span<byte> options = stackalloc byte[40];
        int length = TcpOptions.WriteSyn(options, mss, windowScale, sack, timestamps, TsVal, 0);
        Inject(TcpFlags.Syn, Seq, 0, default, 65535, options[..length]);
        Seg synAck = Expect(TcpFlags.Syn | TcpFlags.Ack);
        Seq++;
        StackIss = synAck.Seq;
        Ack = synAck.Seq + 1;
        Timestamps = timestamps;
        TsEcr = synAck.Options.TsVal;
        Inject(TcpFlags.Ack, Seq, Ack, default, window);
        ExpectSilence();
        Assert.Equal(Errno.None, Tcp.Accept(listener, null, out TcpHandle handle));
        Handle = handle;
    }

    /// <summary>Brings the connection to a state, as a peer and an application would.</summary>
    public void GoTo(TcpState state)
    {
        if (state == TcpState.SynSent || state == TcpState.SynReceived)
        {
            Assert.Equal(Errno.None, Tcp.Open(new TcpOpenRequest { Local = new Endpoint(StackAddress, StackPort), Remote = new Endpoint(PeerAddress, PeerPort) }, null, out TcpHandle h));
            Handle = h;
            Settle();
            Seg syn = Expect(TcpFlags.Syn);
            StackIss = syn.Seq;
            Ack = syn.Seq + 1;
            if (state == TcpState.SynReceived)
            {
                Inject(TcpFlags.Syn, Seq, 0);
                Seq++;
                Expect(TcpFlags.Syn | TcpFlags.Ack);
            }

            Assert.Equal(state, State);
            return;
        }

        EstablishPassive();
        switch (state)
        {
            case TcpState.FinWait1 or TcpState.FinWait2 or TcpState.Closing or TcpState.TimeWait:
                Tcp.Shutdown(Handle, TcpShutdown.Send);
                Settle();
                Expect(TcpFlags.Fin | TcpFlags.Ack);
                if (state == TcpState.FinWait2)
                {
                    Ack++;
                    Inject(TcpFlags.Ack, Seq, Ack);
                }
                else if (state == TcpState.Closing)
                {
                    Inject(TcpFlags.Fin | TcpFlags.Ack, Seq, Ack);
                    Seq++;
                    Expect(TcpFlags.Ack);
                }
                else if (state == TcpState.TimeWait)
                {
                    Ack++;
                    Inject(TcpFlags.Fin | TcpFlags.Ack, Seq, Ack);
                    Seq++;
                    Expect(TcpFlags.Ack);
                    Assert.Equal(1, Tcp.TimeWaitCount);
                    return;
                }

                break;
            case TcpState.CloseWait or TcpState.LastAck:
                Inject(TcpFlags.Fin | TcpFlags.Ack, Seq, Ack);
                Seq++;
                Expect(TcpFlags.Ack);
                if (state == TcpState.LastAck)
                {
                    Tcp.Shutdown(Handle, TcpShutdown.Send);
                    Settle();
                    Expect(TcpFlags.Fin | TcpFlags.Ack);
                }

                break;
        }

        Assert.Equal(state, State);
    }

    public void Dispose() => Engine.Dispose();
}
