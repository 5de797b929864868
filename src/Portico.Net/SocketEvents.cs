namespace Portico.Net;

/// <summary>Readiness, with the values of poll(2) and epoll(7).</summary>
[Flags]
public enum SocketEvents
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Data, a connection to accept, or the end of the stream can be read (EPOLLIN).</summary>
    Readable = 0x1,

    /// <summary>Urgent data (EPOLLPRI).</summary>
    Priority = 0x2,

    /// <summary>There is room to write, or a connect has completed (EPOLLOUT).</summary>
    Writable = 0x4,

    /// <summary>An error is pending (EPOLLERR).</summary>
    Error = 0x8,

    /// <summary>Both directions are shut (EPOLLHUP).</summary>
    HangUp = 0x10,

    /// <summary>Not a descriptor: poll(2)'s own answer (POLLNVAL).</summary>
    Invalid = 0x20,

    /// <summary>Data of normal priority can be read (EPOLLRDNORM); comes with <see cref="Readable"/> mostly.</summary>
    ReadNormal = 0x40,

    /// <summary>Data of a priority band can be read (EPOLLRDBAND).</summary>
    ReadBand = 0x80,

    /// <summary>Normal data can be written (EPOLLWRNORM).</summary>
    WriteNormal = 0x100,

    /// <summary>Priority data can be written (EPOLLWRBAND).</summary>
    WriteBand = 0x200,

    /// <summary>The peer has shut its direction (EPOLLRDHUP).</summary>
    ReadHangUp = 0x2000,
}

/// <summary>Whoever holds a socket of the engine and wants to hear of its readiness.</summary>
public interface ISocketOwner
{
    /// <summary>
    /// The socket has become ready for something; called at most once a batch, by <see cref="Engine.DispatchReady"/>. It may call
    /// the engine. Edges are reported, so an owner reads or writes until EAGAIN before it waits again.
    /// </summary>
    void OnReady(SocketEvents events);
}
