namespace Portico.Interop.Tests.Capture;

/// <summary>Tests that load the machine: one after another.</summary>
[CollectionDefinition(Name)]
public sealed class TrafficCollection
{
    public const string Name = "traffic";
}
