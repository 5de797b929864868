using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>struct sockaddr_in and sockaddr_in6 (ip(7), ipv6(7)) as bytes.</summary>
public static class SocketAddress
{
    /// <summary>sizeof(struct sockaddr_in).</summary>
    public const int Ipv4Bytes = 16;

    /// <summary>sizeof(struct sockaddr_in6).</summary>
    public const int Ipv6Bytes = 28;

    /// <summary>What an IPv6 address has to have at least: without the scope, as in RFC 2133.</summary>
    internal const int Ipv6BytesMin = 24;

    /// <summary>The family, which every address begins with.</summary>
    public static AddressFamily Family(ReadOnlySpan<byte> address) => (AddressFamily)BitConverter.ToUInt16(address);

    /// <summary>Address and port; the length and the family have been checked.</summary>
    internal static Endpoint ReadIpv4(ReadOnlySpan<byte> address) =>
        new(IpAddress.ReadIpv4(address[4..]), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));

    /// <summary>Address and port; the length and the family have been checked. ::ffff:a.b.c.d is the IPv4 address.</summary>
    internal static Endpoint ReadIpv6(ReadOnlySpan<byte> address) =>
        new(IpAddress.ReadIpv6(address[8..]), BinaryPrimitives.ReadUInt16BigEndian(address[2..]));

    /// <summary>sin6_flowinfo without the bits that mean nothing (IPV6_FLOWINFO_MASK): traffic class and flow label.</summary>
    internal const uint FlowInfoMask = 0x0FFF_FFFF;

    /// <summary>sin6_flowinfo; the length has been checked.</summary>
    internal static uint ReadFlowInfo(ReadOnlySpan<byte> address) => BinaryPrimitives.ReadUInt32BigEndian(address[FlowInfoOffset..]) & FlowInfoMask;

    /// <summary>Puts sin6_flowinfo into an address, where there is room for it.</summary>
    internal static void WriteFlowInfo(Span<byte> address, uint flowInfo)
    {
        Span<byte> bytes = stackalloc byte[sizeof(uint)];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, flowInfo);
        Span<byte> to = address[Math.Min(address.Length, FlowInfoOffset)..];
        bytes[..Math.Min(bytes.Length, to.Length)].CopyTo(to);
    }

    /// <summary>sin6_scope_id: the interface that the address is of; 0 for none. The address has all its bytes.</summary>
    internal static int ReadScope(ReadOnlySpan<byte> address) => BitConverter.ToInt32(address[Ipv6BytesMin..]);

    private const int FlowInfoOffset = 4;

    /// <summary>Writes an endpoint as a socket of a family shows it, as much as there is room for; the whole length.</summary>
    public static int Write(Span<byte> to, AddressFamily family, in Endpoint endpoint)
    {
        Span<byte> bytes = stackalloc byte[Ipv6Bytes];
        bytes.Clear();
        BitConverter.TryWriteBytes(bytes, (ushort)family);
        BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], endpoint.Port);
        if (family == AddressFamily.AF_INET)
        {
            endpoint.Address.WriteIpv4(bytes[4..]);
            bytes[..Math.Min(Ipv4Bytes, to.Length)].CopyTo(to);
            return Ipv4Bytes;
        }

        // An unspecified address is "::" to an IPv6 socket, even where the engine has it as 0.0.0.0.
        if (!endpoint.Address.IsUnspecified)
        {
            endpoint.Address.WriteIpv6(bytes[8..]);
        }

        bytes[..Math.Min(Ipv6Bytes, to.Length)].CopyTo(to);
        return Ipv6Bytes;
    }

    /// <summary>An endpoint as bytes, of its own family.</summary>
    public static byte[] Of(in Endpoint endpoint)
    {
        byte[] bytes = new byte[endpoint.Address.IsIpv4 ? Ipv4Bytes : Ipv6Bytes];
        Write(bytes, endpoint.Address.IsIpv4 ? AddressFamily.AF_INET : AddressFamily.AF_INET6, endpoint);
        return bytes;
    }
}
