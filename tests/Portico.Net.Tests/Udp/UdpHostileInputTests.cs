namespace Portico.Net.Tests.Udp;

public sealed class UdpHostileInputTests : UdpFixture
{
    [Theory]
    [InlineData("10.0.0.2:5", "10.0.0.1:9")]
    [InlineData("10.0.0.2:5", "239.1.2.3:9")]
    [InlineData("[2001:db8::2]:5", "[2001:db8::1]:9")]
    public void Mutated_datagrams_do_no_harm_and_leave_nothing_behind(string source, string destination)
    {
        UdpHandle socket = Bound("[::]:9", "6r");
        UdpHandle other = Bound("[::]:9", "6r");
        IpAddress group = IpAddress.Parse("239.1.2.3");
        Assert.Equal(Errno.None, Udp.JoinGroup(socket, group, Interface.Index));
        Assert.Equal(Errno.None, Udp.JoinGroup(other, group, Interface.Index));
        byte[] buffer = new byte[2000];
        byte[] good = Datagram(Endpoint.Parse(source), Endpoint.Parse(destination), new byte[40]);
        RandomSource random = new(77);
        for (int i = 0; i < 50_000; i++)
        {
            byte[] mutated = [.. good];
            for (uint changes = 1 + random.NextBelow(3); changes > 0; changes--)
            {
                mutated[random.NextBelow((uint)mutated.Length)] = (byte)random.NextUInt32();
            }

            int length = random.NextChance(0.2) ? (int)random.NextBelow((uint)mutated.Length) : mutated.Length;
            if (i % 2 == 0 && good[0] >> 4 == 4)
            {
                // With a right header checksum, so that the mutation gets further.
                Ipv4Header.WriteChecksum(mutated, 20);
            }

            Link.Inject(mutated.AsSpan(0, length));
            Link.Sent.Clear();
            while (Udp.Receive(socket, buffer, out _, out _) == Errno.None || Udp.Receive(other, buffer, out _, out _) == Errno.None)
            {
            }
        }

        Engine.Advance(Engine.Now + Duration.FromSeconds(120));
        Assert.Equal(0, Engine.Packets.Outstanding);
        Link.Inject(good);
        Assert.True(TryReceive(other) || TryReceive(socket));
    }
}
