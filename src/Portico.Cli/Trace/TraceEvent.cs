using System.Runtime.InteropServices;
using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

/// <summary>What a line of a trace tells.</summary>
internal enum TraceEventKind : byte
{
    /// <summary>A connection, a flow of datagrams or a ping is seen for the first time.</summary>
    Connection,

    /// <summary>A packet: those that open and close connections, or every one.</summary>
    Packet,

    /// <summary>The first data in a direction.</summary>
    Data,

    /// <summary>Portico's end of a connection changes its state.</summary>
    State,

    /// <summary>The command's end changes its state, as far as its packets tell.</summary>
    CommandState,

    /// <summary>Somebody begins to close.</summary>
    Close,

    /// <summary>Portico sends a segment again, or a probe.</summary>
    Retransmission,

    /// <summary>A window closes or opens.</summary>
    Window,

    /// <summary>The stack drops a packet.</summary>
    Drop,

    /// <summary>The host's side of a connection.</summary>
    Host,

    /// <summary>A connection is over, with what it carried.</summary>
    End,

    /// <summary>A question to a name server.</summary>
    DnsQuery,

    /// <summary>Its answer.</summary>
    DnsAnswer,

    /// <summary>An echo request.</summary>
    Ping,

    /// <summary>An echo reply.</summary>
    PingReply,

    /// <summary>An ICMP error for the command.</summary>
    IcmpError,

    /// <summary>Events that the trace lost because its writer did not keep up.</summary>
    Lost,
}

/// <summary>Who began to close a connection.</summary>
internal enum TraceCloser : byte
{
    Nobody,
    Command,

    /// <summary>The other side outside, for which Portico closes.</summary>
    Server,
    Portico,
}

/// <summary>One event on its way from the stack to the writer. Which fields count depends on the kind.</summary>
[StructLayout(LayoutKind.Auto)]
internal struct TraceEvent
{
    public MonoTime Time;
    public TraceEventKind Kind;

    /// <summary>The number of the connection in this trace; 0 for none.</summary>
    public int Connection;
    public IpProtocol Protocol;
    public bool FromCommand;

    public Endpoint Source;
    public Endpoint Destination;

    /// <summary>A host name, a question's name, a reason.</summary>
    public string? Text;

    /// <summary>What an answer says.</summary>
    public string? Answer;

    public TcpState From;
    public TcpState To;
    public TcpCause Cause;
    public Errno Error;
    public TcpProxyEventKind Host;
    public TraceCloser By;
    public PacketNotes Notes;

    public TcpFlags Flags;

    /// <summary>Sequence numbers are counted from the SYN's.</summary>
    public uint Sequence;
    public uint Acknowledgment;
    public uint Window;
    public int Length;
    public int Attempt;
    public ushort Mss;
    public sbyte WindowScale;
    public bool SackPermitted;
    public bool HasTimestamp;

    public byte IcmpType;
    public byte IcmpCode;

    /// <summary>How long it took: a connect, an answer, a whole connection.</summary>
    public Duration Took;
    public long BytesOut;
    public long BytesIn;

    /// <summary>Retransmissions of a connection; events that were lost.</summary>
    public long Count;
}
