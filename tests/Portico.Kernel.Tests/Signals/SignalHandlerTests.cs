using Portico.Net;

namespace Portico.Kernel.Tests.Signals;

/// <summary>What a signal does that nobody has blocked: the embedder hears of it, and calls that wait end.</summary>
public sealed class SignalHandlerTests
{
    private static readonly TimeSpan s_enough = TimeSpan.FromSeconds(20);

    [Fact]
    public void The_embedder_hears_of_it_and_who_waits_goes_on()
    {
        using PorticoKernel kernel = new();
        List<SignalInfo> heard = [];
        Process process = kernel.CreateProcess(new ProcessOptions { SignalHandler = (_, info) => heard.Add(info) });
        Process other = kernel.CreateProcess();
        process.Pipe2(0, out int reader, out _);
        Task<SyscallResult> read = Task.Run(() => process.Read(reader, new byte[1]));
        SpinWait.SpinUntil(() => other.Kill(process.Id, (int)Signal.SIGTERM).Raw == 0 && read.Wait(1), s_enough);
        Assert.Equal(Errno.EINTR, read.Result.Error);
        Assert.NotEmpty(heard);
        Assert.All(heard, info => Assert.Equal(new SignalInfo(Signal.SIGTERM, 0, other.Id, other.UserId), info));
        Assert.False(process.HasExited);
    }

    [Fact]
    public void What_is_blocked_is_told_when_it_is_let_through()
    {
        using PorticoKernel kernel = new();
        List<Signal> heard = [];
        Process process = kernel.CreateProcess(new ProcessOptions { SignalHandler = (_, info) => heard.Add(info.Signal) });
        process.Sigprocmask(SignalMaskChange.SIG_BLOCK, ulong.MaxValue, out _);
        process.Kill(process.Id, (int)Signal.SIGUSR2);
        process.Kill(process.Id, (int)Signal.SIGUSR1);
        process.Kill(process.Id, (int)Signal.SIGUSR1);
        Assert.Empty(heard);
        process.Sigprocmask(SignalMaskChange.SIG_SETMASK, 0, out _);
        Assert.Equal([Signal.SIGUSR1, Signal.SIGUSR2], heard);
    }

    [Fact]
    public void SIGKILL_ends_a_process_and_a_broken_pipe_does_not()
    {
        using PorticoKernel kernel = new();
        Process process = kernel.CreateProcess();
        process.Pipe2(0, out int reader, out int writer);
        process.Close(reader);
        Assert.Equal(Errno.EPIPE, process.Write(writer, "x"u8).Error);
        Assert.False(process.HasExited);
        process.Kill(process.Id, (int)Signal.SIGKILL);
        Assert.True(process.HasExited);
    }

    [Fact]
    public void Real_time_signals_wait_in_a_queue_that_is_bounded()
    {
        using PorticoKernel kernel = new();
        Process process = kernel.CreateProcess();
        process.Sigprocmask(SignalMaskChange.SIG_BLOCK, ulong.MaxValue, out _);
        process.SetRlimit(Resource.RLIMIT_SIGPENDING, new ResourceLimit(3, 3));
        Errno[] sent = [.. Enumerable.Range(0, 4).Select(_ => process.Tgkill(process.Id, process.Id, (int)Signal.SIGRTMIN + 5).Error)];
        Assert.Equal([Errno.None, Errno.None, Errno.None, Errno.EAGAIN], sent);
        Assert.Equal(Errno.None, process.Kill(process.Id, (int)Signal.SIGRTMIN + 6).Error);
    }
}
