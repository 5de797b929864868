using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>A fact about the engine's own state turned out false: a bug in Portico, never the fault of a packet or a caller.</summary>
public sealed class InvariantException(string message) : Exception(message);

/// <summary>Self-checks of the engine and the kernel; compiled in where PORTICO_CHECK is defined (the Debug and Checked configurations).</summary>
public static class Invariant
{
    /// <summary>Throws an <see cref="InvariantException"/> where the condition is false.</summary>
    [Conditional("PORTICO_CHECK")]
    public static void Check(bool condition, [CallerArgumentExpression(nameof(condition))] string? text = null)
    {
        if (!condition)
        {
            Fail(text);
        }
    }

    private static void Fail(string? text) => throw new InvariantException($"does not hold: {text}");
}
