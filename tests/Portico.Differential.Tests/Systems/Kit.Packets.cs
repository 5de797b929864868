using System.Buffers.Binary;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Packet sockets: addresses of links, and packets in which each kernel chooses some bytes.
internal sealed unsafe partial class Kit
{
    public const int SOL_PACKET = 263;

    /// <summary>A struct sockaddr_ll; lo is interface 1 everywhere.</summary>
    public static byte[] Link(ushort protocol, int interfaceIndex = 1, byte[]? address = null)
    {
        byte[] bytes = new byte[20];
        bytes[0] = (byte)AddressFamily.AF_PACKET;
        BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(2), protocol);
        BitConverter.TryWriteBytes(bytes.AsSpan(4), interfaceIndex);
        bytes[11] = (byte)(address?.Length ?? 0);
        address?.CopyTo(bytes.AsSpan(12));
        return bytes;
    }

    /// <summary>Takes a packet if there is one, and writes it down but for what a kernel chooses in it: identification, DF, ports, TCP's numbers.</summary>
    public long ReceivePacket(long fd, int linkBytes, int count = 70_000)
    {
        byte[] buffer = new byte[count];
        byte* address = stackalloc byte[AddressRoom];
        uint length = AddressRoom;
        fixed (byte* p = buffer)
        {
            long result = Raw(recvfrom, fd, (long)p, count, (long)MessageFlags.MSG_DONTWAIT, (long)address, (long)(&length));
            Span<byte> packet = buffer.AsSpan(0, (int)Math.Clamp(result, 0, count));
            Mask(packet[Math.Min(packet.Length, linkBytes)..]);
            Write($"packet {(result < 0 ? "" : Show(address, length, length))}", result, packet);
            return result;
        }
    }

    /// <summary>All packets that there are.</summary>
    public void ReceivePackets(long fd, int linkBytes)
    {
        while (ReceivePacket(fd, linkBytes) >= 0)
        {
        }
    }

    /// <summary>The first four bytes of packets of IPv6: version, traffic class and flow label.</summary>
    public void FlowLabels(long fd, int most)
    {
        byte* room = stackalloc byte[4];
        for (int i = 0; i < most && Raw(recvfrom, fd, (long)room, 4, (long)MessageFlags.MSG_DONTWAIT, 0, 0) >= 0; i++)
        {
            Note($"flow {Convert.ToHexString(new ReadOnlySpan<byte>(room, 4))}");
        }
    }

    /// <summary>Clears what each kernel chooses in an IP packet: identification and DF, the flow label, ports, and TCP's numbers and options.</summary>
    private static void Mask(Span<byte> packet)
    {
        const int IcmpBytes = 8;
        bool isIpv4 = packet.Length >= 20 && packet[0] >> 4 == 4;
        bool isIpv6 = packet.Length >= 40 && packet[0] >> 4 == 6;
        if (!isIpv4 && !isIpv6)
        {
            return;
        }

        int headerBytes = isIpv4 ? (packet[0] & 0xF) * 4 : 40;
        int protocol = packet[isIpv4 ? 9 : 6];
        packet[(isIpv4 ? 4 : 1)..(isIpv4 ? 8 : 4)].Clear();
        if (isIpv4)
        {
            packet[10..12].Clear();
        }

        Span<byte> transport = packet[Math.Min(headerBytes, packet.Length)..];
        if (transport.Length < IcmpBytes)
        {
            return;
        }

        switch (protocol)
        {
            case 1 when transport[0] == 3:
                transport[2..4].Clear();
                Mask(transport[IcmpBytes..]);
                break;
            case 17:
                transport[..4].Clear();
                break;
            case 6:
                transport[..12].Clear();
                transport[14..16].Clear();
                transport[20..((transport[12] >> 4) * 4)].Clear();
                break;
        }
    }
}
