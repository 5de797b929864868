namespace Portico.Net;

// Times of sending on the error queue (SO_TIMESTAMPING with SOF_TIMESTAMPING_TX_*).
public sealed partial class UdpLayer
{
    /// <summary>SO_TIMESTAMPING: what entries of the error queue tell; with SOF_TIMESTAMPING_OPT_ID anew, sends are counted from 0.</summary>
    public void SetTimestamping(UdpHandle handle, TimestampingFlags flags)
    {
        if (TryGet(handle, out UdpSocket? socket))
        {
            bool isNew = (flags & ~socket.Timestamping & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID) != 0;
            socket.TimestampKey = isNew ? 0 : socket.TimestampKey;
            socket.Timestamping = flags;
        }
    }

    /// <summary>Numbers are used up by whatever asks for a time, of hardware too (__ip_append_data).</summary>
    private void Stamp(UdpSocket socket, Packet packet, in UdpSendOptions options)
    {
        const TimestampingFlags Numbered = TimestampingFlags.SOF_TIMESTAMPING_TX_RECORD_MASK & ~TimestampingFlags.SOF_TIMESTAMPING_TX_ACK;
        if ((options.Timestamping & Numbered) == 0)
        {
            return;
        }

        bool hasId = (socket.Timestamping & TimestampingFlags.SOF_TIMESTAMPING_OPT_ID) != 0;
        uint key = !hasId ? 0 : options.TimestampId ?? socket.TimestampKey++;
        if ((options.Timestamping & TransmitStamp.Told) != 0)
        {
            packet.Stamp = new TransmitStamp
            {
                Client = this,
                Socket = (uint)socket.Index,
                Generation = socket.Generation,
                Flags = options.Timestamping,
                Key = key,
            };
        }
    }

    void ITransmitStampClient.OnTransmit(TransmitTime what, Packet packet, NetworkInterface output)
    {
        ref TransmitStamp stamp = ref packet.Stamp;
        if (!TryGet(new UdpHandle(stamp.Socket, stamp.Generation), out UdpSocket? socket))
        {
            return;
        }

        TransmitStampContext context = new()
        {
            Flags = socket.Timestamping,
            Id = stamp.Key,
            Now = _engine.Now,
            MemoryUsed = socket.ReceiveMemory,
            MemoryMax = socket.ReceiveMemoryMax,
        };
        if (TransmitStamps.TryAdd(ref socket.Errors, context, what, packet, output))
        {
            _engine.Notify(socket.OwnerSlot, SocketEvents.Error);
        }
        else
        {
            CountersOf(socket.RouteDestination)[UdpCounter.ErrorQueueDrops]++;
        }
    }
}
