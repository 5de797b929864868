using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>struct virtio_net_hdr as TUN uses it, in the machine's byte order: what stands in front of each packet.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal struct VirtioNetHeader
{
    public const int Length = 10;

    private const byte NeedsChecksum = 1;
    private const byte DataValid = 2;
    private const byte GsoNone = 0;
    private const byte GsoTcp4 = 1;
    private const byte GsoTcp6 = 4;
    private const byte GsoUdp = 5;
    private const byte GsoEcn = 0x80;

    public byte Flags;
    public byte GsoType;
    public ushort HeaderLength;
    public ushort GsoSize;
    public ushort ChecksumStart;
    public ushort ChecksumOffset;

    /// <summary>Puts what the kernel said of a received packet into it; false where the two contradict each other.</summary>
    public readonly bool TryApplyTo(Packet packet)
    {
        if ((Flags & NeedsChecksum) != 0)
        {
            if (ChecksumStart + ChecksumOffset + 2 > packet.Length)
            {
                return false;
            }

            packet.Checksum = ChecksumState.Partial;
        }
        else
        {
            packet.Checksum = (Flags & DataValid) != 0 ? ChecksumState.Verified : ChecksumState.Unverified;
        }

        if (GsoType == GsoNone)
        {
            return true;
        }

        packet.GsoSize = GsoSize;
        return GsoSize != 0 && (GsoType & ~GsoEcn) is GsoTcp4 or GsoTcp6 or GsoUdp;
    }

    /// <summary>
    /// Describes a packet that goes to the kernel, and leaves the pseudo header's sum in its checksum field where the kernel is to
    /// finish it. False for a super-segment that has no such description.
    /// </summary>
    public static bool TryDescribe(Packet packet, out VirtioNetHeader header)
    {
        header = default;
        if (packet.Checksum == ChecksumState.Partial)
        {
            if (!ChecksumOffload.TryPrepareForDevice(packet, out int start, out int fieldOffset))
            {
                return false;
            }

            header.Flags = NeedsChecksum;
            header.ChecksumStart = (ushort)start;
            header.ChecksumOffset = (ushort)fieldOffset;
        }

        if (packet.GsoSize == 0)
        {
            return true;
        }

        // The kernel cuts only what it also finishes the checksum of. fieldOffset tells TCP (16) from UDP (6).
        bool isTcp = header.ChecksumOffset == TcpHeader.ChecksumOffset;
        if (header.Flags == 0 || packet.TransportHeader.Length < 14)
        {
            return false;
        }

        bool isIpv4 = packet.NetworkHeader[0] >> 4 == 4;
        header.GsoType = !isTcp ? GsoUdp : isIpv4 ? GsoTcp4 : GsoTcp6;
        header.GsoSize = (ushort)packet.GsoSize;
        header.HeaderLength = (ushort)(header.ChecksumStart + (isTcp ? (packet.TransportHeader[12] >> 4) * 4 : UdpHeader.Length));
        return true;
    }
}
