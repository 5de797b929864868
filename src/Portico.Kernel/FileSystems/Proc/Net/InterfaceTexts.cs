using System.Buffers;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/dev, arp and if_inet6.</summary>
internal static class InterfaceTexts
{
    public static void WriteDevices(NetworkStack stack, ProcText text)
    {
        text.Append("Inter-|   Receive                                                |  Transmit\n");
        text.Append(" face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n");
        foreach (NetworkInterface device in stack.Interfaces)
        {
            text.Add($"{device.Name,6}: {device.ReceivedBytes,7} {device.ReceivedPackets,7} {0,4} {0,4} {0,4} {0,5} {0,10} {0,9} ");
            text.Add($"{device.SentBytes,8} {device.SentPackets,7} {0,4} {0,4} {0,4} {0,5} {0,7} {0,10}\n");
        }
    }

    public static void WriteNeighbours(NetworkStack stack, ProcText text)
    {
        const int Complete = 2;
        const int Permanent = 4;
        text.Append("IP address       HW type     Flags       HW address            Mask     Device\n");
        foreach (NetworkInterface device in stack.Interfaces)
        {
            if (device.Neighbours is not { } table)
            {
                continue;
            }

            Neighbour[] neighbours = ArrayPool<Neighbour>.Shared.Rent(table.Count);
            int count = table.CopyTo(neighbours);
            foreach (Neighbour neighbour in neighbours.AsSpan(0, count))
            {
                bool isKnown = neighbour.State is not (NudState.Incomplete or NudState.Failed);
                int flags = (isKnown ? Complete : 0) | (neighbour.State == NudState.Permanent ? Permanent : 0);
                if (neighbour.Address.IsIpv4)
                {
                    text.Add($"{neighbour.Address.ToString(),-16} 0x{"1",-10}0x{flags,-10:x}{neighbour.LinkAddress.ToString(),-17}     *        {device.Name}\n");
                }
            }

            ArrayPool<Neighbour>.Shared.Return(neighbours);
        }
    }

    public static void WriteAddresses(NetworkStack stack, ProcText text)
    {
        foreach (NetworkInterface device in stack.Interfaces)
        {
            foreach (InterfaceAddress address in device.Addresses)
            {
                if (!address.Address.IsIpv4)
                {
                    text.Add($"{address.Address.High:x16}{address.Address.Low:x16} {device.Index:x2} {address.Prefix.Length:x2} ");
                    text.Add($"{ScopeOf(address.Address):x2} {FlagsOf(address):x2} {device.Name,8}\n");
                }
            }
        }
    }

    /// <summary>As RFC 4291 2.7 numbers scopes, in the bits of Linux's address types.</summary>
    private static int ScopeOf(in IpAddress address) => address.IsLoopback ? 0x10 : address.IsLinkLocal ? 0x20 : 0;

    /// <summary>IFA_F_* of rtnetlink(7).</summary>
    private static int FlagsOf(InterfaceAddress address)
    {
        int flags = address.State switch
        {
            AddressState.Tentative => 0x40,
            AddressState.Duplicate => 0x48,
            AddressState.Deprecated => 0x20,
            _ => 0,
        };
        return flags | (address.IsTemporary ? 0x01 : 0x80);
    }
}
