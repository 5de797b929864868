namespace Portico.Kernel;

/// <summary>A port that has a name (struct servent of getservent(3)).</summary>
/// <param name="Name">The official name.</param>
/// <param name="Port">The port.</param>
/// <param name="Protocol">The protocol in lower case: tcp, udp, sctp, ddp.</param>
/// <param name="Aliases">Other names.</param>
public sealed record ServiceEntry(string Name, int Port, string Protocol, IReadOnlyList<string> Aliases);
