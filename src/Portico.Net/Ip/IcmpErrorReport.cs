namespace Portico.Net;

/// <summary>An ICMP error as a host or router has reported it, for a proxy to pass on.</summary>
/// <param name="Reporter">Who reported it; where it is unspecified or of the other family, the stack's own address.</param>
/// <param name="Type">The ICMP type (RFC 792, RFC 4443).</param>
/// <param name="Code">The code of that type.</param>
/// <param name="Rest">The four bytes behind the checksum: an MTU, a pointer, or 0.</param>
public readonly record struct IcmpErrorReport(IpAddress Reporter, byte Type, byte Code, uint Rest);
