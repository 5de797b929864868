using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of the level SOL_PACKET.
internal sealed partial class PacketSocketFile
{
    private const int SOL_PACKET = 263;

    /// <summary>struct packet_mreq: an interface, a type, and an address.</summary>
    private const int MembershipBytes = 16;

    /// <summary>The most memberships of one socket, which memory alone bounds in Linux.</summary>
    private const int MembershipsMax = 1024;

    private enum PacketOption
    {
        PACKET_ADD_MEMBERSHIP = 1,
        PACKET_DROP_MEMBERSHIP = 2,
        PACKET_STATISTICS = 6,
        PACKET_AUXDATA = 8,
        PACKET_ORIGDEV = 9,
        PACKET_QDISC_BYPASS = 20,
        PACKET_IGNORE_OUTGOING = 23,
    }

    private enum MembershipType : ushort
    {
        PACKET_MR_MULTICAST = 0,
        PACKET_MR_PROMISC = 1,
        PACKET_MR_ALLMULTI = 2,
        PACKET_MR_UNICAST = 3,
    }

    private readonly record struct Membership(int InterfaceIndex, MembershipType Type, byte Length, ulong Address);

    private List<(Membership Membership, int Count)>? _memberships;
    private bool _tellsAuxiliary;
    private bool _tellsOriginal;
    private bool _ignoresOutgoing;

    /// <summary>Links here have no queue to go past.</summary>
    private bool _bypassesQueue;

    protected override void OnGenericChanged(SocketOption option)
    {
        if (option is SocketOption.SO_RCVBUF or SocketOption.SO_RCVBUFFORCE)
        {
            UpdateOptions();
        }
    }

