using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Native.Packetdrill;

/// <summary>What packetdrill looks for in a shared object (packetdrill.h), and the table that it wants filled.</summary>
internal static unsafe partial class PacketdrillInterface
{
    /// <summary>Fills the table with a kernel of its own and the functions that drive it.</summary>
    [UnmanagedCallersOnly(EntryPoint = "packetdrill_interface_init", CallConvs = [typeof(CallConvCdecl)])]
    public static void Init(byte* flags, nint* table)
    {
        string text = Marshal.PtrToStringUTF8((nint)flags) ?? "";
        PacketdrillInstance instance = new(PacketdrillOptions.Parse(text), Environment.GetEnvironmentVariable("PORTICO_CTL"));
        nint[] entries =
        [
            Handle.Make(instance),
            (nint)(delegate* unmanaged[Cdecl]<nint, void>)&Free,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int, int>)&Socket,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, uint, int>)&Bind,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int>)&Listen,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int>)&Accept,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, uint, int>)&Connect,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, nint>)&Read,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, int, nint>)&Readv,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int, nint>)&Recv,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int, nint, nint, nint>)&Recvfrom,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, int, nint>)&Recvmsg,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, nint>)&Write,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, int, nint>)&Writev,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int, nint>)&Send,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int, nint, uint, nint>)&Sendto,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, int, nint>)&Sendmsg,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, nint, int>)&Fcntl,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, nint, int>)&Ioctl,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int>)&Close,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int>)&Shutdown,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int, nint, nint, int>)&Getsockopt,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int, nint, uint, int>)&Setsockopt,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, nint, int, int>)&Poll,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte*, nint, int>)&NetdevSend,
            (nint)(delegate* unmanaged[Cdecl]<nint, byte*, nuint*, long*, int>)&NetdevReceive,
            (nint)(delegate* unmanaged[Cdecl]<nint, uint, int>)&Usleep,
            (nint)(delegate* unmanaged[Cdecl]<nint, long*, nint, int>)&Gettimeofday,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int>)&EpollCreate,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, int, int, nint, int>)&EpollCtl,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, nint, int, int, int>)&EpollWait,
            (nint)(delegate* unmanaged[Cdecl]<nint, nint, int>)&Pipe,
            (nint)(delegate* unmanaged[Cdecl]<nint, int, long*, int, long*, nint, uint, nint>)&Splice,
        ];
        entries.CopyTo(new Span<nint>(table, entries.Length));
    }

    /// <summary>How many calls are blocked; 0 while one is on its way, so that no time may pass.</summary>
    [UnmanagedCallersOnly(EntryPoint = "packetdrill_interface_blocked", CallConvs = [typeof(CallConvCdecl)])]
    public static int Blocked(nint self) => Handle.Get<PacketdrillInstance>(self).Time.Blocked;

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static void Free(nint self)
    {
        Handle.Get<PacketdrillInstance>(self).Dispose();
        Handle.Free(self);
    }

    /// <summary>A packet comes in, and is handled completely at this instant.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int NetdevSend(nint self, byte* packet, nint length)
    {
        PacketdrillInstance instance = Begin(self);
        bool isTaken = instance.Inject(new ReadOnlySpan<byte>(packet, (int)length));
        instance.Leave();
        return CResult.Return(isTaken ? Errno.None : Errno.ENOMEM);
    }

    /// <summary>
    /// Time passes until a packet goes out. No bytes where a call has been woken, which runs first; EDEADLK where nothing will ever happen.
    /// </summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int NetdevReceive(nint self, byte* buffer, nuint* count, long* micros)
    {
        PacketdrillInstance instance = Begin(self);
        Span<byte> room = new(buffer, (int)Math.Min(*count, int.MaxValue));
        VirtualStop stop = instance.Time.RunUntilPacket(instance.Device, MonoTime.Never);
        int length = 0;
        MonoTime stamp = instance.Time.Now;
        if (stop == VirtualStop.Packet)
        {
            instance.Device.TryTake(room, out length, out stamp);
        }

        *count = (nuint)Math.Min(length, room.Length);
        *micros = instance.ToUnixMicros(stamp);
        instance.Leave();
        return CResult.Return(stop == VirtualStop.NothingLeft ? Errno.EDEADLK : Errno.None);
    }

    /// <summary>Time passes; not beyond the instant at which a call is woken.</summary>
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Usleep(nint self, uint micros)
    {
        PacketdrillInstance instance = Begin(self);
        instance.Time.RunUntil(instance.Time.Now + Duration.FromMicroseconds(micros));
        instance.Leave();
        return 0;
    }

    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static int Gettimeofday(nint self, long* time, nint zone)
    {
        const long Second = 1_000_000;
        PacketdrillInstance instance = Handle.Get<PacketdrillInstance>(self);
        long micros = instance.ToUnixMicros(instance.Time.Now);
        if (time != null)
        {
            time[0] = micros / Second;
            time[1] = micros % Second;
        }

        return 0;
    }

    private static PacketdrillInstance Begin(nint self)
    {
        PacketdrillInstance instance = Handle.Get<PacketdrillInstance>(self);
        instance.Enter();
        return instance;
    }
}
