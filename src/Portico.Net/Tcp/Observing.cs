using System.Runtime.CompilerServices;

namespace Portico.Net;

// Telling an observer. Nothing here is reached by a segment that is as expected.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Hears what the connections do; null (the default) costs a branch where something changes.</summary>
    public ITcpObserver? Observer { get; set; }

    /// <summary>Counts a segment that came in and is dropped, and tells who watches the stack for that.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    private void CountDrop(TcpCounter reason)
    {
        ++Mib[reason];
        _stack.NoteDrop(Mib.NameOf(reason));
    }

    private static TcpFlow FlowOf(Tcb* c) =>
        new(new Endpoint(c->LocalAddress, c->LocalPort), new Endpoint(c->RemoteAddress, c->RemotePort));

    private static TcpFlow FlowOf(SynRequest* r) =>
        new(new Endpoint(r->LocalAddress, r->LocalPort), new Endpoint(r->RemoteAddress, r->RemotePort));

    private static TcpFlow FlowOf(TimeWaitRecord* t) =>
        new(new Endpoint(t->LocalAddress, t->LocalPort), new Endpoint(t->RemoteAddress, t->RemotePort));

    private void ReportState(in TcpFlow flow, TcpState from, TcpState to, TcpCause cause, Errno error = Errno.None) =>
        Observer?.OnStateChange(new TcpStateChange(flow, from, to, cause, error));

    /// <summary>A half-open connection ends; while its SYN is held it has not left LISTEN.</summary>
    private void ReportRequestEnd(SynRequest* request, TcpCause cause, Errno error = Errno.None) =>
        ReportState(FlowOf(request), request->Held ? TcpState.Listen : TcpState.SynReceived, TcpState.Closed, cause, error);

    private void ReportRetransmission(Tcb* c, PacketNotes cause, uint seq, uint length, TcpFlags flags, int attempt) =>
        Observer?.OnRetransmission(new TcpRetransmission(FlowOf(c), cause, seq - c->Iss, (int)length, flags, attempt));

    private void ReportWindow(Tcb* c, uint bytes, bool isPeers) =>
        Observer?.OnWindowChange(new TcpWindowChange(FlowOf(c), isPeers, bytes));
}
