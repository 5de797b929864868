using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>What a packet on an Ethernet link pays for the link-layer address of its next hop.</summary>
public class NeighbourBenchmarks : IDisposable
{
    private readonly Engine _engine = new();
    private readonly NeighbourTable _table;
    private readonly IpAddress[] _addresses = new IpAddress[256];
    private int _next;

    public NeighbourBenchmarks()
    {
        Cable cable = new(_engine, new CableOptions { Kind = LinkKind.Ethernet });
        _table = new NetworkStack(_engine).AddInterface("eth0", cable.A).Neighbours!;
        for (int i = 0; i < _addresses.Length; i++)
        {
            _addresses[i] = new IpAddress(0x2001_0DB8_0000_0000, (uint)i + 1);
            _table.SetPermanent(_addresses[i], new MacAddress(0x0200_0000_0000UL + (uint)i));
        }
    }

    [Benchmark]
    public ulong Resolve_one_neighbour()
    {
        _table.TryResolve(_addresses[7], out MacAddress address);
        return address.Value;
    }

    [Benchmark]
    public ulong Resolve_256_neighbours_in_turn()
    {
        _table.TryResolve(_addresses[_next++ & 255], out MacAddress address);
        return address.Value;
    }

    public void Dispose()
    {
        _engine.Dispose();
        GC.SuppressFinalize(this);
    }
}
