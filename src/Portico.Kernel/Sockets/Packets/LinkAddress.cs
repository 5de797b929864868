using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>struct sockaddr_ll (packet(7)) as bytes.</summary>
internal static class LinkAddress
{
    /// <summary>sizeof(struct sockaddr_ll).</summary>
    public const int Bytes = 20;

    /// <summary>Where the link-layer address is.</summary>
    public const int AddressOffset = 12;
    private const int HardwareBytesMax = 8;

    /// <summary>An address to send to. Errors: EINVAL for one that is too short.</summary>
    public static Errno TryRead(ReadOnlySpan<byte> address, out PacketAddress read)
    {
        bool isLongEnough = address.Length >= Bytes && address.Length >= AddressOffset + address[11];
        read = isLongEnough ? Read(address) : default;
        return isLongEnough ? Errno.None : Errno.EINVAL;
    }

    /// <summary>Reads an address, whose length has been checked.</summary>
    public static PacketAddress Read(ReadOnlySpan<byte> address) => new()
    {
        Protocol = BinaryPrimitives.ReadUInt16BigEndian(address[2..]),
        InterfaceIndex = MemoryMarshal.Read<int>(address[4..]),
        AddressLength = address[11],
        Address = MacAddress.Read(address[AddressOffset..]),
    };

    /// <summary>Writes an address, as much as there is room for; the length without what is behind the link-layer address.</summary>
    public static int Write(Span<byte> to, in PacketAddress address)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes.Clear();
        MemoryMarshal.Write(bytes, (ushort)AddressFamily.AF_PACKET);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], address.Protocol);
        MemoryMarshal.Write(bytes[4..], address.InterfaceIndex);
        MemoryMarshal.Write(bytes[8..], address.HardwareType);
        bytes[10] = (byte)address.Kind;
        bytes[11] = address.AddressLength;
        if (address.AddressLength > 0)
        {
            address.Address.Write(bytes[AddressOffset..]);
        }

        bytes[..Math.Min(Bytes, to.Length)].CopyTo(to);
        return AddressOffset + Math.Min(address.AddressLength, (byte)HardwareBytesMax);
    }
}
