using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>The Internet checksum over a header, a full-sized segment and a super-segment.</summary>
public class ChecksumBenchmarks
{
    private byte[] _bytes = [];
    private byte[] _copy = [];

    /// <summary>Bytes summed.</summary>
    [Params(20, 1460, 65536)]
    public int Length { get; set; }

    /// <summary>Fills the buffer.</summary>
    [GlobalSetup]
    public void Setup()
    {
        _bytes = new byte[Length];
        _copy = new byte[Length];
        RandomSource random = new(1);
        for (int i = 0; i < Length; i++)
        {
            _bytes[i] = (byte)random.NextUInt32();
        }
    }

    /// <summary>Only the sum.</summary>
    [Benchmark]
    public ushort Compute() => InternetChecksum.Compute(_bytes);

    /// <summary>The sum on the way of a copy.</summary>
    [Benchmark]
    public ulong CopyAndAccumulate() => InternetChecksum.CopyAndAccumulate(0, _bytes, _copy);

    /// <summary>Only the copy, to compare.</summary>
    [Benchmark]
    public void Copy() => _bytes.AsSpan().CopyTo(_copy);
}
