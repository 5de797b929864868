namespace Portico.Net.Tests.HostileInput;

public class HostileInputTests
{
    [Theory]
    [InlineData(HostileProtocol.Ethernet)]
    [InlineData(HostileProtocol.Arp)]
    [InlineData(HostileProtocol.Ipv4)]
    [InlineData(HostileProtocol.Ipv6)]
    [InlineData(HostileProtocol.Fragments)]
    [InlineData(HostileProtocol.Icmp)]
    [InlineData(HostileProtocol.Icmpv6)]
    [InlineData(HostileProtocol.Multicast)]
    [InlineData(HostileProtocol.Udp)]
    [InlineData(HostileProtocol.Tcp)]
    [InlineData(HostileProtocol.Forwarded)]
    public void A_hundred_thousand_damaged_packets_leave_the_stack_as_it_was(HostileProtocol protocol)
    {
        HostileInputResult result = HostileInputRun.Run(protocol, 100_000, 7);
        Assert.True(result.Failures.Count == 0, string.Join("\n", result.Failures));
        Assert.InRange(result.Mutated, 80_000, 100_000);
        if (protocol is not HostileProtocol.Tcp and not HostileProtocol.Forwarded)
        {
            return;
        }

        foreach (TcpState state in Enum.GetValues<TcpState>().Where(s => s is not TcpState.Closed and not TcpState.Listen))
        {
            Assert.True(result.StatesReached[(int)state] > 0, $"no connection was in {state}");
        }
    }
}
