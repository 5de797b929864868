using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A terminal whose keyboard and screen are streams of the embedder: a small process of its own (named "terminal" in /proc) has the master of a
/// pseudo-terminal, types what the one stream gives, and writes what is shown to the other.
/// </summary>
/// <remarks>
/// When the keyboard's stream ends, Ctrl-D is typed. The binding ends when the last descriptor of the slave has been closed, or the screen's stream
/// fails; whoever has the terminal is then hung up.
/// </remarks>
public sealed class TerminalBinding : IAsyncDisposable
{
    private const byte ControlD = 4;

    private readonly Process _carrier;
    private readonly int _master;
    private readonly StreamBinding _screen;
    private readonly StreamBinding _keyboard;

    internal TerminalBinding(Process carrier, int master, Stream keyboard, Stream screen, bool leaveOpen)
    {
        _carrier = carrier;
        _master = master;
        _keyboard = StreamBinding.FromStream(carrier, master, keyboard, leaveOpen, ControlD);
        _screen = StreamBinding.ToStream(carrier, master, screen, leaveOpen);
        Completion = Task.WhenAll(_screen.Completion, _keyboard.Completion);
    }

    /// <summary>Completes when the terminal is gone; everything that was shown has then been given to the screen's stream. It never fails.</summary>
    public Task Completion { get; }

    /// <summary>What one of the streams has thrown; null as long as none has thrown anything.</summary>
    public Exception? Failure => _screen.Failure ?? _keyboard.Failure;

    /// <summary>Tells the terminal its size in characters (TIOCSWINSZ): the processes in its foreground get SIGWINCH. Errors: ESRCH once it is gone.</summary>
    public SyscallResult SetSize(int rows, int columns)
    {
        Span<byte> bytes = stackalloc byte[TerminalSize.Bytes];
        new TerminalSize((ushort)rows, (ushort)columns).Write(bytes);
        return _carrier.Ioctl(_master, IoctlRequest.TIOCSWINSZ, bytes);
    }

    /// <summary>Hangs the terminal up.</summary>
    public async ValueTask DisposeAsync()
    {
        await _screen.DisposeAsync().ConfigureAwait(false);
        await _keyboard.DisposeAsync().ConfigureAwait(false);
    }
}
