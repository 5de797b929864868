using System.Diagnostics.CodeAnalysis;

namespace Portico.Net;

/// <summary>What all sockets that receive datagrams have. Objects are reused; the generation is odd while the socket is open.</summary>
internal abstract class DatagramSocket(int index)
{
    public readonly int Index = index;
    public uint Generation;
    public int OwnerSlot;
    public DatagramQueue Queue;
    public long Drops;

    public bool IsOpen => (Generation & 1) != 0;
}

/// <summary>The sockets of one kind in a stack, by a place and a generation, so that a stale handle is noticed.</summary>
internal sealed class DatagramSockets<TSocket>(Engine engine, Func<int, TSocket> make)
    where TSocket : DatagramSocket
{
    private TSocket[] _all = [];
    private int[] _free = [];
    private int _freeCount;

    /// <summary>Places that there are, open or not.</summary>
    public int Places { get; private set; }

    /// <summary>How many are open.</summary>
    public int OpenCount => Places - _freeCount;

    public TSocket this[int index] => _all[index];

    /// <summary>Opens one, whose owner hears of readiness; null for nobody.</summary>
    public TSocket Open(ISocketOwner? owner)
    {
        if (_freeCount == 0)
        {
            if (Places == _all.Length)
            {
                Array.Resize(ref _all, Math.Max(16, Places * 2));
            }

            _all[Places] = make(Places);
            Places++;
        }

        TSocket socket = _freeCount > 0 ? _all[_free[--_freeCount]] : _all[Places - 1];
        socket.Generation++;
        socket.Drops = 0;
        socket.OwnerSlot = owner == null ? 0 : engine.RegisterOwner(owner);
        return socket;
    }

    /// <summary>The place is free again; handles of the socket are dead from here on.</summary>
    public void Close(TSocket socket)
    {
        if (socket.OwnerSlot != 0)
        {
            engine.UnregisterOwner(socket.OwnerSlot);
            socket.OwnerSlot = 0;
        }

        socket.Generation++;
        if (_freeCount == _free.Length)
        {
            Array.Resize(ref _free, Math.Max(16, _freeCount * 2));
        }

        _free[_freeCount++] = socket.Index;
    }

    public bool TryGet(int index, uint generation, [NotNullWhen(true)] out TSocket? socket)
    {
        socket = (uint)index < (uint)Places ? _all[index] : null;
        if (socket != null && (socket.Generation != generation || !socket.IsOpen))
        {
            socket = null;
        }

        return socket != null;
    }
}
