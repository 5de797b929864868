using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>A kernel with a process on it; at its end it has to be as it was before.</summary>
internal sealed class TestKernel : IDisposable
{
    public TestKernel(KernelSettings? settings = null, ResourceLimit? files = null)
    {
        Kernel = new PorticoKernel(settings: settings);
        Process = NewProcess(files);
    }

    public PorticoKernel Kernel { get; }

    public Process Process { get; }

    public Process NewProcess(ResourceLimit? files = null, NetworkStack? network = null) =>
        Kernel.CreateProcess(new ProcessOptions { Files = files ?? new ResourceLimit(1 << 20, 1 << 20), Network = network });

    public long Count(KernelCounter counter) => Ask(() => Kernel.Counters[counter]);

    /// <summary>Does something under the kernel's lock.</summary>
    public void Do(Action action)
    {
        using (Kernel.Driver.Enter())
        {
            action();
        }
    }

    /// <summary>Asks something under the kernel's lock.</summary>
    public long Ask(Func<long> question)
    {
        using (Kernel.Driver.Enter())
        {
            return question();
        }
    }

    /// <summary>What a descriptor stands for; null for nothing.</summary>
    public OpenFileDescription? Of(Process process, int fd)
    {
        using (Kernel.Driver.Enter())
        {
            return process.Descriptors.TryGet(fd, out OpenFileDescription? description) ? description : null;
        }
    }

    /// <summary>Ends all processes, and asserts that nothing of them is left.</summary>
    public void AssertNothingIsLeft()
    {
        foreach (Process process in Kernel.Processes)
        {
            process.Exit();
        }

        SpinWait.SpinUntil(() => Count(KernelCounter.OpenFiles) == 0, TimeSpan.FromSeconds(20));
        Assert.Equal(0, Count(KernelCounter.OpenFiles));
        Assert.Equal(0, Count(KernelCounter.EpollWatches));
        Assert.Equal(0, Count(KernelCounter.PipePages));
        Assert.Equal(0, Count(KernelCounter.UnixSockets));
        Assert.Equal(0, Count(KernelCounter.DescriptorsInFlight));
        Assert.Equal(0, Count(KernelCounter.FilePages));
    }

    /// <summary>Runs all at once, each on a thread of its own, and waits; what one of them throws is thrown here.</summary>
    public static void Together(params Action[] actions)
    {
        using Barrier start = new(actions.Length);
        Task[] tasks = [.. actions.Select(action => Task.Factory.StartNew(
            () =>
            {
                start.SignalAndWait();
                action();
            },
            CancellationToken.None,
            TaskCreationOptions.LongRunning,
            TaskScheduler.Default))];
        Assert.True(Task.WaitAll(tasks, TimeSpan.FromMinutes(2)), "a thread waits for what does not come");
    }

    public void Dispose() => Kernel.Dispose();
}
