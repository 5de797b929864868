namespace Portico.Kernel;

/// <summary>What goes with the bytes of a sendmsg or recvmsg (struct msghdr).</summary>
internal ref struct SocketMessage
{
    /// <summary>The destination's address as bytes; empty for none. Receiving: room for the source's.</summary>
    public Span<byte> Address;

    /// <summary>Receiving: the length that the address really has.</summary>
    public int AddressLength;

    /// <summary>Flags of the call.</summary>
    public MessageFlags Flags;

    /// <summary>Receiving: what the kernel says about the message (MSG_TRUNC, ...).</summary>
    public MessageFlags ReturnedFlags;

    /// <summary>Sending: who sends; null for what needs no privileges.</summary>
    public Process? Sender;

    /// <summary>Sending: the control messages.</summary>
    public ReadOnlySpan<byte> Control;

    /// <summary>Receiving: room for control messages.</summary>
    public ControlWriter ReceivedControl;

    /// <summary>Receiving: the file has seen to MSG_WAITALL itself, so that what it returns is the end.</summary>
    public bool IsComplete;

    /// <summary>Sending with MSG_FASTOPEN: the connection has been opened by an earlier try of this call.</summary>
    public bool HasOpened;

    /// <summary>The same: bytes that went with the SYN, and count as sent when there is a connection.</summary>
    public int SynBytes;

    /// <summary>Unix sockets: what has been made of the control messages, and goes with the data across the tries of a call that waits.</summary>
    public UnixAncillary Unix;
}
