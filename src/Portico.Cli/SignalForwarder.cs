using System.Runtime.InteropServices;
using Portico.Linux;

namespace Portico.Cli;

/// <summary>
/// Passes signals on to the command instead of dying of them. What the terminal sends (interrupt, quit) reaches the command's
/// process by itself, since it is in the same group; it is passed on only where there is no such terminal.
/// </summary>
internal sealed class SignalForwarder : IDisposable
{
    private readonly List<PosixSignalRegistration> _registrations = [];
    private volatile CommandProcess? _target;

    public SignalForwarder()
    {
        Register(PosixSignal.SIGINT, 2, fromTerminal: true);
        Register(PosixSignal.SIGQUIT, 3, fromTerminal: true);
        Register(PosixSignal.SIGHUP, 1, fromTerminal: false);
        Register(PosixSignal.SIGTERM, 15, fromTerminal: false);
        Register((PosixSignal)10, 10, fromTerminal: false);
        Register((PosixSignal)12, 12, fromTerminal: false);
    }

    public CommandProcess? Target
    {
        get => _target;
        set => _target = value;
    }

    private void Register(PosixSignal signal, int number, bool fromTerminal)
    {
        _registrations.Add(PosixSignalRegistration.Create(signal, context =>
        {
            context.Cancel = true;
            if (!fromTerminal || !CommandProcess.SharesTerminalSignals())
            {
                _target?.Signal(number);
            }
        }));
    }

    public void Dispose()
    {
        foreach (PosixSignalRegistration registration in _registrations)
        {
            registration.Dispose();
        }
    }
}
