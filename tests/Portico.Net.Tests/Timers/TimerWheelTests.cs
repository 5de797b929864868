using System.Runtime.InteropServices;
using CsCheck;

namespace Portico.Net.Tests.Timers;

public unsafe class TimerWheelTests
{
    private const long Tick = 1L << TimerWheel.TickShift;

    private sealed class Harness : ITimerHandler, IDisposable
    {
        private readonly TimerNode* _nodes;
        private readonly int _count;

        public Harness(int count)
        {
            _count = count;
            _nodes = (TimerNode*)NativeMemory.Alloc((nuint)count, (nuint)sizeof(TimerNode));
            ushort handler = Wheel.Register(this);
            for (int i = 0; i < count; i++)
            {
                TimerWheel.Initialize(_nodes + i, handler, 3);
            }
        }

        public TimerWheel Wheel { get; } = new();

        public List<int> Fired { get; } = [];

        public Action<int>? OnFire { get; set; }

        public TimerNode* this[int i] => _nodes + i;

        public void Arm(int i, long deadline) => Wheel.Arm(_nodes + i, new MonoTime(deadline));

        public void Cancel(int i) => Wheel.Cancel(_nodes + i);

        public void Expire(long now) => Wheel.Expire(new MonoTime(now));

        public void OnTimer(TimerNode* node)
        {
            int i = (int)(node - _nodes);
            Assert.True(!node->IsArmed && node->Kind == 3 && i >= 0 && i < _count);
            Fired.Add(i);
            OnFire?.Invoke(i);
        }

        public void Dispose() => NativeMemory.Free(_nodes);
    }

    [Fact]
    public void A_timer_fires_at_the_first_tick_after_its_deadline_and_never_early()
    {
        using Harness h = new(1);
        h.Arm(0, Duration.FromMilliseconds(200).Nanoseconds);
        long tick = (200_000_000 + Tick - 1) / Tick * Tick;
        h.Expire(200_000_000);
        h.Expire(tick - 1);
        Assert.Empty(h.Fired);
        Assert.Equal(tick, h.Wheel.NextDeadline.Nanoseconds);
        h.Expire(tick);
        Assert.Equal([0], h.Fired);
        Assert.Equal(MonoTime.Never, h.Wheel.NextDeadline);
    }

    [Fact]
    public void A_deadline_on_a_tick_fires_in_that_tick()
    {
        using Harness h = new(1);
        h.Arm(0, 5 * Tick);
        h.Expire((5 * Tick) - 1);
        Assert.Empty(h.Fired);
        h.Expire(5 * Tick);
        Assert.Equal([0], h.Fired);
    }

    [Fact]
    public void A_deadline_in_the_past_fires_at_the_next_tick()
    {
        using Harness h = new(1);
        h.Expire(1_000_000_000);
        h.Arm(0, 5);
        MonoTime next = h.Wheel.NextDeadline;
        Assert.InRange(next.Nanoseconds, 1_000_000_000, 1_000_000_000 + Tick);
        h.Expire(next.Nanoseconds);
        Assert.Equal([0], h.Fired);
    }

    [Fact]
    public void Timers_of_one_tick_fire_by_deadline_and_then_by_the_order_of_arming()
    {
        using Harness h = new(6);
        long tick = 1000 * Tick;
        h.Arm(0, tick - 5);
        h.Arm(1, tick - 7);
        h.Arm(2, tick - 5);
        h.Arm(3, tick - 100);
        h.Arm(4, tick - 5);
        h.Arm(5, tick);
        h.Arm(0, tick - 5);
        h.Expire(tick);
        Assert.Equal([3, 1, 2, 4, 0, 5], h.Fired);
    }

    [Fact]
    public void A_handler_may_cancel_and_arm_timers_that_are_due_with_it()
    {
        using Harness h = new(4);
        for (int i = 0; i < 4; i++)
        {
            h.Arm(i, Tick);
        }

        h.OnFire = i =>
        {
            if (i == 0)
            {
                h.Cancel(1);
                h.Arm(2, 3 * Tick);
                h.Arm(0, 2 * Tick);
            }
        };
        h.Expire(Tick);
        Assert.Equal([0, 3], h.Fired);
        h.OnFire = null;
        h.Expire(10 * Tick);
        Assert.Equal([0, 3, 0, 2], h.Fired);
        Assert.Equal(0, h.Wheel.Count);
    }

