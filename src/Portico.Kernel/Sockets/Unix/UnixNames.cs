using System.Diagnostics.CodeAnalysis;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>The abstract names of a kernel: each network namespace has its own, and each type of socket.</summary>
internal sealed class UnixAbstractNames
{
    private const int AutobindNames = 1 << 20;
    private readonly Dictionary<(NetworkStack Stack, SocketType Type), Dictionary<byte[], UnixSocket>> _tables = [];
    private int _nextAutobind = Random.Shared.Next(AutobindNames);

    public Errno Bind(ReadOnlySpan<byte> address, UnixSocket socket)
    {
        if (!_tables.TryGetValue((socket.Stack, socket.SocketKind), out Dictionary<byte[], UnixSocket>? table))
        {
            table = new Dictionary<byte[], UnixSocket>(NameComparer.Instance);
            _tables.Add((socket.Stack, socket.SocketKind), table);
        }

        return table.TryAdd(address.ToArray(), socket) ? Errno.None : Errno.EADDRINUSE;
    }

    /// <summary>A name of five hexadecimal digits that is free. Errors: ENOSPC where none is.</summary>
    public Errno BindAutomatically(UnixSocket socket, out byte[]? address)
    {
        Span<byte> name = stackalloc byte[8];
        for (int tries = 0; tries < AutobindNames; tries++)
        {
            _nextAutobind = (_nextAutobind + 1) % AutobindNames;
            name[0] = (byte)AddressFamily.AF_UNIX;
            name[1] = name[2] = 0;
            _nextAutobind.TryFormat(name[3..], out _, "x5");
            if (Bind(name, socket) == Errno.None)
            {
                address = name.ToArray();
                return Errno.None;
            }
        }

        address = null;
        return Errno.ENOSPC;
    }

    public bool TryFind(NetworkStack stack, SocketType type, ReadOnlySpan<byte> address, [NotNullWhen(true)] out UnixSocket? socket)
    {
        socket = null;
        return _tables.TryGetValue((stack, type), out Dictionary<byte[], UnixSocket>? table)
            && table.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(address, out socket);
    }

    public void Unbind(byte[] address, UnixSocket socket) => _tables[(socket.Stack, socket.SocketKind)].Remove(address);
}
