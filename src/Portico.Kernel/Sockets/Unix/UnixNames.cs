using System.Diagnostics.CodeAnalysis;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Where sockets with a path are found.</summary>
internal interface IUnixPaths
{
    /// <summary>Makes a socket file for a socket. Errors: EADDRINUSE where the path exists; those of making a file.</summary>
    Errno Bind(Process process, ReadOnlySpan<byte> path, UnixSocket socket);

    /// <summary>The socket behind a path. Errors: ENOENT and the like, EACCES, ECONNREFUSED where no socket is bound to the file any more.</summary>
    Errno Find(Process process, ReadOnlySpan<byte> path, out UnixSocket? socket);
}

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

/// <summary>Paths of sockets by themselves, without a file system under them: a path stays taken after its socket has been closed.</summary>
internal sealed class UnixPathTable : IUnixPaths
{
    private readonly Dictionary<byte[], UnixSocket> _sockets = new(NameComparer.Instance);

    public Errno Bind(Process process, ReadOnlySpan<byte> path, UnixSocket socket) =>
        _sockets.TryAdd(path.ToArray(), socket) ? Errno.None : Errno.EADDRINUSE;

    public Errno Find(Process process, ReadOnlySpan<byte> path, out UnixSocket? socket)
    {
        if (!_sockets.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(path, out socket))
        {
            return Errno.ENOENT;
        }

        return socket.IsDead ? Errno.ECONNREFUSED : Errno.None;
    }
}
