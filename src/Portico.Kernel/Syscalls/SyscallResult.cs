using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// What a system call returns: a value that is not negative, or an errno. The raw form is Linux's, in which an error is the negated
/// errno.
/// </summary>
/// <param name="Raw">The value, or the negated errno.</param>
public readonly record struct SyscallResult(long Raw)
{
    /// <summary>Whether the call failed.</summary>
    public bool IsError => Raw < 0;

    /// <summary>The errno; None where the call succeeded.</summary>
    public Errno Error => Raw < 0 ? (Errno)(-Raw) : Errno.None;

    /// <summary>The value; -1 where the call failed, as the C library has it.</summary>
    public long Value => Raw < 0 ? -1 : Raw;

    /// <summary>An errno; None is the value 0.</summary>
    public static implicit operator SyscallResult(Errno error) => new(-(long)error);

    /// <summary>A value.</summary>
    public static implicit operator SyscallResult(long value) => new(value);

    /// <summary>A value.</summary>
    public static implicit operator SyscallResult(int value) => new(value);

    /// <summary>The value as a descriptor or a count; throws the exception of the errno where the call failed.</summary>
    public int OrThrow() => Raw < 0 ? throw Error.ToException() : (int)Raw;

    /// <inheritdoc/>
    public override string ToString() => IsError ? Error.ToString() : Raw.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
