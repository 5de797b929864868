namespace Portico.Net;

// Which local port a connection has, and keeping it.
public sealed unsafe partial class TcpLayer
{
    /// <summary>A port is free for a new connection when its 4-tuple is, or is in a TIME-WAIT that may be reused.</summary>
    private readonly struct FlowIsFree(TcpLayer tcp, in IpAddress local, in Endpoint remote) : IPortPredicate
    {
        private readonly IpAddress _local = local;
        private readonly Endpoint _remote = remote;

        public bool IsFree(ushort port)
        {
            uint value = tcp.FindFlow(tcp.FlowHash(_local, _remote.Address, port, _remote.Port), _local, _remote.Address, port, _remote.Port);
            return value == 0
                || ((value & KindMask) == KindTimeWait && tcp.MayReuse(tcp._timeWaits.At(value & ~KindMask)));
        }
    }

    /// <summary>
    /// Gives a connection that is about to open its local port, which its socket may hold already. Errors: EADDRINUSE, EADDRNOTAVAIL.
    /// </summary>
    private Errno AssignPort(Tcb* c, in TcpOpenRequest request)
    {
        Endpoint remote = new(c->RemoteAddress, c->RemotePort);
        FlowIsFree isFree = new(this, c->LocalAddress, remote);
        if (request.Binding.IsBound)
        {
            if (!isFree.IsFree(c->LocalPort))
            {
                return Errno.EADDRNOTAVAIL;
            }

            BindConnectionPort(c);
            return Errno.None;
        }

        if (c->LocalPort != 0)
        {
            PortBindRequest wanted = new() { Address = c->LocalAddress, Port = c->LocalPort, InterfaceIndex = c->BoundInterface };
            Errno error = _ports.Bind(wanted, out PortBinding binding);
            if (error != Errno.None)
            {
                return error;
            }

            if (!isFree.IsFree(c->LocalPort))
            {
                _ports.Release(binding);
                return Errno.EADDRNOTAVAIL;
            }

            c->Port = binding;
            return Errno.None;
        }

        Errno selected = _ports.SelectEphemeral(
            new Endpoint(c->LocalAddress, 0), remote, ref isFree, out ushort port, request.RangeFirst, request.RangeLast);
        if (selected != Errno.None)
        {
            return selected;
        }

        c->LocalPort = port;
        BindConnectionPort(c);
        return Errno.None;
    }

    private void BindConnectionPort(Tcb* c) =>
        c->Port = _ports.BindConnection(new Endpoint(c->LocalAddress, c->LocalPort), c->BoundInterface, true);

    private void ReleasePort(Tcb* c)
    {
        if (c->Port.IsBound)
        {
            _ports.Release(c->Port);
            c->Port = default;
        }
    }
}
