using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>A non-blocking socket of the host, by its descriptor; every call returns an <see cref="Errno"/>.</summary>
internal readonly unsafe partial struct HostSocket(int fd)
{
    /// <summary>The descriptor.</summary>
    public int Fd => fd;

    /// <summary>Whether there is one.</summary>
    public bool IsOpen => fd > 0;

    public static Errno LastError => (Errno)Marshal.GetLastPInvokeError();

    /// <summary>
    /// Makes a socket and begins to connect it; None also while the connection is under way. <paramref name="scope"/> is the interface
    /// of a link-local address.
    /// </summary>
    public static Errno Connect(in Endpoint remote, int type, int protocol, out HostSocket socket, uint scope = 0)
    {
        int family = remote.Address.IsIpv4 ? LibC.AF_INET : LibC.AF_INET6;
        socket = default;
        Errno error = DescriptorReserve.Open(family, type, protocol, out int fd);
        if (error != Errno.None)
        {
            return error;
        }

        socket = new HostSocket(fd);
        byte* address = stackalloc byte[28];
        uint length = WriteAddress(remote, address);
        if (length == 28)
        {
            *(uint*)(address + 24) = scope;
        }

        if (LibC.Connect(fd, address, length) == 0)
        {
            return Errno.None;
        }

        error = LastError;
        if (error == Errno.EINPROGRESS)
        {
            return Errno.None;
        }

        socket.Close();
        socket = default;
        return error;
    }

    /// <summary>Whether an address belongs to an interface of the host: only such can be bound.</summary>
    public static bool IsLocal(in IpAddress address)
    {
        int fd = LibC.Socket(address.IsIpv4 ? LibC.AF_INET : LibC.AF_INET6, LibC.SOCK_DGRAM | LibC.SOCK_CLOEXEC, LibC.IPPROTO_UDP);
        if (fd < 0)
        {
            // Who cannot look takes the worse of the two answers.
            return LastError is not Errno.EAFNOSUPPORT;
        }

        byte* bytes = stackalloc byte[28];
        uint length = WriteAddress(new Endpoint(address, 0), bytes);
        bool isLocal = LibC.Bind(fd, bytes, length) == 0;
        LibC.Close(fd);
        return isLocal;
    }

    /// <summary>The pending error, which is cleared.</summary>
    public Errno TakeError()
    {
        int value = 0;
        uint length = 4;
        return LibC.GetSocketOption(fd, LibC.SOL_SOCKET, LibC.SO_ERROR, &value, &length) < 0 ? LastError : (Errno)value;
    }

    public void SetOption(int level, int option, int value) => LibC.SetSocketOption(fd, level, option, &value, 4);

    public Errno Send(ReadOnlySpan<byte> data, out int sent, int flags = 0)
    {
        fixed (byte* bytes = data)
        {
            nint count;
            do
            {
                count = LibC.Send(fd, bytes, (nuint)data.Length, LibC.MSG_NOSIGNAL | LibC.MSG_DONTWAIT | flags);
            }
            while (count < 0 && LastError == Errno.EINTR);

            sent = (int)Math.Max(count, 0);
            return count < 0 ? LastError : Errno.None;
        }
    }

    /// <summary>Sends bytes from several places, in order, in one call.</summary>
    public Errno Send(ReadOnlySpan<TcpReceivedSlice> slices, out int sent)
    {
        LibC.IoVector* vector = stackalloc LibC.IoVector[slices.Length];
        for (int i = 0; i < slices.Length; i++)
        {
            vector[i].Base = slices[i].Start;
            vector[i].Length = (nuint)slices[i].Length;
        }

        LibC.MessageHeader message = new() { Vector = vector, VectorCount = (nuint)slices.Length };
        nint count;
        do
        {
            count = LibC.SendMessage(fd, &message, LibC.MSG_NOSIGNAL | LibC.MSG_DONTWAIT);
        }
        while (count < 0 && LastError == Errno.EINTR);

        sent = (int)Math.Max(count, 0);
        return count < 0 ? LastError : Errno.None;
    }

    public Errno Receive(Span<byte> buffer, out int received, int flags = 0)
    {
        fixed (byte* bytes = buffer)
        {
            nint count;
            do
            {
                count = LibC.Receive(fd, bytes, (nuint)buffer.Length, LibC.MSG_DONTWAIT | flags);
            }
            while (count < 0 && LastError == Errno.EINTR);

            received = (int)Math.Max(count, 0);
            return count < 0 ? LastError : Errno.None;
        }
    }

    /// <summary>Whether the next byte to be read is the urgent one (sockatmark(3)).</summary>
    public bool IsAtMark()
    {
        int isAtMark = 0;
        return LibC.Ioctl(fd, LibC.SIOCATMARK, &isAtMark) == 0 && isAtMark != 0;
    }

    public void ShutdownSend() => LibC.Shutdown(fd, LibC.SHUT_WR);

    /// <summary>Its own end.</summary>
    public bool TryGetLocal(out Endpoint local)
    {
        byte* address = stackalloc byte[28];
        uint length = 28;
        local = default;
        return LibC.GetSocketName(fd, address, &length) == 0 && TryReadAddress(address, length, out local);
    }

    public void Close() => LibC.Close(fd);

    /// <summary>Closes with a reset instead of an end.</summary>
    public void Reset()
    {
        ulong lingerZero = 1;
        LibC.SetSocketOption(fd, LibC.SOL_SOCKET, LibC.SO_LINGER, &lingerZero, 8);
        LibC.Close(fd);
    }

    internal static uint WriteAddress(in Endpoint endpoint, byte* destination)
    {
        new Span<byte>(destination, 28).Clear();
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(new Span<byte>(destination + 2, 2), endpoint.Port);
        if (endpoint.Address.IsIpv4)
        {
            *(ushort*)destination = LibC.AF_INET;
            endpoint.Address.WriteIpv4(new Span<byte>(destination + 4, 4));
            return 16;
        }

        *(ushort*)destination = LibC.AF_INET6;
        endpoint.Address.WriteIpv6(new Span<byte>(destination + 8, 16));
        return 28;
    }

    internal static bool TryReadAddress(byte* source, uint length, out Endpoint endpoint)
    {
        ushort port = System.Buffers.Binary.BinaryPrimitives.ReadUInt16BigEndian(new ReadOnlySpan<byte>(source + 2, 2));
        switch (*(ushort*)source)
        {
            case LibC.AF_INET when length >= 16:
                endpoint = new Endpoint(IpAddress.ReadIpv4(new ReadOnlySpan<byte>(source + 4, 4)), port);
                return true;
            case LibC.AF_INET6 when length >= 28:
                endpoint = new Endpoint(IpAddress.ReadIpv6(new ReadOnlySpan<byte>(source + 8, 16)), port);
                return true;
            default:
                endpoint = default;
                return false;
        }
    }
}
