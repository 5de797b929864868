namespace Portico.Net;

// Which socket a datagram is for. Connected sockets with an address of their own are in a table by the whole flow; all others are in a
// table by local address and port. As in Linux (udp4_lib_lookup2, udp6_lib_lookup2), a connected socket beats one bound to the
// address, that beats a wildcard, IPv4's own wildcard beats ::, and a socket bound to the interface beats one that is not.
public sealed partial class UdpLayer
{
    private UdpSocket? Lookup(in Endpoint local, in Endpoint remote, int interfaceIndex)
    {
        UdpSocket? found = LookupFlow(local, remote, interfaceIndex);
        if (found != null)
        {
            return found;
        }

        int score = 0;
        found = BestBound(local.Address, local, remote, interfaceIndex, ref score);
        if (found == null)
        {
            if (local.Address.IsIpv4)
            {
                found = BestBound(IpAddress.AnyIpv4, local, remote, interfaceIndex, ref score);
            }

            found = BestBound(IpAddress.AnyIpv6, local, remote, interfaceIndex, ref score) ?? found;
        }

        return found is { ReusePort: true, IsConnected: false } ? PickOfGroup(found, local, remote, interfaceIndex, score) : found;
    }

    private UdpSocket? LookupFlow(in Endpoint local, in Endpoint remote, int interfaceIndex)
    {
        if (_flows.IsEmpty)
        {
            return null;
        }

        ulong hash = SipHash.HashFlow(_key, local.Address, remote.Address, local.Port, remote.Port);
        UdpSocket? found = null;
        for (UdpSocket? socket = _flows.First(hash); socket != null; socket = socket.HashNext)
        {
            if (socket.Hash == hash && socket.LocalAddress == local.Address && socket.Port == local.Port && socket.Remote == remote
                && (socket.InterfaceIndex == 0 || socket.InterfaceIndex == interfaceIndex))
            {
                if (socket.InterfaceIndex != 0)
                {
                    return socket;
                }

                found ??= socket;
            }
        }

        return found;
    }

    /// <summary>The best of the sockets bound to an address, where it beats <paramref name="score"/>; the newest of equals.</summary>
    private UdpSocket? BestBound(in IpAddress bound, in Endpoint local, in Endpoint remote, int interfaceIndex, ref int score)
    {
        ulong hash = HashBound(bound, local.Port);
        UdpSocket? best = null;
        for (UdpSocket? socket = _bound.First(hash); socket != null; socket = socket.HashNext)
        {
            if (socket.Hash == hash)
            {
                int its = Score(socket, bound, local, remote, interfaceIndex);
                if (its > score)
                {
                    score = its;
                    best = socket;
                }
            }
        }

        return best;
    }

    private static int Score(UdpSocket socket, in IpAddress bound, in Endpoint local, in Endpoint remote, int interfaceIndex)
    {
        if (socket.Port != local.Port || socket.LocalAddress != bound || (socket.Ipv6Only && local.Address.IsIpv4))
        {
            return 0;
        }

        int score = socket.IsIpv6 ? 1 : 2;
        if (socket.IsConnected)
        {
            if (socket.Remote != remote)
            {
                return 0;
            }

            score += 8;
        }

        if (socket.InterfaceIndex != 0)
        {
            if (socket.InterfaceIndex != interfaceIndex)
            {
                return 0;
            }

            score += 4;
        }

        return score;
    }

    /// <summary>
    /// SO_REUSEPORT: one flow always goes to the same socket of the group, chosen by a keyed hash (reuseport_select_sock).
    /// </summary>
    private UdpSocket PickOfGroup(UdpSocket first, in Endpoint local, in Endpoint remote, int interfaceIndex, int score)
    {
        uint count = 0;
        for (UdpSocket? socket = first; socket != null; socket = socket.HashNext)
        {
            count += IsInGroup(socket, first, local, remote, interfaceIndex, score) ? 1u : 0;
        }

        ulong hash = SipHash.HashFlow(_key, local.Address, remote.Address, local.Port, remote.Port);
        uint chosen = (uint)(((hash >> 32) * count) >> 32);
        for (UdpSocket? socket = first; socket != null; socket = socket.HashNext)
        {
            if (IsInGroup(socket, first, local, remote, interfaceIndex, score) && chosen-- == 0)
            {
                return socket;
            }
        }

        return first;
    }

    private static bool IsInGroup(
        UdpSocket socket, UdpSocket first, in Endpoint local, in Endpoint remote, int interfaceIndex, int score) =>
        socket.Hash == first.Hash && socket.ReusePort && !socket.IsConnected
        && Score(socket, first.LocalAddress, local, remote, interfaceIndex) == score;

    private ulong HashBound(in IpAddress address, ushort port) => SipHash.HashFlow(_key, address, address, port, 0);

    /// <summary>Puts the socket where its addresses belong; called after each change of them.</summary>
    private void Rehash(UdpSocket socket)
    {
        if (socket.IsHashed)
        {
            Unhash(socket);
        }

        if (!socket.Binding.IsBound)
        {
            return;
        }

        // A connected socket that was bound to a group or a wildcard still receives by what it is bound to.
        IpAddress local = socket.LocalAddress;
        socket.IsInFlowTable = socket.IsConnected && !local.IsUnspecified && !local.IsMulticast && local == socket.SourceAddress;
        if (socket.IsInFlowTable)
        {
            _flows.Add(socket, SipHash.HashFlow(_key, local, socket.Remote.Address, socket.Port, socket.Remote.Port));
        }
        else
        {
            _bound.Add(socket, HashBound(local, socket.Port));
        }
    }

    private void Unhash(UdpSocket socket) => (socket.IsInFlowTable ? _flows : _bound).Remove(socket);
}
