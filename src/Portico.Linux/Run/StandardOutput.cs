using Microsoft.Win32.SafeHandles;

namespace Portico.Linux;

/// <summary>The process's standard output, for a tool that writes something else there than the command that it runs.</summary>
public static class StandardOutput
{
    /// <summary>
    /// Takes standard output away: the stream that is returned writes to it, and whatever else writes to descriptor 1 from now on, started
    /// programs included, writes to standard error.
    /// </summary>
    public static FileStream Take()
    {
        int taken = LibC.Fcntl(1, LibC.F_DUPFD_CLOEXEC, 3);
        if (taken < 0 || LibC.Duplicate2(2, 1) < 0)
        {
            throw LinuxException.Last("standard output");
        }

        return new FileStream(new SafeFileHandle(taken, ownsHandle: true), FileAccess.Write, 1);
    }
}
