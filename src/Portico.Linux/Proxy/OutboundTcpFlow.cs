using Portico.Net;

namespace Portico.Linux;

/// <summary>A connection that the program opens: the host's is made first, and the program's SYN waits for its outcome.</summary>
internal sealed class OutboundTcpFlow(TcpProxy proxy, TcpForwardRequest request, Endpoint target, HostSocket host) : TcpRelay(proxy, host)
{
    private protected override void OnHostOpening(SocketEvents events)
    {
        if (!HasHandle && (events & (SocketEvents.Writable | SocketEvents.Error | SocketEvents.HangUp)) != 0)
        {
            FinishConnect();
        }
    }

    private protected override void OnStackOpening(SocketEvents events)
    {
        if ((events & SocketEvents.Error) != 0)
        {
            Break();
        }
        else if ((events & (SocketEvents.Writable | SocketEvents.Readable)) != 0)
        {
            BeginRelay();
        }
    }

    private protected override void OnHostEvent(TcpProxyEventKind kind, Errno error) => Proxy.Report(kind, request, target, error);

    private void FinishConnect()
    {
        Errno error = Host.TakeError();
        OnHostEvent(error == Errno.None ? TcpProxyEventKind.Connected : TcpProxyEventKind.ConnectFailed, error);
        if (error != Errno.None)
        {
            Proxy.Stack.Tcp.CompleteForward(request.Id, Proxy.VerdictOf(error), null, out _);
            End(isReset: true);
            return;
        }

        if (Proxy.Stack.Tcp.CompleteForward(request.Id, TcpForwardVerdict.Accept, this, out TcpHandle handle) != Errno.None)
        {
            Proxy.Counters[ProxyCounter.TcpExpired]++;
            End(isReset: true);
            return;
        }

        Proxy.Counters[ProxyCounter.TcpAccepted]++;
        Handle = handle;
        HasHandle = true;
        SetOptions();
    }
}
