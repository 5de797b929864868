namespace Portico.Bench;

internal static class SimulationRows
{
    public static IEnumerable<Row> Run(BenchOptions options) => throw new NotSupportedException("no simulation yet");
}
