using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// The descriptors that traffic leaves alone. The process itself may need one at any time: for an assembly that the runtime loads, for
/// a look into /proc, for a caller at the control socket. The runtime ends the process where it gets none.
/// </summary>
internal static unsafe class DescriptorReserve
{
    private const int Most = 64;

    /// <summary>The kernel gives the lowest number that is free, so a high one means that the others are taken.</summary>
    private static readonly int s_first = First();

    /// <summary>Whether a descriptor is one of the last.</summary>
    public static bool Holds(int fd) => fd >= s_first;

    /// <summary>Makes a non-blocking socket, unless it would take from the reserve. The errors are those of socket(2).</summary>
    public static Errno Open(int family, int type, int protocol, out int fd)
    {
        fd = LibC.Socket(family, type | LibC.SOCK_NONBLOCK | LibC.SOCK_CLOEXEC, protocol);
        if (fd < 0)
        {
            return (Errno)Marshal.GetLastPInvokeError();
        }

        if (!Holds(fd))
        {
            return Errno.None;
        }

        LibC.Close(fd);
        fd = -1;
        return Errno.EMFILE;
    }

    private static int First()
    {
        ulong* limits = stackalloc ulong[2];
        if (LibC.GetLimit(LibC.RLIMIT_NOFILE, limits) != 0)
        {
            return int.MaxValue;
        }

        int limit = (int)Math.Min(limits[0], int.MaxValue);
        return limit - Math.Min(Most, limit / 4);
    }
}
