using System.Runtime.InteropServices;

namespace Portico.Kernel;

/// <summary>What sendmsg and recvmsg are given (struct msghdr of x86-64, the same layout).</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct MessageHeader
{
    /// <summary>The address, or room for it; null for none.</summary>
    public void* Name;

    /// <summary>Its length; receiving: the room, then the length that the address really has.</summary>
    public uint NameLength;

    /// <summary>The pieces of memory that hold the data.</summary>
    public IoVector* Vectors;

    /// <summary>How many pieces.</summary>
    public nuint VectorCount;

    /// <summary>Control messages, or room for them; null for none.</summary>
    public void* Control;

    /// <summary>Their bytes; receiving: the room, then what was written.</summary>
    public nuint ControlLength;

    /// <summary>Receiving: flags about the message.</summary>
    public MessageFlags Flags;
}

/// <summary>One of the messages of sendmmsg and recvmmsg (struct mmsghdr, the same layout).</summary>
[StructLayout(LayoutKind.Sequential)]
public struct MultipleMessageHeader
{
    /// <summary>The message.</summary>
    public MessageHeader Header;

    /// <summary>Bytes that were sent or received.</summary>
    public uint Length;
}

/// <summary>What recvmsg tells of a message besides its bytes.</summary>
/// <param name="AddressLength">The length of the sender's address; more than the room where it was cut.</param>
/// <param name="ControlLength">Bytes of control messages.</param>
/// <param name="Flags">MSG_TRUNC, MSG_CTRUNC, MSG_OOB, ...</param>
public readonly record struct ReceivedMessage(int AddressLength, int ControlLength, MessageFlags Flags);
