using Portico.Net;

namespace Portico.Linux;

/// <summary>Traffic without a connection that a proxy carries: the end that it stands for, and the program's.</summary>
public readonly record struct ProxyFlow(Endpoint Local, Endpoint Peer);
