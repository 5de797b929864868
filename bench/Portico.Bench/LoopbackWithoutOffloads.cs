using System.Runtime.InteropServices;
using Portico.Linux;

namespace Portico.Bench;

/// <summary>Makes lo of the calling thread's network namespace a plain link: MTU 1,500, no segmentation or receive offload.</summary>
internal static unsafe partial class LoopbackWithoutOffloads
{
    private const nuint SIOCETHTOOL = 0x8946;
    private const uint ETHTOOL_STSO = 0x1F;
    private const uint ETHTOOL_SGSO = 0x24;
    private const uint ETHTOOL_SGRO = 0x2C;

    public static void SetUp()
    {
        using RtNetlink netlink = new();
        netlink.SetUp(RtNetlink.IndexOf("lo"), 1500);
        int fd = socket(2, 2, 0);
        uint* value = stackalloc uint[2];
        byte* request = stackalloc byte[40];
        foreach (uint command in (ReadOnlySpan<uint>)[ETHTOOL_STSO, ETHTOOL_SGSO, ETHTOOL_SGRO])
        {
            value[0] = command;
            value[1] = 0;
            new Span<byte>(request, 40).Clear();
            request[0] = (byte)'l';
            request[1] = (byte)'o';
            *(uint**)(request + 16) = value;
            if (ioctl(fd, SIOCETHTOOL, request) < 0)
            {
                throw new IOException($"SIOCETHTOOL 0x{command:x}: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
            }
        }

        KernelSockets.Close(fd);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int socket(int domain, int type, int protocol);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(int fd, nuint request, void* argument);
}
