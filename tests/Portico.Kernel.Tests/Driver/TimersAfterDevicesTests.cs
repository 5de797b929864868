using Portico.Net;

namespace Portico.Kernel.Tests.Driver;

public sealed class TimersAfterDevicesTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    /// <summary>A device that has received something which the next look at it will find, as when the thread came late.</summary>
    private sealed class LateDevice : IDriverEvents
    {
        private readonly AutoResetEvent _wake = new(false);
        private bool _found;

        public volatile bool HasReceived;

        public List<string> Log { get; } = [];

        public bool Wait(Duration timeout)
        {
            bool woken = _wake.WaitOne(timeout == Duration.Infinite ? Timeout.Infinite : (int)((timeout.Nanoseconds + 999_999) / 1_000_000));

            // Long waits end without the device's news, which came just after.
            _found = HasReceived && timeout == Duration.Zero;
            return woken || _found;
        }

        public void Wake() => _wake.Set();

        public bool Dispatch()
        {
            if (_found)
            {
                HasReceived = false;
                Log.Add("received");
            }

            return false;
        }

        public void Dispose() => _wake.Dispose();
    }

    private sealed class Alarm(LateDevice device) : IScheduled, IDisposable
    {
        public ManualResetEventSlim Rung { get; } = new();

        public string? ThreadName { get; private set; }

        public void OnTime(long cookie)
        {
            device.Log.Add("timer");
            ThreadName = Thread.CurrentThread.Name;
            Rung.Set();
        }

        public void Dispose() => Rung.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public void What_a_device_has_received_is_heard_before_a_timer_that_is_due(int milliseconds)
    {
        LateDevice device = new();
        using StackDriver driver = new(events: device);
        using Alarm alarm = new(device);
        using (driver.Enter())
        {
            device.HasReceived = true;
            driver.Engine.Schedule(driver.Engine.Now + Duration.FromMilliseconds(milliseconds), alarm, 0);
        }

        Assert.True(alarm.Rung.Wait(s_patience));
        using (driver.Enter())
        {
            Assert.Equal(["received", "timer"], device.Log);
            Assert.Equal("portico driver", alarm.ThreadName);
        }
    }
}
