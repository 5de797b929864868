using Portico.Net;

namespace Portico.Linux;

/// <summary>What a socket of the host has heard about a datagram that it sent.</summary>
internal struct HostSocketError
{
    public Errno Error;

    /// <summary>Whether somebody has reported it by ICMP; it was the host itself otherwise.</summary>
    public bool IsReported;

    public IcmpErrorReport Report;

    /// <summary>Where the datagram was sent to.</summary>
    public Endpoint Destination;

    /// <summary>The bytes of the datagram that came back with the error.</summary>
    public int QuotedBytes;
}

// The error queue (IP_RECVERR in ip(7), IPV6_RECVERR in ipv6(7)).
internal readonly unsafe partial struct HostSocket
{
    private const byte SO_EE_ORIGIN_ICMP = 2;
    private const byte SO_EE_ORIGIN_ICMP6 = 3;

    /// <summary>sizeof(struct sock_extended_err), behind which stands the address of who reported it.</summary>
    private const int ExtendedErrorBytes = 16;

    /// <summary>Keeps what is reported about the socket's datagrams, also errors that may pass, for <see cref="TryTakeError"/>.</summary>
    public void QueueErrors(bool isIpv4) =>
        SetOption(
            isIpv4 ? LibC.IPPROTO_IP : LibC.IPPROTO_IPV6, isIpv4 ? LibC.IP_RECVERR : LibC.IPV6_RECVERR, 1);

    /// <summary>Takes the oldest error of the queue; <paramref name="quoted"/> receives the payload that it quotes.</summary>
    public bool TryTakeError(Span<byte> quoted, out HostSocketError error)
    {
        byte* address = stackalloc byte[28];
        byte* control = stackalloc byte[ControlBytes];
        error = default;
        fixed (byte* bytes = quoted)
        {
            LibC.IoVector vector = new() { Base = bytes, Length = (nuint)quoted.Length };
            LibC.MessageHeader message = new()
            {
                Name = address, NameLength = 28, Vector = &vector, VectorCount = 1, Control = control, ControlLength = ControlBytes,
            };
            nint count = LibC.ReceiveMessage(fd, &message, LibC.MSG_ERRQUEUE | LibC.MSG_DONTWAIT);
            if (count < 0)
            {
                return false;
            }

            error.QuotedBytes = (int)count;
            TryReadAddress(address, message.NameLength, out error.Destination);
            byte* data = FindControl(message, LibC.IPPROTO_IP, LibC.IP_RECVERR, ExtendedErrorBytes);
            if (data == null)
            {
                data = FindControl(message, LibC.IPPROTO_IPV6, LibC.IPV6_RECVERR, ExtendedErrorBytes);
            }

            if (data != null)
            {
                ReadExtendedError(data, ref error);
            }

            return true;
        }
    }

    private static void ReadExtendedError(byte* data, ref HostSocketError error)
    {
        error.Error = (Errno)(*(int*)data);
        byte origin = data[4];
        byte type = data[5];
        uint info = *(uint*)(data + 8);
        error.IsReported = origin is SO_EE_ORIGIN_ICMP or SO_EE_ORIGIN_ICMP6;
        if (!error.IsReported)
        {
            return;
        }

        // An IPv4 pointer stands in the first of the four bytes (RFC 792); everything else fills them from the right.
        uint rest = origin == SO_EE_ORIGIN_ICMP && type == IcmpType.ParameterProblem ? info << 24 : info;
        byte* offender = data + ExtendedErrorBytes;
        bool isKnown = TryReadAddress(offender, *(ushort*)offender == LibC.AF_INET6 ? 28u : 16u, out Endpoint reporter);
        error.Report = new IcmpErrorReport(isKnown ? reporter.Address : default, type, data[6], rest);
    }
}
