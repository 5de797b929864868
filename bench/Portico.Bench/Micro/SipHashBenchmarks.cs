using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>The keyed hash of a flow.</summary>
public class SipHashBenchmarks
{
    private readonly SipKey _key = new(1, 2);
    private readonly IpAddress _local = IpAddress.FromIpv4(10, 0, 0, 1);
    private readonly IpAddress _remote = IpAddress.FromIpv4(10, 0, 0, 2);
    private readonly IpAddress _local6 = new(0x20010DB8_00000000, 1);
    private readonly IpAddress _remote6 = new(0x20010DB8_00000000, 2);
    private readonly byte[] _bytes = new byte[64];
    private ushort _port;

    /// <summary>1-3, IPv4.</summary>
    [Benchmark]
    public ulong FlowIpv4() => SipHash.HashFlow(_key, _local, _remote, 80, _port++);

    /// <summary>1-3, IPv6.</summary>
    [Benchmark]
    public ulong FlowIpv6() => SipHash.HashFlow(_key, _local6, _remote6, 80, _port++);

    /// <summary>2-4, IPv4: sequence numbers and cookies.</summary>
    [Benchmark]
    public ulong Flow24Ipv4() => SipHash.HashFlow24(_key, _local, _remote, 80, _port++, 1);

    /// <summary>1-3 of 64 bytes.</summary>
    [Benchmark]
    public ulong Bytes64() => SipHash.Hash(_key, _bytes);
}
