using Portico.Net;

namespace Portico.Kernel;

// Messages with control messages, pairs of sockets, and who the caller is, which goes with such messages.
public static unsafe partial class LinuxAbi
{
    private static bool TryMessages(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        switch (number)
        {
            case SyscallNumber.sendmsg:
                result = a.A1 != 0 ? process.Sendmsg(a.Fd, *(MessageHeader*)a.A1, (MessageFlags)a.A2)
                    : process.CheckSocket(a.Fd, out Errno error) ? Errno.EFAULT : error;
                return true;
            case SyscallNumber.recvmsg:
                result = a.A1 != 0 ? process.Recvmsg(a.Fd, ref *(MessageHeader*)a.A1, (MessageFlags)a.A2)
                    : process.CheckSocket(a.Fd, out error) ? Errno.EFAULT : error;
                return true;
            case SyscallNumber.sendmmsg:
                result = process.Sendmmsg(a.Fd, Messages(a), (MessageFlags)a.A3);
                return true;
            case SyscallNumber.recvmmsg:
                result = ReceiveMultiple(process, a);
                return true;
            case SyscallNumber.socketpair:
                result = process.SocketPair((AddressFamily)a.A0, (SocketType)a.A1, (int)a.A2, out int first, out int second);
                if (!result.IsError)
                {
                    ((int*)a.A3)[0] = first;
                    ((int*)a.A3)[1] = second;
                }

                return true;
            case SyscallNumber.getpid:
                result = process.Id;
                return true;
            case SyscallNumber.getuid:
                result = process.UserId;
                return true;
            case SyscallNumber.getgid:
                result = process.GroupId;
                return true;
            default:
                return false;
        }
    }

    private static SyscallResult ReceiveMultiple(Process process, in Arguments a)
    {
        if (a.A4 != 0 && !TimeStructures.IsValid((void*)a.A4))
        {
            return Errno.EINVAL;
        }

        Duration? timeout = a.A4 == 0 ? null : TimeStructures.ReadTime((void*)a.A4);
        SyscallResult result = process.Recvmmsg(a.Fd, Messages(a), (MessageFlags)a.A3, ref timeout);
        if (!result.IsError && timeout is { } left)
        {
            TimeStructures.WriteTime((long*)a.A4, left);
        }

        return result;
    }

    private static Span<MultipleMessageHeader> Messages(in Arguments a) => new(a.Pointer, (int)Math.Min((uint)a.A2, int.MaxValue));
}
