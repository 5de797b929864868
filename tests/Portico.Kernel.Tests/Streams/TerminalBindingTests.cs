using System.Text;
using Portico.Kernel.Tests.Guarantees;
using Portico.Net;
using BytePipe = System.IO.Pipelines.Pipe;

namespace Portico.Kernel.Tests.Streams;

/// <summary>Descriptors that are a terminal whose keyboard and screen are streams.</summary>
public sealed class TerminalBindingTests
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task Lines_are_typed_echoed_and_shown()
    {
        using TestKernel test = new();
        Process process = test.Process;
        BytePipe keyboard = new();
        MemoryStream screen = new();
        TerminalBinding terminal = process.BindTerminal([0, 1, 2], keyboard.Reader.AsStream(), screen);
        Assert.True(terminal.SetSize(50, 132).Raw == 0);
        byte[] size = new byte[8];
        process.Ioctl(0, IoctlRequest.TIOCGWINSZ, size).OrThrow();
        Assert.Equal([50, 0, 132, 0, 0, 0, 0, 0], size);

        byte[] line = new byte[100];
        ValueTask<SyscallResult> reading = process.ReadAsync(0, line);
        await keyboard.Writer.WriteAsync("lz\u007fs\n"u8.ToArray());
        Assert.Equal(3, (await reading.AsTask().WaitAsync(s_limit)).Raw);
        Assert.Equal("ls\n", Encoding.ASCII.GetString(line, 0, 3));
        process.Write(1, "file\n"u8).OrThrow();
        process.Write(2, "done\n"u8).OrThrow();
        await keyboard.Writer.CompleteAsync();
        Assert.Equal(0, (await process.ReadAsync(0, line).AsTask().WaitAsync(s_limit)).Raw);
        process.Exit();
        await terminal.Completion.WaitAsync(s_limit);
        Assert.Equal("lz\b \bs\r\nfile\r\ndone\r\n", Encoding.ASCII.GetString(screen.ToArray()));
        Assert.Null(terminal.Failure);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public async Task It_controls_the_session_and_hangs_it_up_at_its_end()
    {
        using TestKernel test = new();
        List<Signal> signals = [];
        Process process = test.Process;
        process.SignalHandler = (_, info) =>
        {
            lock (signals)
            {
                signals.Add(info.Signal);
            }
        };
        BytePipe keyboard = new();
        TerminalBinding terminal = process.BindTerminal([0], keyboard.Reader.AsStream(), new MemoryStream());
        process.Open("/dev/tty", OpenFlags.O_RDWR).OrThrow();
        await keyboard.Writer.WriteAsync(new byte[] { 3 });
        Assert.True(SpinWait.SpinUntil(() => Has(Signal.SIGINT), s_limit));
        await terminal.DisposeAsync().AsTask().WaitAsync(s_limit);
        Assert.True(SpinWait.SpinUntil(() => Has(Signal.SIGHUP), s_limit));
        Assert.Equal(0, process.Read(0, new byte[10]).Raw);
        Assert.Equal(Errno.EIO, process.Write(0, "x"u8).Error);
        Assert.Equal(Errno.ESRCH, terminal.SetSize(1, 1).Error);
        test.AssertNothingIsLeft();

        bool Has(Signal signal)
        {
            lock (signals)
            {
                return signals.Contains(signal);
            }
        }
    }
}
