using System.Runtime.InteropServices;
using Portico.Linux;

namespace Portico.Cli;

/// <summary>
/// Passes signals on to the command instead of dying of them. What the terminal sends (interrupt, quit) reaches the command's
/// process by itself, since it is in the same group; it is passed on only where there is no such terminal.
/// </summary>
internal sealed class SignalForwarder
{
    /// <summary>
    /// They stay until the process ends: a signal that has come and waits for the runtime's thread would otherwise find its default
    /// action, and kill the process instead of letting it end with the command's status.
    /// </summary>
    private static readonly List<PosixSignalRegistration> s_registrations = [];

    private readonly Lock _lock = new();
    private readonly List<int> _early = [];
    private CommandProcess? _target;
    private bool _isOver;

    public SignalForwarder()
    {
        Register(PosixSignal.SIGINT, 2, fromTerminal: true);
        Register(PosixSignal.SIGQUIT, 3, fromTerminal: true);
        Register(PosixSignal.SIGHUP, 1, fromTerminal: false);
        Register(PosixSignal.SIGTERM, 15, fromTerminal: false);
        Register((PosixSignal)10, 10, fromTerminal: false);
        Register((PosixSignal)12, 12, fromTerminal: false);
    }

    /// <summary>Where the signals go from now on, those first that came while there was no command yet.</summary>
    public void PassTo(CommandProcess command)
    {
        lock (_lock)
        {
            _target = command;
            _early.ForEach(command.Signal);
            _early.Clear();
        }
    }

    /// <summary>The command has ended: its process id may soon be somebody else's.</summary>
    public void Stop()
    {
        lock (_lock)
        {
            _isOver = true;
        }
    }

    private void Register(PosixSignal signal, int number, bool fromTerminal)
    {
        s_registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            Pass(number, fromTerminal);
        }));
    }

    private void Pass(int signal, bool fromTerminal)
    {
        lock (_lock)
        {
            if (_target == null)
            {
                // Like the kernel, which has one of each kind wait.
                _early.Remove(signal);
                _early.Add(signal);
            }
            else if (!_isOver && !(fromTerminal && CommandProcess.SharesTerminalSignals()))
            {
                _target.Signal(signal);
            }
        }
    }
}
