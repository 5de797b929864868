namespace Portico.Differential.Tests.Systems;

// Deliberate differences: docs/differences.md has each with its reason.
internal sealed partial class Kit
{
    /// <summary>Writes down a value in which the two kernels are to differ: the same line for both, as long as each has its own value.</summary>
    public void Differs(string what, long value, long linux, long portico) =>
        Note(value == (system is LinuxSystem ? linux : portico) ? $"{what} is as it is meant to be" : $"{what} = {value}");
}
