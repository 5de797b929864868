using Portico.Net;

namespace Portico.Kernel.Tests.Events;

public sealed class WaitQueueTests : IDisposable
{
    private readonly StackDriver _driver = new(new Engine(), new ParkingEvents());
    private WaitQueue _queue;

    private sealed class CountingWaiter : Waiter
    {
        public int Wakes { get; private set; }

        protected override void Wake()
        {
            Wakes++;
            IsNotified = false;
        }
    }

    public void Dispose() => _driver.Dispose();

    private CountingWaiter Add(SocketEvents interest, bool exclusive = true)
    {
        CountingWaiter waiter = new() { Interest = interest, IsExclusive = exclusive };
        _queue.Add(waiter);
        return waiter;
    }

    private void Notify(SocketEvents events)
    {
        using (_driver.Enter())
        {
            _queue.Notify(events, _driver);
        }
    }

    [Fact]
    public void An_event_wakes_the_first_exclusive_waiter_only()
    {
        CountingWaiter first = Add(SocketEvents.Readable);
        CountingWaiter second = Add(SocketEvents.Readable);
        Notify(SocketEvents.Readable);
        Assert.Equal((1, 0), (first.Wakes, second.Wakes));
    }

    [Fact]
    public void An_event_wakes_every_waiter_that_is_not_exclusive()
    {
        CountingWaiter first = Add(SocketEvents.Readable, exclusive: false);
        CountingWaiter second = Add(SocketEvents.Readable);
        CountingWaiter third = Add(SocketEvents.Readable, exclusive: false);
        Notify(SocketEvents.Readable);
        Assert.Equal((1, 1, 1), (first.Wakes, second.Wakes, third.Wakes));
    }

    [Fact]
    public void Readers_and_writers_do_not_wake_each_other()
    {
        CountingWaiter reader = Add(SocketEvents.Readable);
        CountingWaiter writer = Add(SocketEvents.Writable);
        Notify(SocketEvents.Writable);
        Assert.Equal((0, 1), (reader.Wakes, writer.Wakes));
        Notify(SocketEvents.Readable | SocketEvents.Writable);
        Assert.Equal((1, 2), (reader.Wakes, writer.Wakes));
    }

    [Fact]
    public void An_error_wakes_everybody()
    {
        CountingWaiter first = Add(SocketEvents.Readable);
        CountingWaiter second = Add(SocketEvents.Readable);
        CountingWaiter writer = Add(SocketEvents.Writable);
        Notify(SocketEvents.Error);
        Assert.Equal((1, 1, 1), (first.Wakes, second.Wakes, writer.Wakes));
    }

    [Fact]
    public void A_waiter_that_leaves_tells_the_next_in_line_to_look()
    {
        CountingWaiter first = Add(SocketEvents.Readable);
        CountingWaiter writer = Add(SocketEvents.Writable);
        CountingWaiter second = Add(SocketEvents.Readable);
        using (_driver.Enter())
        {
            _queue.Remove(first, _driver);
        }

        Assert.Equal((0, 0, 1), (first.Wakes, writer.Wakes, second.Wakes));
    }

    [Fact]
    public void A_waiter_that_was_told_and_has_not_looked_is_not_told_again()
    {
        CountingWaiter waiter = Add(SocketEvents.Readable);
        using (_driver.Enter())
        {
            _queue.Notify(SocketEvents.Readable, _driver);
            _queue.Notify(SocketEvents.Readable, _driver);
            Assert.Equal(0, waiter.Wakes);
        }

        Assert.Equal(1, waiter.Wakes);
    }

    [Fact]
    public void Waiters_leave_from_any_place()
    {
        CountingWaiter first = Add(SocketEvents.Readable, exclusive: false);
        CountingWaiter second = Add(SocketEvents.Readable, exclusive: false);
        CountingWaiter third = Add(SocketEvents.Readable, exclusive: false);
        using (_driver.Enter())
        {
            _queue.Remove(second, _driver);
        }

        Notify(SocketEvents.Readable);
        Assert.Equal((1, 0, 1), (first.Wakes, second.Wakes, third.Wakes));
        using (_driver.Enter())
        {
            _queue.Remove(third, _driver);
            _queue.Remove(first, _driver);
        }

        Assert.True(_queue.IsEmpty);
        Assert.False(_queue.HasExclusive(SocketEvents.Readable));
    }
}
