using System.Numerics;

namespace Portico.Net;

/// <summary>
/// Sockets by a keyed hash of their addresses and ports: chains through the sockets, newest first, that stay about one long.
/// </summary>
internal sealed class UdpSocketTable
{
    private UdpSocket?[] _heads = new UdpSocket?[16];
    private int _count;

    public bool IsEmpty => _count == 0;

    /// <summary>The first socket whose hash may be the given one; follow <see cref="UdpSocket.HashNext"/>.</summary>
    public UdpSocket? First(ulong hash) => _heads[hash & (ulong)(_heads.Length - 1)];

    public void Add(UdpSocket socket, ulong hash)
    {
        if (_count == _heads.Length)
        {
            Grow();
        }

        socket.Hash = hash;
        socket.IsHashed = true;
        Link(_heads, socket);
        _count++;
    }

    public void Remove(UdpSocket socket)
    {
        if (socket.HashPrevious != null)
        {
            socket.HashPrevious.HashNext = socket.HashNext;
        }
        else
        {
            _heads[socket.Hash & (ulong)(_heads.Length - 1)] = socket.HashNext;
        }

        if (socket.HashNext != null)
        {
            socket.HashNext.HashPrevious = socket.HashPrevious;
        }

        socket.HashNext = socket.HashPrevious = null;
        socket.IsHashed = false;
        _count--;
    }

    private static void Link(UdpSocket?[] heads, UdpSocket socket)
    {
        ref UdpSocket? head = ref heads[socket.Hash & (ulong)(heads.Length - 1)];
        socket.HashPrevious = null;
        socket.HashNext = head;
        if (head != null)
        {
            head.HashPrevious = socket;
        }

        head = socket;
    }

    private void Grow()
    {
        UdpSocket?[] larger = new UdpSocket?[_heads.Length * 2];
        foreach (UdpSocket? head in _heads)
        {
            // From the oldest on, so that the newest is first again: who is found among equals must not depend on the table's size.
            UdpSocket? last = head;
            while (last?.HashNext != null)
            {
                last = last.HashNext;
            }

            while (last != null)
            {
                UdpSocket? previous = last.HashPrevious;
                Link(larger, last);
                last = previous;
            }
        }

        _heads = larger;
        Invariant.Check(BitOperations.IsPow2(larger.Length));
    }
}
