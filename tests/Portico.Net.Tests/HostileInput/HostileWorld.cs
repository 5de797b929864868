namespace Portico.Net.Tests.HostileInput;

/// <summary>
/// A whole stack under attack, in virtual time: sockets of every kind, two links that the attacker is on, forwarding between them,
/// and a friend on a cable of its own with whom a legitimate connection goes on.
/// </summary>
public sealed class HostileWorld : IDisposable
{
    private readonly List<TcpHandle> _strangers = [];
    private readonly byte[] _buffer = new byte[32_768];
    private readonly UdpHandle[] _datagramSockets = new UdpHandle[3];
    private readonly RandomSource _random;
    private readonly HostileFrame _answer = new();
    private TcpListenerHandle _listener;

    public HostileWorld(HostileProtocol protocol, ulong seed)
    {
        _random = new RandomSource(seed ^ 0x5DEECE66D);
        Engine = new Engine(new EngineOptions { Seed = seed });
        Victim = new NetworkStack(Engine);
        Friend = new NetworkStack(Engine);

        // A router takes no advertisements, so neighbour discovery is attacked in a host.
        bool isRouter = protocol != HostileProtocol.Icmpv6;
        Victim.Ip.Options.ip_forward = true;
        Victim.Ip.Options.ip6_forward = isRouter;
        Ethernet = new HostileLink(Engine, LinkKind.Ethernet, 1500, LinkFeatures.None, HostileAddresses.VictimMac);
        Tunnel = new HostileLink(Engine, LinkKind.Ip, 1500, LinkFeatures.ChecksumOffload, default);
        AddInterface("eth0", Ethernet, HostileAddresses.Victim4, HostileAddresses.Victim6);
        AddInterface("tun0", Tunnel, HostileAddresses.VictimTunnel4, HostileAddresses.VictimTunnel6);
        Cable cable = new(Engine, new CableOptions { Mtu = 9000 });
        AddInterface("cable0", cable.A, HostileAddresses.VictimFriend4, HostileAddresses.VictimFriend6);
        NetworkInterface friend = Friend.AddInterface("cable0", cable.B);
        friend.AddAddress(new IpPrefix(HostileAddresses.Friend4, 24));
        friend.AddAddress(new IpPrefix(HostileAddresses.Friend6, 64));
        if (protocol == HostileProtocol.Forwarded)
        {
            Victim.Interfaces[2].AcceptsAnyAddress = true;
            Forwarder = new HostileForwarder(this, _random);
            Victim.Tcp.Forwarder = Forwarder;
            Victim.Udp.Forwarder = Forwarder;
        }

        OpenSockets();
        RunFor(Duration.FromSeconds(5));
        Connections = new ScriptedConnections(this, _random);
        Tunnel.Listener = Connections;
        Accounting = new HostileAccounting(this);
    }

    public Engine Engine { get; }

    public NetworkStack Victim { get; }

    public NetworkStack Friend { get; }

    public HostileLink Ethernet { get; }

    public HostileLink Tunnel { get; }

    /// <summary>Takes what is for nobody; null where nobody does.</summary>
    public HostileForwarder? Forwarder { get; }

    public ScriptedConnections Connections { get; }

    public HostileAccounting Accounting { get; }

    /// <summary>Packets that the victim has sent to the attacker.</summary>
    public long Sent => Ethernet.Sent + Tunnel.Sent;

    /// <summary>Puts a packet on its link and lets the stack work until it is quiet.</summary>
    public void Deliver(HostileFrame frame, int linearBytes)
    {
        (frame.Entry == HostileEntry.Ethernet ? Ethernet : Tunnel).Inject(frame.Bytes, linearBytes);
        Engine.RunPending(int.MaxValue);
    }

    /// <summary>Lets what is under way within this moment come to rest.</summary>
    public void Settle() => Engine.RunPending(int.MaxValue);

    /// <summary>Lets virtual time pass, event by event.</summary>
    public void RunFor(Duration duration)
    {
        MonoTime end = Engine.Now + duration;
        for (MonoTime next = Engine.NextDeadline; next <= end; next = Engine.NextDeadline)
        {
            Engine.Advance(next);
            Engine.DispatchReady();
        }

        Engine.Advance(end);
    }

