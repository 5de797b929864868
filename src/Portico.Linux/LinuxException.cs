using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A system call failed; the message is one line that says what was tried, and where it can be said, what would help.</summary>
public sealed class LinuxException(string message, Errno error) : IOException(message)
{
    /// <summary>What the system call returned.</summary>
    public Errno Error { get; } = error;

    /// <summary>For the last P/Invoke of this thread: "what: reason".</summary>
    internal static LinuxException Last(string what) => From(what, (Errno)Marshal.GetLastPInvokeError());

    internal static LinuxException From(string what, Errno error) =>
        new($"{what}: {Marshal.GetPInvokeErrorMessage((int)error)}", error);
}
