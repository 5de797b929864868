using Portico.Kernel;

namespace Portico.Differential.Tests.Systems;

/// <summary>Portico's kernel: a process for each case, all on one kernel.</summary>
internal sealed class PorticoSystem : ISystem
{
    private const string Private = "/tmp/case";

    private readonly PorticoKernel _kernel = new();
    private Process _process = null!;

    public string Name => "Portico";

    public PorticoKernel Kernel => _kernel;

    public long Call(SyscallNumber number, long a0, long a1, long a2, long a3, long a4, long a5) =>
        LinuxAbi.Invoke(_process, number, a0, a1, a2, a3, a4, a5);

    public void WithNetRaw(Action calls)
    {
        _process.CanUseRawSockets = true;
        calls();
        _process.CanUseRawSockets = false;
    }

    public ISystem Fork() => new Child(_process.Fork());

    /// <summary>A process that a case has made.</summary>
    private sealed class Child : ISystem
    {
        private readonly Process _process;

        public Child(Process process)
        {
            _process = process;
            process.Sigprocmask(SignalMaskChange.SIG_SETMASK, ulong.MaxValue, out _);
        }

        public string Name => "Portico";

        public long Call(SyscallNumber number, long a0, long a1, long a2, long a3, long a4, long a5) =>
            LinuxAbi.Invoke(_process, number, a0, a1, a2, a3, a4, a5);

        public ISystem Fork() => new Child(_process.Fork());

        public void WithNetRaw(Action calls) => throw new NotSupportedException();

        public void InFreshProcess(Action body, bool asRoot = false) => throw new NotSupportedException();
    }

    public void InFreshProcess(Action body, bool asRoot = false)
    {
        _process = _kernel.CreateProcess(new ProcessOptions { Files = new ResourceLimit(1024, 4096), UserId = asRoot ? 0 : 1000 });
        for (int fd = 0; fd < 3; fd++)
        {
            _process.Open("/dev/null", OpenFlags.O_RDWR).OrThrow();
        }

        long inodes = _kernel.Counters[KernelCounter.Inodes];
        CaseDirectory.Enter(this, Private);
        try
        {
            body();
        }
        finally
        {
            foreach (Process process in _kernel.Processes)
            {
                process.Exit();
            }

            _process = _kernel.CreateProcess(new ProcessOptions { UserId = asRoot ? 0 : 1000 });
            CaseDirectory.Leave(this, Private);
            _process.Exit();
        }

        Assert.Equal(0, _kernel.Counters[KernelCounter.OpenFiles]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.EpollWatches]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.PipePages]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.FilePages]);
        Assert.Equal(inodes, _kernel.Counters[KernelCounter.Inodes]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.UnixSockets]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.Terminals]);
        Assert.Equal(0, _kernel.Counters[KernelCounter.DescriptorsInFlight]);
    }
}