    /// <summary>What the victim's applications do now and then: accept, read, write, close.</summary>
    public void Serve()
    {
        AcceptAll();
        DecideForwards();
        Connections.ReadAtVictim(_buffer);
        for (int i = 0; i < 4; i++)
        {
            Connections.SendFromVictim(_buffer);
        }

        foreach (UdpHandle socket in _datagramSockets)
        {
            while (Victim.Udp.Receive(socket, _buffer, out _, out _) == Errno.None)
            {
            }

            Victim.Udp.TakeError(socket);
        }

        AnswerNeighbour();
        if (_strangers.Count > 8)
        {
            CloseStrangers();
        }

        Engine.DispatchReady();
        Settle();
    }

    public void AcceptAll()
    {
        while (Victim.Tcp.Accept(_listener, null, out TcpHandle handle) == Errno.None)
        {
            Keep(handle);
        }
    }

    /// <summary>The forwarder makes up its mind about what waits for it.</summary>
    public void DecideForwards()
    {
        Forwarder?.Decide();
        Settle();
    }

    /// <summary>An application has a new connection: one of the scripted ones, or a stranger's.</summary>
    public void Keep(TcpHandle handle)
    {
        if (!Connections.TryClaim(handle))
        {
            _strangers.Add(handle);
        }
    }

    /// <summary>The applications close what the attacker opened.</summary>
    public void CloseStrangers()
    {
        foreach (TcpHandle stranger in _strangers)
        {
            Victim.Tcp.Close(stranger);
        }

        _strangers.Clear();
    }

    /// <summary>Moves bytes in both directions between victim and friend on a connection, and compares them.</summary>
    public bool TryMoveData(LegitimateConnection connection, int bytes) => connection.TryMove(bytes, _random, RunFor);

    public void Dispose() => Engine.Dispose();

    /// <summary>The attacker resolves its own address honestly, so that the victim's answers get as far as the link.</summary>
    private void AnswerNeighbour()
    {
        IpAddress asked = Ethernet.Asked;
        if (asked.IsUnspecified)
        {
            return;
        }

        Ethernet.Asked = default;
        HostileFrame frame = _answer;
        frame.Begin(HostileEntry.Ethernet);
        if (asked.IsIpv4)
        {
            EthernetHeader.Write(frame.Add(14), HostileAddresses.VictimMac, HostileAddresses.AttackerMac, EtherType.Arp);
            MacAddress attacker = HostileAddresses.AttackerMac, victim = HostileAddresses.VictimMac;
            ArpPacket.Write(frame.Add(28), ArpOperation.Reply, attacker, asked, victim, HostileAddresses.Victim4);
        }
        else
        {
            EthernetHeader.Write(frame.Add(14), HostileAddresses.VictimMac, HostileAddresses.AttackerMac, EtherType.Ipv6);
            frame.NetworkOffset = 14;
            Ipv6Header.Write(frame.Add(40), 32, IpProtocol.Icmpv6, 255, asked, HostileAddresses.Victim6);
            NeighbourAdvertisement.Write(frame.Add(24), asked, false, true, true);
            NdOption.WriteLinkAddress(frame.Add(8), NdOptionKind.TargetLinkLayerAddress, HostileAddresses.AttackerMac);
            PacketBuilder.FinishIp(frame);
        }

        Deliver(frame, int.MaxValue);
    }

    private void AddInterface(string name, ILink link, IpAddress ipv4, IpAddress ipv6)
    {
        NetworkInterface added = Victim.AddInterface(name, link);
        Engine.AddLink(link);
        added.AddAddress(new IpPrefix(ipv4, 24));
        added.AddAddress(new IpPrefix(ipv6, 64));
    }

    private void OpenSockets()
    {
        Check(Victim.Tcp.Listen(new TcpListenRequest { Local = new Endpoint(IpAddress.AnyIpv6, 80), Backlog = 64 }, null, out _listener));
        for (int i = 0; i < _datagramSockets.Length; i++)
        {
            Check(Victim.Udp.Open(new UdpOpenRequest { IsIpv6 = i != 0 }, null, out _datagramSockets[i]));
            IpAddress any = i == 0 ? IpAddress.AnyIpv4 : IpAddress.AnyIpv6;
            Check(Victim.Udp.Bind(_datagramSockets[i], new Endpoint(any, (ushort)(5000 + i))));
        }

        Check(Victim.Udp.Connect(_datagramSockets[2], new Endpoint(HostileAddresses.AttackerTunnel6, 7000)));
        Check(Victim.Udp.JoinGroup(_datagramSockets[0], HostileAddresses.Group4, 2));
        Check(Victim.Udp.JoinGroup(_datagramSockets[1], HostileAddresses.Group6, 2));
    }

    internal static void Check(Errno result)
    {
        if (result != Errno.None)
        {
            throw new InvalidOperationException($"setting up the world failed: {result}");
        }
    }
}
