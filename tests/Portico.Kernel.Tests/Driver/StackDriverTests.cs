using Portico.Net;

namespace Portico.Kernel.Tests.Driver;

public sealed class StackDriverTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private sealed class Alarm : IScheduled, IDisposable
    {
        public ManualResetEventSlim Rung { get; } = new(false);

        public string? ThreadName { get; private set; }

        public void OnTime(long cookie)
        {
            ThreadName = Thread.CurrentThread.Name;
            Rung.Set();
        }

        public void Dispose() => Rung.Dispose();
    }

    private sealed class After(StackDriver driver) : IAfterScope
    {
        public int Runs { get; private set; }

        public bool RanInside { get; private set; }

        public void RunAfterScope()
        {
            Runs++;
            RanInside |= driver.IsEntered;
        }
    }

    [Fact]
    public void A_timer_fires_on_the_drivers_thread()
    {
        using StackDriver driver = new();
        using Alarm alarm = new();
        using (driver.Enter())
        {
            driver.Engine.Schedule(driver.Engine.Now + Duration.FromMilliseconds(3), alarm, 0);
        }

        Assert.True(alarm.Rung.Wait(s_patience));
        Assert.Equal("portico driver", alarm.ThreadName);
    }

    [Fact]
    public void Only_an_earlier_deadline_wakes_the_thread()
    {
        using StackDriver driver = new();
        using Alarm far = new();
        using (driver.Enter())
        {
            driver.Engine.Schedule(driver.Engine.Now + Duration.FromSeconds(3600), far, 0);
        }

        // The thread may have been awake still, and then has seen the deadline by itself.
        Assert.InRange(driver.Wakes, 0, 1);
        long wakes = driver.Wakes;
        for (int i = 1; i <= 100; i++)
        {
            using (driver.Enter())
            {
                driver.Engine.Schedule(driver.Engine.Now + Duration.FromSeconds(3600 + i), far, 0);
            }
        }

        Assert.InRange(driver.Wakes, wakes, 1);
        using Alarm near = new();
        using (driver.Enter())
        {
            driver.Engine.Schedule(driver.Engine.Now + Duration.FromMilliseconds(1), near, 0);
        }

        Assert.True(near.Rung.Wait(s_patience));
        Assert.False(far.Rung.IsSet);
    }

    [Fact]
    public void What_is_already_due_fires_when_the_scope_is_left()
    {
        using StackDriver driver = new();
        using Alarm alarm = new();
        using (driver.Enter())
        {
            driver.Engine.Schedule(driver.Engine.Now, alarm, 0);
        }

        Assert.True(alarm.Rung.IsSet);
    }

    [Fact]
    public void Queued_work_runs_without_the_lock_when_the_outermost_scope_is_left()
    {
        using StackDriver driver = new();
        After work = new(driver);
        using (driver.Enter())
        {
            using (driver.Enter())
            {
                for (int i = 0; i < 40; i++)
                {
                    driver.QueueAfter(work);
                }
            }

            Assert.Equal(0, work.Runs);
            Assert.True(driver.IsEntered);
        }

        Assert.Equal(40, work.Runs);
        Assert.False(work.RanInside);
    }

    [Fact]
    public void A_scope_with_queued_work_allocates_nothing()
    {
        using StackDriver driver = new();
        After work = new(driver);
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            if (i == 1000)
            {
                before = GC.GetAllocatedBytesForCurrentThread();
            }

            using (driver.Enter())
            {
                driver.QueueAfter(work);
            }
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Time_only_goes_forward_for_all_threads_together()
    {
        using StackDriver driver = new();
        MonoTime last = MonoTime.Zero;
        bool backwards = false;
        Parallel.For(0, 4, _ =>
        {
            for (int i = 0; i < 5000; i++)
            {
                using (driver.Enter())
                {
                    backwards |= driver.Engine.Now < last;
                    last = driver.Engine.Now;
                }
            }
        });
        Assert.False(backwards);
    }
}
