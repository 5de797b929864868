namespace Portico.Net;

/// <summary>What holds native memory of its own until it is disposed.</summary>
internal interface INativeMemory : IDisposable
{
    /// <summary>Bytes taken from the operating system.</summary>
    long BytesReserved { get; }
}
