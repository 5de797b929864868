using Portico.Net;

namespace Portico.Linux;

// Datagrams of a socket that is bound and not connected.
internal readonly unsafe partial struct HostSocket
{
    private const int ControlBytes = 512;

    /// <summary>Lets <see cref="ReceiveFrom"/> say which of the host's addresses a datagram was sent to.</summary>
    public void ReportLocalAddress(bool isIpv4) =>
        SetOption(
            isIpv4 ? LibC.IPPROTO_IP : LibC.IPPROTO_IPV6, isIpv4 ? LibC.IP_PKTINFO : LibC.IPV6_RECVPKTINFO, 1);

    /// <summary>Takes a datagram, its sender, and the own address that an answer has to come from.</summary>
    public Errno ReceiveFrom(Span<byte> buffer, out int received, out Endpoint peer, out IpAddress local)
    {
        byte* address = stackalloc byte[28];
        byte* control = stackalloc byte[ControlBytes];
        peer = default;
        local = default;
        fixed (byte* bytes = buffer)
        {
            LibC.IoVector vector = new() { Base = bytes, Length = (nuint)buffer.Length };
            LibC.MessageHeader message = new()
            {
                Name = address, NameLength = 28, Vector = &vector, VectorCount = 1, Control = control, ControlLength = ControlBytes,
            };
            nint count = LibC.ReceiveMessage(fd, &message, LibC.MSG_DONTWAIT);
            received = (int)Math.Max(count, 0);
            if (count < 0)
            {
                return LastError;
            }

            TryReadAddress(address, message.NameLength, out peer);
            if (FindControl(message, LibC.IPPROTO_IP, LibC.IP_PKTINFO, 12) is var ipv4 and not null)
            {
                // struct in_pktinfo: the interface, the own address, the address in the header.
                local = IpAddress.ReadIpv4(new ReadOnlySpan<byte>(ipv4 + 4, 4));
            }
            else if (FindControl(message, LibC.IPPROTO_IPV6, LibC.IPV6_PKTINFO, 20) is var ipv6 and not null)
            {
                local = IpAddress.ReadIpv6(new ReadOnlySpan<byte>(ipv6, 16));
            }

            return Errno.None;
        }
    }

    /// <summary>Sends a datagram from one of the host's addresses.</summary>
    public Errno SendTo(ReadOnlySpan<byte> payload, in Endpoint peer, in IpAddress local)
    {
        byte* address = stackalloc byte[28];
        byte* control = stackalloc byte[40];
        new Span<byte>(control, 40).Clear();
        LibC.ControlHeader* header = (LibC.ControlHeader*)control;
        byte* data = control + sizeof(LibC.ControlHeader);
        bool isIpv4 = peer.Address.IsIpv4;
        if (isIpv4)
        {
            *header = new LibC.ControlHeader { Length = 16 + 12, Level = LibC.IPPROTO_IP, Type = LibC.IP_PKTINFO };
            local.WriteIpv4(new Span<byte>(data + 4, 4));
        }
        else
        {
            *header = new LibC.ControlHeader { Length = 16 + 20, Level = LibC.IPPROTO_IPV6, Type = LibC.IPV6_PKTINFO };
            local.WriteIpv6(new Span<byte>(data, 16));
        }

        fixed (byte* bytes = payload)
        {
            LibC.IoVector vector = new() { Base = bytes, Length = (nuint)payload.Length };
            LibC.MessageHeader message = new()
            {
                Name = address,
                NameLength = WriteAddress(peer, address),
                Vector = &vector,
                VectorCount = 1,
                Control = control,
                ControlLength = isIpv4 ? 32u : 40u,
            };
            return LibC.SendMessage(fd, &message, LibC.MSG_NOSIGNAL | LibC.MSG_DONTWAIT) < 0 ? LastError : Errno.None;
        }
    }

    /// <summary>The data of an ancillary message of a kind that has at least so many bytes; or null.</summary>
    private static byte* FindControl(in LibC.MessageHeader message, int level, int type, int bytesMin)
    {
        nuint offset = 0;
        nuint head = (nuint)sizeof(LibC.ControlHeader);
        while (offset + head <= message.ControlLength)
        {
            LibC.ControlHeader* header = (LibC.ControlHeader*)((byte*)message.Control + offset);
            if (header->Length < head || header->Length > message.ControlLength - offset)
            {
                return null;
            }

            if (header->Level == level && header->Type == type && header->Length >= head + (nuint)bytesMin)
            {
                return (byte*)header + head;
            }

            offset += (header->Length + 7) & ~(nuint)7;
        }

        return null;
    }
}