    protected override Errno GetProtocolOption(int level, int option, Span<byte> value, out int length)
    {
        length = 0;
        if (level != SOL_PACKET)
        {
            return Errno.ENOPROTOOPT;
        }

        switch ((PacketOption)option)
        {
            case PacketOption.PACKET_STATISTICS:
                (uint packets, uint drops) = Packets.TakeStatistics(_handle);
                return Return(MemoryMarshal.AsBytes<uint>([packets, drops]), value, out length);
            case PacketOption.PACKET_AUXDATA:
                return Return(_tellsAuxiliary ? 1 : 0, value, out length);
            case PacketOption.PACKET_ORIGDEV:
                return Return(_tellsOriginal ? 1 : 0, value, out length);
            case PacketOption.PACKET_QDISC_BYPASS:
                return Return(_bypassesQueue ? 1 : 0, value, out length);
            case PacketOption.PACKET_IGNORE_OUTGOING:
                return Return(_ignoresOutgoing ? 1 : 0, value, out length);
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    protected override Errno SetProtocolOption(Process process, int level, int option, ReadOnlySpan<byte> value)
    {
        if (level != SOL_PACKET)
        {
            return Errno.ENOPROTOOPT;
        }

        bool isNumber = value.Length >= sizeof(int);
        int number = isNumber ? MemoryMarshal.Read<int>(value) : 0;
        switch ((PacketOption)option)
        {
            case PacketOption.PACKET_ADD_MEMBERSHIP or PacketOption.PACKET_DROP_MEMBERSHIP:
                return ChangeMembership(value, isAdded: option == (int)PacketOption.PACKET_ADD_MEMBERSHIP);
            case PacketOption.PACKET_AUXDATA when isNumber:
                _tellsAuxiliary = number != 0;
                return Errno.None;
            case PacketOption.PACKET_ORIGDEV when isNumber:
                _tellsOriginal = number != 0;
                return Errno.None;
            case PacketOption.PACKET_QDISC_BYPASS when value.Length == sizeof(int):
                _bypassesQueue = number != 0;
                return Errno.None;
            case PacketOption.PACKET_IGNORE_OUTGOING when value.Length == sizeof(int) && number is 0 or 1:
                _ignoresOutgoing = number != 0;
                UpdateOptions();
                return Errno.None;
            case PacketOption.PACKET_AUXDATA or PacketOption.PACKET_ORIGDEV or PacketOption.PACKET_QDISC_BYPASS or PacketOption.PACKET_IGNORE_OUTGOING:
                return Errno.EINVAL;
            default:
                return Errno.ENOPROTOOPT;
        }
    }

    /// <summary>
    /// What an interface is to let through. The links here filter nothing, as Linux's veth: all that reaches an interface is seen. Errors:
    /// EINVAL, ENODEV, ENOBUFS.
    /// </summary>
    private Errno ChangeMembership(ReadOnlySpan<byte> value, bool isAdded)
    {
        if (value.Length < MembershipBytes)
        {
            return Errno.EINVAL;
        }

        int addressBytes = MemoryMarshal.Read<ushort>(value[6..]);
        if (value.Length < 8 + addressBytes)
        {
            return Errno.EINVAL;
        }

        ulong address = MemoryMarshal.Read<ulong>(value[8..]);
        address &= addressBytes >= sizeof(ulong) ? ulong.MaxValue : (1UL << (addressBytes * 8)) - 1;
        Membership membership = new(MemoryMarshal.Read<int>(value), (MembershipType)MemoryMarshal.Read<ushort>(value[4..]), (byte)addressBytes, address);
        int known = _memberships?.FindIndex(candidate => candidate.Membership == membership) ?? -1;
        if (!isAdded)
        {
            // As in Linux, who leaves what it has not joined is not told.
            if (known >= 0)
            {
                Drop(known);
            }

            return Errno.None;
        }

        Net.NetworkInterface? named = FindInterface(membership.InterfaceIndex);
        if (named == null)
        {
            return Errno.ENODEV;
        }

        bool isOfOne = membership.Type is MembershipType.PACKET_MR_MULTICAST or MembershipType.PACKET_MR_UNICAST;
        if (addressBytes > named.AddressLength || (known < 0 && isOfOne && addressBytes != named.AddressLength))
        {
            return Errno.EINVAL;
        }

        _memberships ??= [];
        if (known >= 0)
        {
            _memberships[known] = (membership, _memberships[known].Count + 1);
            return Errno.None;
        }

        if (_memberships.Count >= MembershipsMax)
        {
            return Errno.ENOBUFS;
        }

        _memberships.Add((membership, 1));
        return Errno.None;
    }

    private void Drop(int known)
    {
        (Membership membership, int count) = _memberships![known];
        if (count > 1)
        {
            _memberships[known] = (membership, count - 1);
        }
        else
        {
            _memberships.RemoveAt(known);
        }
    }

    /// <summary>PACKET_AUXDATA: struct tpacket_auxdata.</summary>
    private void PutAuxiliary(ref ControlWriter control, in PacketReceiveInfo info)
    {
        const int TP_STATUS_USER = 1;
        const int TP_STATUS_CSUMNOTREADY = 1 << 3;
        const int TP_STATUS_CSUM_VALID = 1 << 7;
        const int TP_STATUS_GSO_TCP = 1 << 8;
        if (!_tellsAuxiliary)
        {
            return;
        }

        bool isIncoming = info.Source.Kind != PacketKind.PACKET_OUTGOING;
        int status = TP_STATUS_USER
            | (info.Checksum == ChecksumState.Partial ? TP_STATUS_CSUMNOTREADY : 0)
            | (info.Checksum == ChecksumState.Verified && isIncoming ? TP_STATUS_CSUM_VALID : 0)
            | (info.IsTcpSegments ? TP_STATUS_GSO_TCP : 0);

        // Behind the lengths are where the link's header and the network's are, and two words of 802.1Q.
        ReadOnlySpan<int> words = [status, info.OriginalLength, info.TotalLength, info.NetworkOffset << 16, 0];
        control.Put(SOL_PACKET, (int)PacketOption.PACKET_AUXDATA, MemoryMarshal.AsBytes(words));
    }

    private void UpdateOptions() =>
        Packets.SetOptions(_handle, new PacketSocketOptions { ReceiveMemoryMax = Generic.ReceiveBuffer, IgnoreOutgoing = _ignoresOutgoing });
}
