using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>Reading and writing a TCP header with its options.</summary>
public class TcpHeaderBenchmarks
{
    private readonly byte[] _timestamps = new byte[32];
    private readonly byte[] _syn = new byte[40];
    private readonly byte[] _sack = new byte[20 + 12 + 28];
    private readonly byte[] _written = new byte[32];
    private uint _sequence;

    /// <summary>Makes the headers.</summary>
    [GlobalSetup]
    public void Setup()
    {
        TcpHeader.Write(_timestamps, 80, 40000, 1, 2, 32, TcpFlags.Ack, 1000);
        TcpOptions.WriteTimestamp(_timestamps.AsSpan(20), 1, 2);
        int length = TcpOptions.WriteSyn(_syn.AsSpan(20), 1460, 7, sackPermitted: true, timestamps: true, 1, 2);
        TcpHeader.Write(_syn, 80, 40000, 1, 0, 20 + length, TcpFlags.Syn, 1000);
        TcpHeader.Write(_sack, 80, 40000, 1, 2, 60, TcpFlags.Ack, 1000);
        TcpOptions.WriteTimestamp(_sack.AsSpan(20), 1, 2);
        TcpOptions.WriteSack(_sack.AsSpan(32), [new SackBlock(10, 20), new SackBlock(30, 40), new SackBlock(50, 60)]);
    }

    /// <summary>What nearly every segment carries.</summary>
    [Benchmark]
    public uint ParseTimestamps() => Parse(_timestamps);

    /// <summary>MSS, SACK permitted, timestamps, window scale.</summary>
    [Benchmark]
    public uint ParseSyn() => Parse(_syn);

    /// <summary>Timestamps and three SACK blocks.</summary>
    [Benchmark]
    public uint ParseSack() => Parse(_sack);

    /// <summary>A header with timestamps.</summary>
    [Benchmark]
    public int WriteTimestamps()
    {
        TcpHeader.Write(_written, 80, 40000, ++_sequence, 2, 32, TcpFlags.Ack, 1000);
        return TcpOptions.WriteTimestamp(_written.AsSpan(20), _sequence, 2);
    }

    private static uint Parse(byte[] bytes)
    {
        if (!TcpHeader.TryParse(bytes, out TcpHeader header) || !TcpOptions.Parse(header.OptionBytes, out TcpOptions options))
        {
            throw new InvalidOperationException("the header is not valid");
        }

        return header.Sequence + header.Acknowledgment + header.Window + (uint)header.Flags + options.TsVal + options.Mss;
    }
}
