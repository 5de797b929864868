using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Native;

/// <summary>Results as C has them: -1 and errno instead of a negated errno.</summary>
internal static class CResult
{
    /// <summary>To be the last thing that an entry does: whatever comes after it might set errno, too.</summary>
    public static long Return(long raw)
    {
        if (raw >= 0)
        {
            return raw;
        }

        Marshal.SetLastSystemError((int)-raw);
        return -1;
    }

    public static int Return(Errno error) => (int)Return(-(long)error);

    /// <summary>Makes a system call of a process.</summary>
    public static long Call(nint process, SyscallNumber number, long a0 = 0, long a1 = 0, long a2 = 0, long a3 = 0, long a4 = 0, long a5 = 0) =>
        Return(LinuxAbi.Invoke(Handle.Get<NativeProcess>(process).Process, number, a0, a1, a2, a3, a4, a5));
}
