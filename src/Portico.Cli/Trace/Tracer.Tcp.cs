using Portico.Linux;
using Portico.Net;

namespace Portico.Cli;

// Connections: the segments that open and close them, the states of both ends, what was sent again and why.
internal sealed partial class Tracer
{
    private const PacketNotes SentAgain = PacketNotes.RetransmissionTimeout | PacketNotes.FastRetransmission | PacketNotes.TailLossProbe
        | PacketNotes.WindowProbe | PacketNotes.KeepAlive | PacketNotes.PartialAcknowledgment | PacketNotes.PathMtuReduction;

    private TracedConnection OnSegment(in TraceKey key, in TracedPacket segment, bool fromCommand)
    {
        if ((segment.Flags & (TcpFlags.Syn | TcpFlags.Ack)) == TcpFlags.Syn && Find(key) is { IsOver: true })
        {
            // The port is used again.
            Forget(key);
        }

        TracedConnection connection = FindOrAdd(key, fromCommand);
        TcpState before = connection.Command.State;
        bool tells = fromCommand ? connection.Command.Sends(segment) : connection.Command.Receives(segment);
        bool opensOrCloses = (segment.Flags & (TcpFlags.Syn | TcpFlags.Fin | TcpFlags.Rst)) != 0;
        bool isFirstData = connection.CountData(segment, fromCommand);
        if (_everyPacket || (((tells && segment.PayloadLength == 0) || opensOrCloses) && (segment.Notes & SentAgain) == 0))
        {
            _queue.Add(NewSegment(TraceEventKind.Packet, connection, segment, fromCommand));
        }
        else if (isFirstData)
        {
            _queue.Add(NewSegment(TraceEventKind.Data, connection, segment, fromCommand));
        }

        while (tells)
        {
            ReportCommandState(connection, before);
            before = connection.Command.State;
            tells = fromCommand ? connection.Command.Sends(segment) : connection.Command.Receives(segment);
        }

        if (segment.Has(TcpFlags.Rst) && !fromCommand && !connection.HasState)
        {
            // Refused at once: the stack has nothing to tell of it.
            EndTcp(connection);
        }

        return connection;
    }

    private TraceEvent NewSegment(TraceEventKind kind, TracedConnection connection, in TracedPacket segment, bool fromCommand)
    {
        TraceEvent made = New(kind, connection, fromCommand);
        made.Flags = segment.Flags;
        made.Sequence = segment.Sequence - connection.Command.InitialSequence(ofCommand: fromCommand);
        made.Acknowledgment = segment.Has(TcpFlags.Ack) ? segment.Acknowledgment - connection.Command.InitialSequence(!fromCommand) : 0;
        made.Window = segment.Window;
        made.Length = segment.PayloadLength;
        made.Notes = segment.Notes;
        made.WindowScale = -1;
        if (segment.Has(TcpFlags.Syn))
        {
            made.Mss = segment.Options.Mss;
            made.WindowScale = segment.Options.WindowScale;
            made.SackPermitted = segment.Options.SackPermitted;
            made.HasTimestamp = segment.Options.HasTimestamp;
        }

        return made;
    }

    private void ReportCommandState(TracedConnection connection, TcpState before)
    {
        TraceEvent state = New(TraceEventKind.CommandState, connection);
        state.From = before;
        state.To = connection.Command.State;
        if (state.To == TcpState.FinWait1)
        {
            ReportClose(connection, TraceCloser.Command);
        }

        _queue.Add(state);
    }

    /// <summary>The first to close is told once.</summary>
    private void ReportClose(TracedConnection connection, TraceCloser closer)
    {
        if (connection.Closer == TraceCloser.Nobody)
        {
            connection.Closer = closer;
            TraceEvent close = New(TraceEventKind.Close, connection, closer == TraceCloser.Command);
            close.By = closer;
            _queue.Add(close);
        }
    }

    private TracedConnection? Find(in TcpFlow flow) => Find(new TraceKey(IpProtocol.Tcp, flow.Remote, flow.Local));

    public void OnStateChange(in TcpStateChange change)
    {
        // Connections within the stack itself are not the command's.
        TracedConnection? connection = Find(change.Flow);
        if (connection == null && change.From == TcpState.Closed && change.To == TcpState.SynSent)
        {
            connection = FindOrAdd(new TraceKey(IpProtocol.Tcp, change.Flow.Remote, change.Flow.Local), fromCommand: false);
        }

        if (connection == null)
        {
            return;
        }

        if (change.To == TcpState.FinWait1)
        {
            ReportClose(connection, connection.HostEnded ? TraceCloser.Server : TraceCloser.Portico);
        }

        connection.HasState = true;
        TraceEvent state = New(TraceEventKind.State, connection);
        state.From = change.From;
        state.To = change.To;
        state.Cause = change.Cause;
        state.Error = change.Error;
        _queue.Add(state);
        if (change.To is TcpState.Closed or TcpState.TimeWait && EndTcp(connection))
        {
            TraceEvent end = New(TraceEventKind.End, connection);
            end.Took = _engine.Now - connection.Started;
            end.BytesOut = connection.BytesOut;
            end.BytesIn = connection.BytesIn;
            end.Count = connection.Retransmissions;
            _queue.Add(end);
        }
    }

    public void OnRetransmission(in TcpRetransmission retransmission)
    {
        if (Find(retransmission.Flow) is not { } connection)
        {
            return;
        }

        bool isProbe = (retransmission.Cause & (PacketNotes.WindowProbe | PacketNotes.KeepAlive)) == retransmission.Cause;
        connection.Retransmissions += isProbe ? 0 : 1;
        TraceEvent again = New(TraceEventKind.Retransmission, connection);
        again.Notes = retransmission.Cause;
        again.Sequence = retransmission.Offset;
        again.Length = retransmission.Length;
        again.Flags = retransmission.Flags;
        again.Attempt = retransmission.Attempt;
        _queue.Add(again);
    }

    public void OnWindowChange(in TcpWindowChange change)
    {
        if (Find(change.Flow) is { } connection)
        {
            TraceEvent window = New(TraceEventKind.Window, connection, fromCommand: change.IsPeers);
            window.Window = change.Bytes;
            _queue.Add(window);
        }
    }

    public void OnProxyEvent(in TcpProxyEvent what)
    {
        if (Find(new TraceKey(IpProtocol.Tcp, what.Source, what.Destination)) is not { } connection)
        {
            return;
        }

        TraceEvent host = New(TraceEventKind.Host, connection);
        host.Host = what.Kind;
        host.Destination = what.Target;
        host.Error = what.Error;
        switch (what.Kind)
        {
            case TcpProxyEventKind.Connecting:
                connection.Asked = _engine.Now;
                break;
            case TcpProxyEventKind.Connected or TcpProxyEventKind.ConnectFailed:
                host.Took = _engine.Now - connection.Asked;
                break;
            case TcpProxyEventKind.Ended:
                connection.HostEnded = true;
                break;
        }

        _queue.Add(host);
    }
}
