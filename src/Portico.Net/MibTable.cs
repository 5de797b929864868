using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>
/// One group of counters, named by an enum whose members carry Linux's MIB names (RFC 4022, 4113, 4293 and Linux's extensions).
/// The enum's underlying type is <see cref="int"/> and its members count up from 0.
/// </summary>
public sealed class MibTable<TCounter>
    where TCounter : struct, Enum
{
    private static readonly string[] s_names = Enum.GetNames<TCounter>();
    private readonly long[] _values = new long[s_names.Length];

    /// <summary>The counter itself, to read or to increment.</summary>
    public ref long this[TCounter counter] => ref _values[Unsafe.As<TCounter, int>(ref counter)];

    /// <summary>The counter's name.</summary>
    public string NameOf(TCounter counter) => s_names[Unsafe.As<TCounter, int>(ref counter)];

    /// <summary>All counters, in the enum's order.</summary>
    internal long[] Values => _values;

    /// <summary>The number of counters in the group.</summary>
    public int Count => _values.Length;

    /// <summary>The name and value of the counter at <paramref name="index"/>, in the enum's order.</summary>
    public (string Name, long Value) At(int index) => (s_names[index], _values[index]);
}