    [Fact]
    public void A_handler_that_arms_itself_for_the_past_does_not_hang_the_wheel()
    {
        using Harness h = new(1);
        h.Arm(0, Tick);
        h.OnFire = _ => h.Arm(0, 0);
        h.Expire(Tick);
        h.Expire(Tick);
        Assert.Single(h.Fired);
        h.Expire(4 * Tick);
        Assert.Equal(4, h.Fired.Count);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(4096)]
    [InlineData((4096 * 64) - 1)]
    [InlineData(86_400L * 366 * 15_259)]
    [InlineData((long.MaxValue >> 16) - 1)]
    public void NextDeadline_leads_to_a_timer_however_far_in_few_steps(long ticks)
    {
        using Harness h = new(1);
        h.Expire(77 * Tick);
        h.Arm(0, Math.Max(ticks, 78) * Tick);
        int steps = 0;
        while (h.Fired.Count == 0)
        {
            MonoTime next = h.Wheel.NextDeadline;
            Assert.True(next.Nanoseconds <= Math.Max(ticks, 78) * Tick);
            h.Expire(next.Nanoseconds);
            steps++;
        }

        Assert.InRange(steps, 1, 8);
    }

    [Fact]
    public void Never_disarms()
    {
        using Harness h = new(1);
        h.Arm(0, Tick);
        h.Wheel.Arm(h[0], MonoTime.Never);
        Assert.False(h[0]->IsArmed);
        Assert.Equal(MonoTime.Never, h.Wheel.NextDeadline);
        h.Cancel(0);
        Assert.Equal(0, h.Wheel.Count);
    }

    [Fact]
    public void Arming_cancelling_and_firing_allocate_nothing()
    {
        using Harness h = new(1000);
        h.Fired.EnsureCapacity(10_000);
        long before = 0;
        for (int round = 0; round < 3; round++)
        {
            before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < 1000; i++)
            {
                h.Arm(i, (round * 1_000_000_000L) + ((i % 7) * 100_000_000L) + (i % 13));
                h.Arm((i * 7) % 1000, (round * 1_000_000_000L) + 500_000_000);
                h.Cancel((i * 3) % 1000);
            }

            h.Expire((round + 1) * 1_000_000_000L);
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.NotEmpty(h.Fired);
    }

    [Fact]
    public void A_million_timers_fire_in_order_each_within_a_tick()
    {
        const int Count = 1_000_000;
        using Harness h = new(Count);
        RandomSource random = new(5);
        for (int i = 0; i < Count; i++)
        {
            h.Arm(i, (long)(random.NextUInt64() % 100_000_000_000));
        }

        for (int i = 0; i < Count; i += 3)
        {
            h.Arm(i, (long)(random.NextUInt64() % 100_000_000_000));
        }

        long now = 0;
        long last = 0;
        h.OnFire = i =>
        {
            long deadline = h[i]->Deadline;
            Assert.True(deadline >= last && deadline <= now && now - deadline < Tick);
            last = deadline;
        };
        while (h.Wheel.NextDeadline != MonoTime.Never)
        {
            now = h.Wheel.NextDeadline.Nanoseconds;
            h.Expire(now);
        }

        Assert.Equal(Count, h.Fired.Count);
    }

    // The model: a list in order of arming; what is due fires in the order of (tick, deadline, arming).
    [Fact]
    public void It_behaves_as_a_sorted_list_does()
    {
        Gen<long> span = Gen.OneOf(Gen.Long[0, 4 * Tick], Gen.Long[0, 300 * Tick], Gen.Long[0, 30_000_000_000], Gen.Long[0, 1L << 50]);
        Gen<(int Kind, int Node, long Span)[]> operations = Gen.Select(Gen.Int[0, 9], Gen.Int[0, 19], span).Array[0, 300];
        operations.Sample(
            steps =>
            {
                using Harness h = new(20);
                List<(long Tick, long Deadline, int Order, int Node)> model = [];
                List<int> expected = [];
                long now = 0;
                int order = 0;
                foreach ((int kind, int node, long delta) in steps)
                {
                    if (kind < 6)
                    {
                        long deadline = kind == 5 ? now - (delta % (now + 1)) : now + (kind == 4 ? delta / Tick * Tick : delta);
                        h.Arm(node, deadline);
                        model.RemoveAll(t => t.Node == node);
                        model.Add((Math.Max((deadline + Tick - 1) / Tick, (now / Tick) + 1), deadline, order++, node));
                    }
                    else if (kind == 6)
                    {
                        h.Cancel(node);
                        model.RemoveAll(t => t.Node == node);
                    }
                    else
                    {
                        now = kind < 9 ? now + delta : Math.Max(now, Math.Min(h.Wheel.NextDeadline.Nanoseconds, 1L << 60));
                        model.Sort();
                        expected.AddRange(model.Where(t => t.Tick * Tick <= now).Select(t => t.Node));
                        model.RemoveAll(t => t.Tick * Tick <= now);
                        h.Expire(now);
                    }

                    long first = model.Count == 0 ? long.MaxValue : model.Min(t => t.Tick) * Tick;
                    if (h.Wheel.Count != model.Count || h.Wheel.NextDeadline.Nanoseconds > first || !h.Fired.SequenceEqual(expected))
                    {
                        return false;
                    }
                }

                return true;
            },
            iter: 3000,
            seed: "0000000000000");
    }
}
