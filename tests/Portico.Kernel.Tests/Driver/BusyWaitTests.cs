using Portico.Net;

namespace Portico.Kernel.Tests.Driver;

public sealed class BusyWaitTests
{
    private static readonly Duration s_ample = Duration.FromSeconds(1000);
    private static readonly Duration s_none = new(1);

    /// <summary>Writes down how long it is asked to wait; a look finds something where <see cref="LookFinds"/> says so.</summary>
    private sealed class Recorder : IDriverEvents
    {
        public bool LookFinds { get; set; }

        public List<Duration> Waits { get; } = [];

        public bool Wait(Duration timeout)
        {
            Waits.Add(timeout);
            return timeout != Duration.Zero || LookFinds;
        }

        public void Wake()
        {
        }

        public bool Dispatch() => false;

        public void Dispose()
        {
        }
    }

    [Fact]
    public void Without_a_time_to_look_it_sleeps_at_once()
    {
        Recorder events = new() { LookFinds = true };
        BusyWait wait = default;
        for (int i = 0; i < 20; i++)
        {
            wait.Wait(events, Duration.Infinite, Duration.Zero);
        }

        Assert.All(events.Waits, w => Assert.Equal(Duration.Infinite, w));
    }

    [Fact]
    public void After_four_short_waits_it_looks_before_it_sleeps()
    {
        Recorder events = new() { LookFinds = true };
        BusyWait wait = default;
        for (int i = 0; i < 6; i++)
        {
            wait.Wait(events, Duration.Infinite, s_ample);
        }

        Duration sleep = Duration.Infinite, look = Duration.Zero;
        Assert.Equal([sleep, sleep, sleep, sleep, look, look], events.Waits);
    }

    [Fact]
    public void What_is_not_found_in_time_is_slept_for_and_long_waits_end_the_looking()
    {
        Recorder events = new();
        BusyWait wait = default;
        for (int i = 0; i < 4; i++)
        {
            wait.Wait(events, Duration.Infinite, s_ample);
        }

        events.Waits.Clear();
        wait.Wait(events, Duration.Infinite, s_none);
        Assert.Equal([Duration.Zero, Duration.Infinite], events.Waits);

        // That wait was a long one, as time goes by nanoseconds: it takes four short ones again.
        events.Waits.Clear();
        wait.Wait(events, Duration.Infinite, s_none);
        Assert.Equal([Duration.Infinite], events.Waits);
    }

    [Fact]
    public void The_time_of_looking_is_part_of_the_time_to_wait()
    {
        Recorder events = new();
        BusyWait wait = default;
        for (int i = 0; i < 4; i++)
        {
            wait.Wait(events, Duration.Infinite, s_ample);
        }

        events.Waits.Clear();
        wait.Wait(events, Duration.FromMilliseconds(2), s_ample);
        Assert.All(events.Waits, w => Assert.Equal(Duration.Zero, w));

        events.Waits.Clear();
        wait.Wait(events, Duration.FromSeconds(50), s_none);
        Assert.Equal(Duration.Zero, events.Waits[0]);
        Assert.True(events.Waits[^1] > Duration.Zero && events.Waits[^1] < Duration.FromSeconds(50));
    }

    [Fact]
    public void No_time_to_wait_is_one_look()
    {
        Recorder events = new();
        BusyWait wait = default;
        wait.Wait(events, Duration.Zero, s_ample);
        Assert.Equal([Duration.Zero], events.Waits);
    }
}
