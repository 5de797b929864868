using System.Buffers;
using Portico.Net;

namespace Portico.Linux;

/// <summary>One side of a <see cref="TcpRelay"/>.</summary>
internal interface ITcpRelayEnd
{
    /// <summary>Whether it is the host's side.</summary>
    static abstract bool IsHost { get; }

    /// <summary>Takes bytes, or the one urgent byte. None with 0 bytes is the end.</summary>
    Errno Receive(Span<byte> buffer, out int received, out bool isUrgent);

    /// <summary>Gives bytes, or the one urgent byte.</summary>
    Errno Send(ReadOnlySpan<byte> bytes, bool isUrgent, out int sent);

    /// <summary>Ends this side's direction: nothing more will be sent.</summary>
    void ShutdownSend();
}

/// <summary>
/// The host's side. A read of a stream stops before the urgent mark, also where urgent data is in line; who begins a read at the mark
/// reads over it and never knows. So that reading goes on after a short read only where an event has said that there is more.
/// </summary>
internal struct TcpHostEnd : ITcpRelayEnd
{
    public HostSocket Socket;
    private bool _isUrgentAhead;
    private bool _mayHaveEnded;

    public static bool IsHost => true;

    /// <summary>False when it is certain that nothing more is there until the next event.</summary>
    public bool MayHaveMore { get; private set; }

    public void Remember(SocketEvents events)
    {
        _isUrgentAhead |= (events & SocketEvents.Priority) != 0;
        _mayHaveEnded |= (events & (SocketEvents.ReadHangUp | SocketEvents.HangUp | SocketEvents.Error)) != 0;
    }

    public Errno Receive(Span<byte> buffer, out int received, out bool isUrgent)
    {
        isUrgent = _isUrgentAhead && Socket.IsAtMark();
        Errno error = Socket.Receive(isUrgent ? buffer[..1] : buffer, out received);
        _isUrgentAhead &= !isUrgent || received == 0;
        MayHaveMore = received == buffer.Length || isUrgent || _isUrgentAhead || _mayHaveEnded;
        return error;
    }

    public readonly Errno Send(ReadOnlySpan<byte> bytes, bool isUrgent, out int sent) =>
        Socket.Send(bytes, out sent, isUrgent ? LibC.MSG_OOB : 0);

    public readonly void ShutdownSend() => Socket.ShutdownSend();
}

/// <summary>The stack's side.</summary>
internal struct TcpStackEnd : ITcpRelayEnd
{
    public TcpLayer Tcp;
    public TcpHandle Handle;

    public static bool IsHost => false;

    public readonly Errno Receive(Span<byte> buffer, out int received, out bool isUrgent)
    {
        isUrgent = Tcp.IsAtMark(Handle);
        return Tcp.Receive(Handle, isUrgent ? buffer[..1] : buffer, TcpReceiveFlags.None, out received);
    }

    public readonly Errno Send(ReadOnlySpan<byte> bytes, bool isUrgent, out int sent) =>
        Tcp.Send(Handle, bytes, isUrgent ? TcpSendFlags.OutOfBand : TcpSendFlags.None, out sent);

    public readonly void ShutdownSend() => Tcp.Shutdown(Handle, TcpShutdown.Send);
}

/// <summary>One direction of a relay: what one side has given and the other has not taken yet, and whether the end was reached.</summary>
internal struct TcpRelayDirection
{
    private byte[]? _bytes;
    private int _start;
    private int _end;

    public readonly bool IsEmpty => _bytes == null;

    public readonly ReadOnlySpan<byte> Kept => _bytes.AsSpan(_start, _end - _start);

    /// <summary>Whether what is kept is the urgent byte.</summary>
    public bool IsUrgent { get; private set; }

    public bool HasEnded { get; set; }

    public readonly bool IsDone => HasEnded && IsEmpty;

    public void Keep(ReadOnlySpan<byte> bytes, bool isUrgent)
    {
        _bytes = ArrayPool<byte>.Shared.Rent(bytes.Length);
        bytes.CopyTo(_bytes);
        _start = 0;
        _end = bytes.Length;
        IsUrgent = isUrgent;
    }

    public void Take(int count)
    {
        _start += count;
        if (_start == _end)
        {
            Clear();
        }
    }

    public void Clear()
    {
        if (_bytes != null)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
            _bytes = null;
        }
    }
}
