using Portico.Net;

namespace Portico.Cli;

/// <summary>What makes a connection, a flow of datagrams or a ping: the protocol and both ends, the command's first.</summary>
internal readonly record struct TraceKey(IpProtocol Protocol, Endpoint Command, Endpoint Other);

/// <summary>What a trace remembers of a connection.</summary>
internal sealed class TracedConnection(int number, TraceKey key, MonoTime started)
{
    private uint _outNext;
    private uint _inNext;

    /// <summary>The command's end.</summary>
    public CommandEnd Command;

    public int Number => number;

    public TraceKey Key => key;

    public MonoTime Started => started;

    public long BytesOut { get; private set; }

    public long BytesIn { get; private set; }

    public long Retransmissions { get; set; }

    public TraceCloser Closer { get; set; }

    public bool IsOver { get; set; }

    /// <summary>The stack has told a state of its end.</summary>
    public bool HasState { get; set; }

    /// <summary>When the host's socket began to connect, or the question or echo request was sent that waits for an answer.</summary>
    public MonoTime Asked { get; set; }

    /// <summary>The other side outside has ended: where Portico closes next, that is why.</summary>
    public bool HostEnded { get; set; }

    /// <summary>Counts a segment's new bytes, and says whether they are the first that way.</summary>
    public bool CountData(in TracedPacket segment, bool fromCommand)
    {
        ref uint next = ref fromCommand ? ref _outNext : ref _inNext;
        uint end = segment.Sequence + (uint)segment.PayloadLength + (segment.Has(TcpFlags.Syn) ? 1u : 0);
        bool isFirst = (fromCommand ? BytesOut : BytesIn) == 0;
        if (segment.Has(TcpFlags.Syn))
        {
            next = end;
        }

        int added = (int)(end - next);
        if (segment.PayloadLength == 0 || added <= 0)
        {
            return false;
        }

        next = end;
        Count(Math.Min(added, segment.PayloadLength), fromCommand);
        return isFirst;
    }

    /// <summary>Counts a datagram, and says whether it is the first that way.</summary>
    public bool CountDatagram(int length, bool fromCommand)
    {
        ref uint count = ref fromCommand ? ref _outNext : ref _inNext;
        Count(length, fromCommand);
        return count++ == 0;
    }

    private void Count(int bytes, bool fromCommand)
    {
        if (fromCommand)
        {
            BytesOut += bytes;
        }
        else
        {
            BytesIn += bytes;
        }
    }
}
