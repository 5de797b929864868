using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Kernel;

// The end of processes, and signals with all that goes with them: siginfo_t, and struct rusage, which is 0 as a process here uses no processor.
public static unsafe partial class LinuxAbi
{
    private const int BytesOfUsage = 144;

    private static bool TryProcesses(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.exit or SyscallNumber.exit_group:
                process.Exit((int)a.A0);
                result = 0;
                return true;
            case SyscallNumber.wait4:
                result = process.Wait4((int)a.A0, (WaitOptions)(uint)a.A2, out int status);
                if (result.Value > 0)
                {
                    WriteEnd((int*)a.A1, status, (byte*)a.A3);
                }

                return true;
            case SyscallNumber.waitid:
                result = Waitid(process, a);
                return true;
            case SyscallNumber.tkill:
                result = process.Tgkill((int)a.A0, (int)a.A0, (int)a.A1);
                return true;
            case SyscallNumber.rt_sigtimedwait:
                result = WaitForSignal(process, a);
                return true;
            case SyscallNumber.rt_sigqueueinfo:
                result = a.A2 == 0 ? Errno.EFAULT : process.Sigqueueinfo((int)a.A0, (int)a.A1, SentInfo(a.A2));
                return true;
            case SyscallNumber.rt_tgsigqueueinfo:
                result = a.A3 == 0 ? Errno.EFAULT : process.Tgsigqueueinfo((int)a.A0, (int)a.A1, (int)a.A2, SentInfo(a.A3));
                return true;
            default:
                return false;
        }
    }

    private static void WriteEnd(int* status, int value, byte* usage)
    {
        if (status != null)
        {
            *status = value;
        }

        if (usage != null)
        {
            new Span<byte>(usage, BytesOfUsage).Clear();
        }
    }

    /// <summary>Six fields of siginfo_t are written, whatever the result is, and the others left as they are.</summary>
    private static SyscallResult Waitid(Process process, in Arguments a)
    {
        SyscallResult result = process.Waitid((WaitIdType)a.A0, (int)a.A1, (WaitOptions)(uint)a.A3, out SignalInfo info);
        if (!result.IsError && info.Signal != 0)
        {
            WriteEnd(null, 0, (byte*)a.A4);
        }

        if (a.A2 != 0)
        {
            Span<byte> to = new((void*)a.A2, SignalInfo.Bytes);
            ReadOnlySpan<(int Offset, int Value)> fields =
                [(0, (int)info.Signal), (4, 0), (8, info.Code), (16, info.ProcessId), (20, info.UserId), (24, (int)info.Value)];
            foreach ((int offset, int value) in fields)
            {
                BinaryPrimitives.WriteInt32LittleEndian(to[offset..], value);
            }
        }

        return result;
    }

    private static SyscallResult WaitForSignal(Process process, in Arguments a)
    {
        if (a.A3 != BytesOfSet)
        {
            return Errno.EINVAL;
        }

        if (a.A0 == 0)
        {
            return Errno.EFAULT;
        }

        if (a.A2 != 0 && !TimeStructures.IsValid((void*)a.A2))
        {
            return Errno.EINVAL;
        }

        SyscallResult result = process.Sigtimedwait(*(ulong*)a.A0, a.A2 == 0 ? null : TimeStructures.ReadTime((void*)a.A2), out SignalInfo info);
        if (!result.IsError && a.A1 != 0)
        {
            info.WriteInfo(new Span<byte>((void*)a.A1, SignalInfo.Bytes));
        }

        return result;
    }

    private static SignalInfo SentInfo(long pointer) => SignalInfo.Read(new ReadOnlySpan<byte>((void*)pointer, SignalInfo.Bytes), default);
}
