using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// SIOCGSTAMP and SIOCGSTAMPNS (socket(7)): when the packet came that was received last (sock_gettstamp in Linux).
internal abstract partial class SocketFile
{
    /// <summary>Nothing has been received.</summary>
    protected const long NeverArrived = -1;

    /// <summary>A packet has been received whose time nobody had asked for before.</summary>
    private const long ArrivedUnasked = 0;

    /// <summary>Nanoseconds since 1970, or one of the above. Streams keep none.</summary>
    protected virtual long LastArrival
    {
        get => NeverArrived;
        set
        {
        }
    }

    /// <summary>A packet is received or looked at: what tells its time by a control message does not keep it.</summary>
    private void KeepArrival(MonoTime arrived, bool isTold)
    {
        const GenericFlags Others = GenericFlags.ReceiveDrops | GenericFlags.ReceiveMark | GenericFlags.ReceivePriority;
        bool isAsked = Generic.Has(GenericFlags.StampsPackets);
        if (!isTold && (isAsked || Generic.Has(Others) || LastArrival == NeverArrived))
        {
            LastArrival = isAsked ? (Driver.UnixTime() - (Stack.Engine.Now - arrived)).Nanoseconds : ArrivedUnasked;
        }
    }

    /// <summary>The requests that sockets of networks answer. Errors: ENOENT before anything has been received, EFAULT, ENOTTY for another request.</summary>
    protected Errno AnswerRequest(IoctlRequest request, Span<byte> argument)
    {
        bool inNanoseconds = request is IoctlRequest.SIOCGSTAMPNS or IoctlRequest.SIOCGSTAMPNS_NEW;
        if (!inNanoseconds && request is not (IoctlRequest.SIOCGSTAMP or IoctlRequest.SIOCGSTAMP_NEW))
        {
            return InterfaceRequests.Answer(Stack, request, argument);
        }

        OwnGeneric.Set(GenericFlags.StampsPackets, true);
        if (LastArrival == NeverArrived)
        {
            return Errno.ENOENT;
        }

        if (LastArrival == ArrivedUnasked)
        {
            LastArrival = Driver.UnixTime().Nanoseconds;
        }

        (long seconds, long part) = Math.DivRem(LastArrival, 1_000_000_000);
        ReadOnlySpan<long> time = [seconds, inNanoseconds ? part : part / 1000];
        return MemoryMarshal.AsBytes(time).TryCopyTo(argument) ? Errno.None : Errno.EFAULT;
    }
}
