namespace Portico.Net;

/// <summary>STUB: owned by the lead. TCP of one stack.</summary>
public sealed partial class TcpLayer
{
    private readonly NetworkStack _stack;

    internal TcpLayer(NetworkStack stack) => _stack = stack;

    /// <summary>A segment for this stack; its linear part begins with the TCP header. Takes ownership.</summary>
    internal void HandleSegment(Packet packet, in IpInfo info) => packet.Release();

    /// <summary>An ICMP error about a segment; <paramref name="quoted"/> is the quoted TCP header (at least 8 bytes).</summary>
    internal void HandleIcmpError(in IcmpErrorInfo error, ReadOnlySpan<byte> quoted)
    {
    }
}
