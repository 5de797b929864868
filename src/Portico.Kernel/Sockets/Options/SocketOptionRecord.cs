namespace Portico.Kernel;

/// <summary>
/// What a socket keeps for its options. Those that have set none share one record, and a listener shares its own with the sockets that it
/// accepts: whoever sets an option is given a copy of what was shared first. So an idle socket costs a reference here, not its options.
/// </summary>
internal sealed class SocketOptionRecord
{
    /// <summary>The records that new sockets begin with, for IPv4 and its like and for IPv6: the last two sizes of buffers of each.</summary>
    private static readonly SocketOptionRecord?[] s_initial = new SocketOptionRecord?[4];

    /// <summary>What is kept for the level SOL_SOCKET.</summary>
    public GenericOptions Generic;

    /// <summary>What is kept for the levels IPPROTO_IP and IPPROTO_IPV6.</summary>
    public InetOptions Inet;

    /// <summary>What is kept for the level IPPROTO_TCP; null where nothing has been set.</summary>
    public TcpOptionValues? Tcp;

    private bool _isShared;

    private SocketOptionRecord(bool isIpv6, int sendBuffer, int receiveBuffer)
    {
        Generic = new GenericOptions(sendBuffer, receiveBuffer);
        Inet = new InetOptions(isIpv6);
        _isShared = true;
    }

    private SocketOptionRecord(SocketOptionRecord other)
    {
        Generic = other.Generic;
        Inet = other.Inet;
        Tcp = other.Tcp?.Copy();
    }

    /// <summary>What a socket has that has set nothing, with its two buffers as SO_SNDBUF and SO_RCVBUF read.</summary>
    public static SocketOptionRecord Initial(bool isIpv6, int sendBuffer, int receiveBuffer)
    {
        ref SocketOptionRecord? first = ref s_initial[isIpv6 ? 2 : 0];
        ref SocketOptionRecord? second = ref s_initial[isIpv6 ? 3 : 1];
        SocketOptionRecord? record = Volatile.Read(ref first);
        if (record == null || !record.HasBuffers(sendBuffer, receiveBuffer))
        {
            record = Volatile.Read(ref second);
            if (record == null || !record.HasBuffers(sendBuffer, receiveBuffer))
            {
                // Records do not change, so that a race leaves one too many to the collector and nothing else.
                record = new SocketOptionRecord(isIpv6, sendBuffer, receiveBuffer);
                Volatile.Write(ref second, first);
                Volatile.Write(ref first, record);
            }
        }

        return record;
    }

    /// <summary>The record for a socket that the holder of this one has accepted.</summary>
    public SocketOptionRecord ForAccepted()
    {
        if (Generic.Cookie == 0 && Tcp is not { HasOwn: true })
        {
            _isShared = true;
            return this;
        }

        SocketOptionRecord copy = new(this);
        copy.Generic.Cookie = 0;
        copy.Tcp?.DropOwn();
        return copy;
    }

    /// <summary>This record where its holder alone has it, or a copy that may be written to.</summary>
    public SocketOptionRecord ForWriting() => _isShared ? new SocketOptionRecord(this) : this;

    private bool HasBuffers(int sendBuffer, int receiveBuffer) => Generic.SendBuffer == sendBuffer && Generic.ReceiveBuffer == receiveBuffer;
}
