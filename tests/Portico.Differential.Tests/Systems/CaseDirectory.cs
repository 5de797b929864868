using System.Text;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

/// <summary>The directory in which a case works: empty when it begins, and removed with all that it has left when it ends.</summary>
internal static unsafe class CaseDirectory
{
    private const int PermissionsAll = 0x1C0;

    public static void Enter(ISystem system, string path)
    {
        system.Call(umask, 0x12, 0, 0, 0, 0, 0);
        if (On(system, mkdir, path, 0x1ED) != 0 || On(system, chdir, path) != 0)
        {
            throw new InvalidOperationException($"{system.Name}: no directory {path} for the case");
        }
    }

    public static void Leave(ISystem system, string path)
    {
        if (On(system, chdir, "/") != 0)
        {
            throw new InvalidOperationException($"{system.Name}: chdir");
        }

        Remove(system, path);
    }

    private static void Remove(ISystem system, string path)
    {
        // The case may have left it without any permissions; its owner can give them back.
        On(system, chmod, path, PermissionsAll);
        long fd = On(system, open, path, (long)(OpenFlags.O_DIRECTORY | OpenFlags.O_NOFOLLOW));
        byte[] buffer = new byte[1 << 16];
        fixed (byte* p = buffer)
        {
            long length;
            while ((length = system.Call(getdents64, fd, (long)p, buffer.Length, 0, 0, 0)) > 0)
            {
                foreach ((string name, FileType type) in Kit.Entries(buffer.AsSpan(0, (int)length)).Where(entry => entry.Name is not ("." or "..")))
                {
                    if (type == FileType.Directory)
                    {
                        Remove(system, $"{path}/{name}");
                    }
                    else
                    {
                        On(system, unlink, $"{path}/{name}");
                    }
                }
            }
        }

        system.Call(close, fd, 0, 0, 0, 0, 0);
        if (On(system, rmdir, path) != 0)
        {
            throw new InvalidOperationException($"{system.Name}: the case has left {path} behind");
        }
    }

    private static long On(ISystem system, SyscallNumber number, string path, long argument = 0)
    {
        fixed (byte* p = Encoding.UTF8.GetBytes(path + "\0"))
        {
            return system.Call(number, (long)p, argument, 0, 0, 0, 0);
        }
    }
}
