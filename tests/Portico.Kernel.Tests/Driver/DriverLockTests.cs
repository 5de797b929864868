namespace Portico.Kernel.Tests.Driver;

public class DriverLockTests
{
    [Theory]
    [InlineData(2, 0)]
    [InlineData(4, 3)]
    [InlineData(8, 1)]
    public void Of_many_threads_one_is_inside_and_all_get_in(int threads, int parkEvery)
    {
        const int Rounds = 2_000;
        DriverLock driverLock = new();
        int inside = 0;
        long entered = 0;
        bool wasShared = false;
        Thread[] all = [.. Enumerable.Range(0, threads).Select(id => new Thread(() =>
        {
            for (int i = 0; i < Rounds; i++)
            {
                driverLock.Enter();
                driverLock.Enter();
                wasShared |= Interlocked.Increment(ref inside) != 1;
                entered++;
                if (parkEvery != 0 && i % 50 == id % parkEvery)
                {
                    // Longer than the others spin, so that they park.
                    Thread.Sleep(0);
                    Thread.SpinWait(2_000);
                }

                wasShared |= Interlocked.Decrement(ref inside) != 0;
                driverLock.Exit();
                driverLock.Exit();
            }
        }))];
        Array.ForEach(all, static thread => thread.Start());
        Array.ForEach(all, static thread => thread.Join());
        Assert.False(wasShared);
        Assert.Equal((long)threads * Rounds, entered);
        Assert.False(driverLock.IsHeldByCurrentThread);
    }

    [Fact]
    public void Who_is_parked_is_woken_when_it_becomes_free()
    {
        DriverLock driverLock = new();
        for (int round = 0; round < 50; round++)
        {
            driverLock.Enter();
            Thread waiting = new(() =>
            {
                driverLock.Enter();
                driverLock.Exit();
            });
            waiting.Start();
            SpinWait.SpinUntil(() => (waiting.ThreadState & ThreadState.WaitSleepJoin) != 0);
            driverLock.Exit();
            waiting.Join();
        }

        driverLock.Enter();
        driverLock.Exit();
    }
}
