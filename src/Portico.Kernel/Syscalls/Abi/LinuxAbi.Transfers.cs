using Portico.Net;

namespace Portico.Kernel;

// The calls that move bytes from one descriptor to another. Positions come behind pointers, and go back there.
public static unsafe partial class LinuxAbi
{
    private static bool TryTransfers(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.splice:
                long? from = Position(a.A1);
                long? to = Position(a.A3);
                result = process.Splice(a.Fd, ref from, (int)a.A2, ref to, (ulong)a.A4, (SpliceFlags)(uint)a.A5);
                SetPosition(a.A1, from, result);
                SetPosition(a.A3, to, result);
                return true;
            case SyscallNumber.tee:
                result = process.Tee(a.Fd, (int)a.A1, (ulong)a.A2, (SpliceFlags)(uint)a.A3);
                return true;
            case SyscallNumber.vmsplice:
                result = process.Vmsplice(a.Fd, Vectors(a), (SpliceFlags)(uint)a.A3);
                return true;
            case SyscallNumber.sendfile:
                from = Position(a.A2);
                result = process.Sendfile(a.Fd, (int)a.A1, ref from, (ulong)a.A3);
                SetPosition(a.A2, from, result);
                return true;
            case SyscallNumber.copy_file_range:
                from = Position(a.A1);
                to = Position(a.A3);
                result = process.CopyFileRange(a.Fd, ref from, (int)a.A2, ref to, (ulong)a.A4, (int)a.A5);
                SetPosition(a.A1, from, result);
                SetPosition(a.A3, to, result);
                return true;
            default:
                return false;
        }
    }

    private static long? Position(long pointer) => pointer == 0 ? null : *(long*)pointer;

    private static void SetPosition(long pointer, long? position, SyscallResult result)
    {
        if (pointer != 0 && !result.IsError)
        {
            *(long*)pointer = position!.Value;
        }
    }
}
