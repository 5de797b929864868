using System.Buffers.Binary;
using Portico.Net.Tests.Ip;

namespace Portico.Net.Tests.Multicast;

/// <summary>A stack at 10.0.0.1/24, fe80::1/64 and 2001:db8::1/64 whose link the test plays, and the querier on that link.</summary>
public abstract class MulticastFixture : IDisposable
{
    private protected static readonly IpAddress Group4 = IpAddress.Parse("239.1.2.3");
    private protected static readonly IpAddress Group6 = IpAddress.Parse("ff05::5");
    private protected static readonly IpAddress[] Sources = [.. Enumerable.Range(1, 9).Select(i => IpAddress.FromIpv4(10, 1, 0, (byte)i))];
    private protected readonly Engine Engine = new(new EngineOptions { Seed = 5 });
    private protected readonly NetworkStack Stack;
    private protected readonly RecordingLink Link;
    private protected readonly NetworkInterface Interface;

    protected MulticastFixture()
    {
        Stack = new NetworkStack(Engine);
        Link = new RecordingLink(Engine);
        Interface = Stack.AddInterface("eth0", Link);
        Interface.AddAddress(IpPrefix.Parse("10.0.0.1/24"));
        Interface.AddAddress(IpPrefix.Parse("fe80::1/64"));
        Interface.AddAddress(IpPrefix.Parse("2001:db8::1/64"));
    }

    private protected MulticastMembership Membership => Interface.Multicast;

    public void Dispose()
    {
        Assert.Equal(0, Engine.Packets.Outstanding);
        Engine.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected void AdvanceBy(Duration time)
    {
        MonoTime until = Engine.Now + time;
        while (Engine.NextDeadline <= until)
        {
            Engine.Advance(Engine.NextDeadline);
        }

        Engine.Advance(until);
    }

    private protected void AdvanceSeconds(int seconds) => AdvanceBy(Duration.FromSeconds(seconds));

    /// <summary>What was sent since the last call, as text: "to 224.0.0.22 v3 TO_EX 239.1.2.3 {...}" and so on.</summary>
    private protected string[] Take() => [.. Link.TakeAll().Select(Describe)];

    private protected string TakeOne() => Assert.Single(Take());

    private protected static string Describe(byte[] packet)
    {
        bool isIpv4 = packet[0] >> 4 == 4;
        int headerLength = isIpv4 ? 24 : 48;
        IpAddress destination = isIpv4 ? IpAddress.ReadIpv4(packet.AsSpan(16)) : IpAddress.ReadIpv6(packet.AsSpan(24));
        IpAddress source = isIpv4 ? IpAddress.ReadIpv4(packet.AsSpan(12)) : IpAddress.ReadIpv6(packet.AsSpan(8));
        byte[] message = packet[headerLength..];
        ulong sum = isIpv4 ? 0 : InternetChecksum.PseudoHeader(source, destination, IpProtocol.Icmpv6, message.Length);
        Assert.Equal(0, InternetChecksum.Finish(InternetChecksum.Accumulate(sum, message)));
        Assert.Equal(1, packet[isIpv4 ? 8 : 7]);
        string text = $"to {destination}";
        switch (message[0])
        {
            case IgmpType.MembershipReportV1:
                return $"{text} v1 report {IpAddress.ReadIpv4(message.AsSpan(4))}";
            case IgmpType.MembershipReportV2:
                return $"{text} v2 report {IpAddress.ReadIpv4(message.AsSpan(4))}";
            case IgmpType.LeaveGroup:
                return $"{text} leave {IpAddress.ReadIpv4(message.AsSpan(4))}";
            case Icmpv6Type.MulticastListenerReport:
                return $"{text} v1 report {IpAddress.ReadIpv6(message.AsSpan(8))}";
            case Icmpv6Type.MulticastListenerDone:
                return $"{text} done {IpAddress.ReadIpv6(message.AsSpan(8))}";
        }

        int count = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(6));
        Span<byte> rest = message.AsSpan(8);
        for (int i = 0; i < count; i++)
        {
            Assert.True(MulticastReport.TryReadRecord(
                rest, isIpv4, out MulticastRecordType type, out IpAddress group, out int sources, out int length));
            text += $" {type} {group}";
            for (int j = 0; j < sources; j++)
            {
                text += $" {(isIpv4 ? IpAddress.ReadIpv4(rest[(8 + (j * 4))..]) : IpAddress.ReadIpv6(rest[(20 + (j * 16))..]))}";
            }

            rest = rest[length..];
        }

        Assert.Equal(0, rest.Length);
        return text;
    }

    private protected void Query4(byte code, string group = "0.0.0.0", IpAddress[]? sources = null, int version = 3, byte ttl = 1)
    {
        byte[] message = new byte[12 + (4 * (sources?.Length ?? 0))];
        MulticastQuery.WriteIgmp(message, code, IpAddress.Parse(group), sources);
        if (version < 3)
        {
            message = message[..8];
            IcmpHeader.WriteChecksum(message);
        }

        IpAddress to = group == "0.0.0.0" ? IpAddress.Parse("224.0.0.1") : IpAddress.Parse(group);
        InjectIgmp(message, "10.0.0.254", to, ttl);
    }

    private protected void InjectIgmp(byte[] message, string source, IpAddress destination, byte ttl = 1)
    {
        byte[] packet = new byte[20 + message.Length];
        Ipv4Header.Write(packet, packet.Length, 0, 0, ttl, IpProtocol.Igmp, IpAddress.Parse(source), destination);
        message.CopyTo(packet, 20);
        Link.Inject(packet);
    }

    private protected void Query6(ushort code, string group = "::", int version = 2, string source = "fe80::fe")
    {
        byte[] message = new byte[28];
        MulticastQuery.WriteMld(message, code, IpAddress.Parse(group));
        message = version == 1 ? message[..24] : message;
        InjectMld(message, source, group == "::" ? IpAddress.Parse("ff02::1") : IpAddress.Parse(group));
    }

    private protected void InjectMld(byte[] message, string source, IpAddress destination)
    {
        // Handed over as ICMPv6 does, whatever carried it.
        Packet packet = Engine.Packets.RentLinear(message.Length)!;
        message.CopyTo(packet.Append(message.Length));
        IpInfo info = new()
        {
            Source = IpAddress.Parse(source),
            Destination = destination,
            Interface = Interface,
            Protocol = IpProtocol.Icmpv6,
            HopLimit = 1,
        };
        MulticastMembership.HandleMld(packet, info);
    }
}
