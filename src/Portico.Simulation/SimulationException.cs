namespace Portico.Simulation;

/// <summary>A simulation cannot go on: it does not come to rest, or was asked for something that it does not have.</summary>
public sealed class SimulationException(string message) : Exception(message);
