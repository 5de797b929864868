namespace Portico.Net;

/// <summary>STUB: owned by the wire helper. Completes and verifies transport checksums.</summary>
public static class ChecksumOffload
{
    /// <summary>Fills in the transport checksum of a packet whose state is <see cref="ChecksumState.Partial"/>.</summary>
    public static void Complete(Packet packet) => packet.Checksum = ChecksumState.Verified;
}
