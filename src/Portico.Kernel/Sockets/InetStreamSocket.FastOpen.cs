using Portico.Net;

namespace Portico.Kernel;

// TCP Fast Open in the calls of a socket (tcp_sendmsg_fastopen, __inet_stream_connect in Linux): sending opens the connection, or a connect
// succeeds and leaves the opening to the first data.
internal sealed partial class InetStreamSocket
{
    private const int FastOpenClient = 1;

    private bool IsConnectDeferred => _stage == Stage.Connecting && Tcp.IsConnectDeferred(_handle);

    /// <summary>
    /// The first step of a send with MSG_FASTOPEN, or of the first send after a deferred connect. None: there is a connection, and the send
    /// goes on as any other. EAGAIN: it is to be waited for; what went with the SYN is kept in the message. EINPROGRESS, or None with
    /// <paramref name="isOver"/>: the call does not wait. Errors: EOPNOTSUPP, EALREADY, EISCONN, those of connect.
    /// </summary>
    private Errno SendFastOpen(ref IoCursor source, ref SocketMessage message, out long count, out bool isOver)
    {
        count = 0;
        isOver = false;
        bool waits = (message.Flags & MessageFlags.MSG_DONTWAIT) == 0;
        if (message.HasOpened)
        {
            return AwaitOpened(ref message, out count);
        }

        if ((Tcp.Settings.tcp_fastopen & FastOpenClient) == 0
            || (message.Address.Length >= sizeof(ushort) && SocketAddress.Family(message.Address) == AddressFamily.AF_UNSPEC))
        {
            return Errno.EOPNOTSUPP;
        }

        Errno error = Errno.None;
        bool isDeferred = IsConnectDeferred;
        if (!isDeferred)
        {
            switch (_stage)
            {
                case Stage.Connected or Stage.Listening:
                    return Errno.EISCONN;
                case Stage.Connecting:
                    message.HasOpened = true;
                    error = AwaitOpened(ref message, out count);
                    return error == Errno.EAGAIN && !waits ? Errno.EALREADY : error;
            }

            error = message.Address.IsEmpty ? Errno.EINVAL : InetAddress.ForPeer(Family, IsIpv6Only, message.Address, out Endpoint remote) is var wrong
                && wrong != Errno.None ? wrong : Prepare(remote, message.Address);
        }

        if (error != Errno.None)
        {
            return error;
        }

        Span<byte> data = source.Next();
        byte[]? gathered = null;
        if (data.Length < source.Remaining)
        {
            // More pieces than one may go into the SYN.
            int length = (int)Math.Min(source.Remaining, ushort.MaxValue);
            gathered = System.Buffers.ArrayPool<byte>.Shared.Rent(length);
            data = gathered.AsSpan(0, length);
            IoCursor copy = source;
            data = data[..copy.Read(data)];
        }

        error = Tcp.StartFastOpen(_handle, data, waits, out int sent);
        if (gathered != null)
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(gathered);
        }

        if (error != Errno.None)
        {
            GiveUpConnection();
            return error;
        }

        for (int left = sent; left > 0;)
        {
            int piece = Math.Min(left, source.Next().Length);
            source.Skip(piece);
            left -= piece;
        }

        message.HasOpened = true;
        if (waits)
        {
            message.SynBytes = sent;
            error = AwaitOpened(ref message, out count);
            return error;
        }

        count = sent;
        isOver = true;
        return sent > 0 ? Errno.None : Errno.EINPROGRESS;
    }

    /// <summary>The outcome of the opening; what the SYN carried counts as sent only once there is a connection.</summary>
    private Errno AwaitOpened(ref SocketMessage message, out long count)
    {
        count = 0;
        Errno error = FinishConnect();
        if (error == Errno.None)
        {
            count = message.SynBytes;
            message.SynBytes = 0;
        }

        return error;
    }

    /// <summary>Route, port and options of a connection to come; the SYN is still to be sent.</summary>
    private Errno Prepare(in Endpoint remote, ReadOnlySpan<byte> address)
    {
        KeepFlowInfo(address);
        TcpOpenRequest request = new()
        {
            Local = new Endpoint(BoundAddress.IsUnspecified ? default : BoundAddress, Binding.Port),
            Remote = remote,
            Binding = Binding,
            InterfaceIndex = Generic.InterfaceIndex,
            RangeFirst = (ushort)Inet.LocalPortRange,
            RangeLast = (ushort)(Inet.LocalPortRange >> 16),
            DontRoute = Generic.Has(GenericFlags.DontRoute),
            FlowLabel = Inet.FlowInfo & FlowLabelMask,
            SendBufferBytes = ChosenSendBuffer,
            ReceiveBufferBytes = ChosenReceiveBuffer,
        };
        Errno error = Tcp.Prepare(request, this, out _handle);
        if (error == Errno.None)
        {
            _stage = Stage.Connecting;
            ApplyOptions();
        }

        return error;
    }

    /// <summary>A connect: at once with a SYN, or with TCP_FASTOPEN_CONNECT deferred where the destination's cookie is known.</summary>
    private Errno Open(in Endpoint remote, ReadOnlySpan<byte> address, out bool isDeferred)
    {
        isDeferred = false;
        Errno error = Prepare(remote, address);
        if (error != Errno.None)
        {
            return error;
        }

        bool asksForCookie = Options.Tcp is { FastOpenConnect: true };
        isDeferred = asksForCookie && Tcp.DeferConnect(_handle);
        if (!isDeferred)
        {
            error = asksForCookie ? Tcp.StartWithCookieRequest(_handle) : Tcp.Start(_handle);
            if (error != Errno.None)
            {
                GiveUpConnection();
            }
        }

        return error;
    }

    /// <summary>TCP_FASTOPEN and its relatives of a listener are told to the engine.</summary>
    private void UpdateFastOpen()
    {
        if (_stage == Stage.Listening && Options.Tcp is { } options)
        {
            int queue = options.FastOpenQueue ?? Tcp.FastOpenQueueMax(_local!.Listener);
            Tcp.ConfigureFastOpen(_local!.Listener, queue, options.FastOpenKey, options.FastOpenNoCookie);
        }
    }
}
