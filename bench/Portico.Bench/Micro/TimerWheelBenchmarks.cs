using System.Runtime.InteropServices;
using BenchmarkDotNet.Attributes;
using Portico.Net;

namespace Portico.Bench.Micro;

/// <summary>Timers as a busy host has them: one per connection, re-armed with nearly every segment, fired rarely.</summary>
public unsafe class TimerWheelBenchmarks
{
    private const int Operations = 1024;
    private const long Rto = 200_000_000;

    private sealed class Handler(TimerWheel wheel) : ITimerHandler
    {
        public long Fired { get; private set; }

        public void OnTimer(TimerNode* node)
        {
            Fired++;
            wheel.Arm(node, new MonoTime(node->Deadline + Rto));
        }
    }

    // A timer lies in a record as large as a TCB.
    private const int Stride = 512;

    private TimerWheel _wheel = null!;
    private Handler _handler = null!;
    private byte* _records;
    private int[] _order = [];
    private long _now;
    private int _next;

    /// <summary>Timers armed.</summary>
    [Params(1_000, 1_000_000)]
    public int Timers { get; set; }

    /// <summary>Arms all timers within the next timeout.</summary>
    [GlobalSetup]
    public void Setup()
    {
        RandomSource random = new(1);
        _wheel = new TimerWheel();
        _handler = new Handler(_wheel);
        ushort handler = _wheel.Register(_handler);
        _records = (byte*)NativeMemory.AlignedAlloc((nuint)Timers * Stride, 4096);
        for (int i = 0; i < Timers; i++)
        {
            TimerWheel.Initialize(NodeOf(i), handler, 0);
            _wheel.Arm(NodeOf(i), new MonoTime(1 + random.NextBelow((uint)Rto)));
        }

        _order = new int[1 << 16];
        for (int i = 0; i < _order.Length; i++)
        {
            _order[i] = (int)random.NextBelow((uint)Timers);
        }
    }

    /// <summary>Gives the memory back.</summary>
    [GlobalCleanup]
    public void Cleanup() => NativeMemory.AlignedFree(_records);

    /// <summary>One connection's timer again and again.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public int RearmOne()
    {
        TimerNode* node = NodeOf(0);
        for (int i = 0; i < Operations; i++)
        {
            _wheel.Arm(node, new MonoTime(_now + Rto + ((long)i << 14)));
        }

        return _wheel.Count;
    }

    /// <summary>Timers of random connections, while time stands still.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public int RearmRandom()
    {
        for (int i = 0; i < Operations; i++)
        {
            int which = _order[_next++ & (_order.Length - 1)];
            _wheel.Arm(NodeOf(which), new MonoTime(_now + Rto + ((long)which << 7)));
        }

        return _wheel.Count;
    }

    /// <summary>Each timer fires and arms itself again, cascades included.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public long Fire()
    {
        long until = _handler.Fired + Operations;
        while (_handler.Fired < until)
        {
            _now = _wheel.NextDeadline.Nanoseconds;
            _wheel.Expire(new MonoTime(_now));
        }

        return _handler.Fired;
    }

    /// <summary>Asking when to wake up, and finding nothing to do.</summary>
    [Benchmark(OperationsPerInvoke = Operations)]
    public long Idle()
    {
        long sum = 0;
        for (int i = 0; i < Operations; i++)
        {
            sum += _wheel.NextDeadline.Nanoseconds;
            _wheel.Expire(new MonoTime(_now));
        }

        return sum;
    }

    private TimerNode* NodeOf(int i) => (TimerNode*)(_records + ((long)i * Stride));
}
