namespace Portico.Kernel.Tests.Events;

public sealed class BlockingWaiterTests
{
    [Fact]
    public void A_wake_before_the_wait_is_not_lost()
    {
        BlockingWaiter waiter = new();
        waiter.Arm();
        ((IAfterScope)waiter).RunAfterScope();
        Assert.True(waiter.Wait(long.MaxValue));
    }

    [Fact]
    public void A_deadline_that_has_passed_ends_the_wait()
    {
        BlockingWaiter waiter = new();
        waiter.Arm();
        Assert.False(waiter.Wait(0));
    }

    [Fact]
    public void A_thread_is_woken_each_time_whether_it_spins_or_is_parked()
    {
        BlockingWaiter ping = new();
        BlockingWaiter pong = new();
        ping.Arm();
        pong.Arm();
        int echoed = 0;
        Thread echo = new(() =>
        {
            for (int i = 0; i < 200; i++)
            {
                ping.Wait(long.MaxValue);
                ping.Arm();
                echoed++;
                if (i % 50 == 0)
                {
                    // Long enough for the other side to park.
                    Thread.Sleep(2);
                }

                ((IAfterScope)pong).RunAfterScope();
            }
        });
        echo.Start();
        for (int i = 0; i < 200; i++)
        {
            ((IAfterScope)ping).RunAfterScope();
            Assert.True(pong.Wait(long.MaxValue));
            pong.Arm();
        }

        echo.Join();
        Assert.Equal(200, echoed);
    }
}
