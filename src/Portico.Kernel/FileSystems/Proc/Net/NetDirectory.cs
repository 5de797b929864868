using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/PID/net: the sockets, interfaces, routes and counters of the process's network namespace.</summary>
internal sealed class NetDirectory(ProcFileSystem proc, NetworkStack stack) : ProcDirectory(proc)
{
    private protected override void Populate()
    {
        AddText("arp", InterfaceTexts.WriteNeighbours);
        AddText("dev", InterfaceTexts.WriteDevices);
        AddTable("icmp", static stack => new RawTableReader(stack, isIpv6: false, isEcho: true));
        AddTable("icmp6", static stack => new RawTableReader(stack, isIpv6: true, isEcho: true));
        AddText("if_inet6", InterfaceTexts.WriteAddresses);
        AddText("ipv6_route", RouteTexts.WriteIpv6);
        AddText("netstat", CounterTexts.WriteExtended);
        AddTable("packet", static stack => new PacketTableReader(stack));
        Add("protocols", new ProcTextFile(Proc, text => ProtocolTexts.Write(Kernel, stack, text)));
        AddTable("raw", static stack => new RawTableReader(stack, isIpv6: false, isEcho: false));
        AddTable("raw6", static stack => new RawTableReader(stack, isIpv6: true, isEcho: false));
        AddText("route", RouteTexts.WriteIpv4);
        AddText("snmp", CounterTexts.WriteIpv4);
        AddText("snmp6", CounterTexts.WriteIpv6);
        Add("sockstat", new ProcTextFile(Proc, text => SocketStatistics.WriteIpv4(Kernel, stack, text)));
        Add("sockstat6", new ProcTextFile(Proc, text => SocketStatistics.WriteIpv6(Kernel, stack, text)));
        AddTable("tcp", static stack => new TcpTableReader(stack, isIpv6: false));
        AddTable("tcp6", static stack => new TcpTableReader(stack, isIpv6: true));
        AddTable("udp", static stack => new UdpTableReader(stack, isIpv6: false));
        AddTable("udp6", static stack => new UdpTableReader(stack, isIpv6: true));
        AddTable("unix", stack => new UnixTableReader(Kernel.Unix, stack));
    }

    private void AddText(string name, Action<NetworkStack, ProcText> write) => Add(name, new ProcTextFile(Proc, text => write(stack, text)));

    private void AddTable(string name, Func<NetworkStack, ProcReader> make) => Add(name, new ProcTableFile(Proc, () => make(stack)));
}

/// <summary>A file of /proc with one record for each of something.</summary>
internal sealed class ProcTableFile(ProcFileSystem proc, Func<ProcReader> make) : ProcFile(proc, ProcFileSystem.ReadableByAll)
{
    private protected override Errno MakeReader(out ProcReader? reader)
    {
        reader = make();
        return Errno.None;
    }
}
