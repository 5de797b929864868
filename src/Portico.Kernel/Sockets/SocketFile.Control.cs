using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// Control messages of the level SOL_SOCKET, which are the same for all sockets of networks.
internal abstract partial class SocketFile
{
    /// <summary>The control messages of a sendmsg that are of the level SOL_SOCKET, for sockets that look at no others. Errors: EINVAL, EPERM.</summary>
    protected Errno ReadGenericControl(Process process, ReadOnlySpan<byte> control, ref IpSendControl send)
    {
        ControlReader reader = new(control);
        Errno error;
        while (reader.TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out error))
        {
            error = level == (int)SocketLevel.SOL_SOCKET
                ? IpControl.ReadGeneric(process, this, type, data, ref send)
                : Errno.None;
            if (error != Errno.None)
            {
                break;
            }
        }

        return error;
    }

    /// <summary>SO_PEEK_OFF follows what is peeked at, and goes back with what is read.</summary>
    protected void MovePeekOffset(int by)
    {
        if (Generic.PeekOffset >= 0 && by != 0)
        {
            OwnGeneric.PeekOffset = Math.Max(0, Generic.PeekOffset + by);
        }
    }

    /// <summary>The timestamp of SO_TIMESTAMP, SO_TIMESTAMPNS or SO_TIMESTAMPING, and the count of SO_RXQ_OVFL.</summary>
    protected void PutGenericControl(ref ControlWriter control, MonoTime arrived, uint drops)
    {
        const TimestampingFlags Filtered = TimestampingFlags.SOF_TIMESTAMPING_OPT_RX_FILTER | TimestampingFlags.SOF_TIMESTAMPING_RX_SOFTWARE;
        KeepArrival(arrived, isTold: Generic.Has(GenericFlags.Timestamp) || Asks(TimestampingFlags.SOF_TIMESTAMPING_SOFTWARE));
        PutTimes(ref control, arrived, hasTime: (Generic.Timestamping & Filtered) != TimestampingFlags.SOF_TIMESTAMPING_OPT_RX_FILTER);
        if (Generic.Has(GenericFlags.ReceiveDrops) && drops != 0)
        {
            control.PutInt((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_RXQ_OVFL, (int)drops);
        }

        if (Generic.Has(GenericFlags.ReceiveMark))
        {
            // Marks stay on this side of a link.
            control.PutInt((int)SocketLevel.SOL_SOCKET, (int)SocketOption.SO_MARK, 0);
        }
    }

    /// <summary>Whether SO_TIMESTAMPING has any of these.</summary>
    protected bool Asks(TimestampingFlags flags) => (Generic.Timestamping & flags) != 0;

    /// <summary>A time as SO_TIMESTAMP or SO_TIMESTAMPNS, and where it is one that SO_TIMESTAMPING tells, as that.</summary>
    protected void PutTimes(ref ControlWriter control, MonoTime arrived, bool hasTime)
    {
        bool isAsked = Generic.Has(GenericFlags.Timestamp);
        bool isOfTimestamping = hasTime && Asks(TimestampingFlags.SOF_TIMESTAMPING_SOFTWARE);
        if (isAsked || isOfTimestamping)
        {
            Duration sinceUnixEpoch = Driver.UnixTime() - (Stack.Engine.Now - arrived);
            (long seconds, long nanoseconds) = Math.DivRem(sinceUnixEpoch.Nanoseconds, 1_000_000_000);
            bool isNew = Generic.Has(GenericFlags.TimestampNew);
            if (isAsked)
            {
                bool inNanoseconds = Generic.Has(GenericFlags.TimestampNanoseconds);
                SocketOption type = inNanoseconds
                    ? isNew ? SocketOption.SO_TIMESTAMPNS_NEW : SocketOption.SO_TIMESTAMPNS
                    : isNew ? SocketOption.SO_TIMESTAMP_NEW : SocketOption.SO_TIMESTAMP;
                ReadOnlySpan<long> time = [seconds, inNanoseconds ? nanoseconds : nanoseconds / 1000];
                control.Put((int)SocketLevel.SOL_SOCKET, (int)type, MemoryMarshal.AsBytes(time));
            }

            if (isOfTimestamping)
            {
                // By software, and the two of hardware, which there is none of.
                ReadOnlySpan<long> times = [seconds, nanoseconds, 0, 0, 0, 0];
                SocketOption type = isNew ? SocketOption.SO_TIMESTAMPING_NEW : SocketOption.SO_TIMESTAMPING;
                control.Put((int)SocketLevel.SOL_SOCKET, (int)type, MemoryMarshal.AsBytes(times));
            }
        }
    }
}
