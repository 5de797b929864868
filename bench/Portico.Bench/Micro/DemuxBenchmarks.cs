using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>From the addresses and ports of a segment to its connection: the hash, the table, and the comparison in the record.</summary>
public unsafe class DemuxBenchmarks
{
    private const int Lookups = 1024;

    // As large as a TCB, with the key in it.
    private struct Record
    {
        public IpAddress Local;
        public IpAddress Remote;
        public ushort LocalPort;
        public ushort RemotePort;
        public fixed byte Rest[476];
    }

    private readonly struct Matcher(Slab<Record> records, IpAddress local, IpAddress remote, ushort localPort, ushort remotePort)
        : IFlowMatcher
    {
        public bool Matches(uint value)
        {
            Record* record = records.At(value);
            return record->RemotePort == remotePort && record->LocalPort == localPort
                && record->Remote == remote && record->Local == local;
        }
    }

    private readonly FlowTable _table = new();
    private readonly Slab<Record> _records = new(1 << 20);
    private readonly (IpAddress Remote, ushort Port)[] _wanted = new (IpAddress, ushort)[1 << 16];
    private SipKey _key;
    private int _next;
    private uint _spare;

    /// <summary>Flows in the table.</summary>
    [Params(1_000, 1_000_000)]
    public int Flows { get; set; }

    /// <summary>Fills the table and draws the flows to look for.</summary>
    [GlobalSetup]
    public void Setup()
    {
        RandomSource random = new(1);
        _key = SipKey.From(random);
        for (int i = 0; i < Flows; i++)
        {
            Record* record = _records.Rent(out uint index);
            record->Local = IpAddress.FromIpv4(10, 0, 0, 1);
            record->Remote = Remote(i);
            record->LocalPort = 443;
            record->RemotePort = Port(i);
            _table.Add(Hash(record->Remote, record->RemotePort), index);
        }

        for (int i = 0; i < _wanted.Length; i++)
        {
            int flow = (int)random.NextBelow((uint)Flows);
            _wanted[i] = (Remote(flow), Port(flow));
        }

        _spare = (uint)Flows + 1;
    }

    /// <summary>Gives the memory back.</summary>
    [GlobalCleanup]
    public void Cleanup()
    {
        _table.Dispose();
        _records.Dispose();
    }

    /// <summary>Flows that exist, in random order.</summary>
    [Benchmark(OperationsPerInvoke = Lookups)]
    public uint Find()
    {
        uint sum = 0;
        for (int i = 0; i < Lookups; i++)
        {
            (IpAddress remote, ushort port) = _wanted[_next++ & (_wanted.Length - 1)];
            Matcher matcher = new(_records, IpAddress.FromIpv4(10, 0, 0, 1), remote, 443, port);
            sum += _table.Find(Hash(remote, port), ref matcher);
        }

        return sum;
    }

    /// <summary>Flows that do not exist.</summary>
    [Benchmark(OperationsPerInvoke = Lookups)]
    public uint FindNothing()
    {
        uint sum = 0;
        for (int i = 0; i < Lookups; i++)
        {
            (IpAddress remote, _) = _wanted[_next++ & (_wanted.Length - 1)];
            Matcher matcher = new(_records, IpAddress.FromIpv4(10, 0, 0, 1), remote, 443, 1);
            sum += _table.Find(Hash(remote, 1), ref matcher);
        }

        return sum;
    }

    /// <summary>A flow comes and goes.</summary>
    [Benchmark(OperationsPerInvoke = Lookups)]
    public bool AddAndRemove()
    {
        bool removed = true;
        for (int i = 0; i < Lookups; i++)
        {
            ulong hash = (ulong)_next++ * 0x9E3779B97F4A7C15;
            _table.Add(hash, _spare);
            removed &= _table.Remove(hash, _spare);
        }

        return removed;
    }

    private static IpAddress Remote(int i) => IpAddress.FromIpv4(0xC633_0000u + (uint)(i >> 4));

    private static ushort Port(int i) => (ushort)(40_000 + (i & 15));

    private ulong Hash(in IpAddress remote, ushort port) => SipHash.HashFlow(_key, IpAddress.FromIpv4(10, 0, 0, 1), remote, 443, port);
}
