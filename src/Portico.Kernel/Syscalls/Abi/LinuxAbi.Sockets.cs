using Portico.Net;

namespace Portico.Kernel;

// The calls on sockets: addresses come as a pointer and a length, and go back with a pointer to the length.
public static unsafe partial class LinuxAbi
{
    private const int AddressBytesMax = Process.AddressBytesMax;

    private static bool TrySockets(Process process, SyscallNumber number, in Arguments a, ref SyscallResult result)
    {
        if (number is SyscallNumber.bind or SyscallNumber.connect or SyscallNumber.setsockopt or SyscallNumber.getsockopt
            or SyscallNumber.sendto or SyscallNumber.recvfrom
            && !process.CheckSocket(a.Fd, out Errno wrong))
        {
            // The descriptor is looked at before any other argument.
            result = wrong;
            return true;
        }

        switch (number)
        {
            case SyscallNumber.socket:
                result = process.Socket((AddressFamily)a.A0, (SocketType)a.A1, (int)a.A2);
                return true;
            case SyscallNumber.bind:
                result = TryAddress(a.A1, a.A2, out ReadOnlySpan<byte> bound, out Errno error) ? process.Bind(a.Fd, bound) : error;
                return true;
            case SyscallNumber.listen:
                result = process.Listen(a.Fd, (int)a.A1);
                return true;
            case SyscallNumber.connect:
                result = TryAddress(a.A1, a.A2, out ReadOnlySpan<byte> peer, out error) ? process.Connect(a.Fd, peer) : error;
                return true;
            case SyscallNumber.accept or SyscallNumber.accept4:
                result = Accept(process, a, number == SyscallNumber.accept ? 0 : (SocketType)a.A3);
                return true;
            case SyscallNumber.shutdown:
                result = process.Shutdown(a.Fd, (ShutdownHow)a.A1);
                return true;
            case SyscallNumber.getsockname or SyscallNumber.getpeername:
                result = GetName(process, a, number == SyscallNumber.getpeername);
                return true;
            case SyscallNumber.sendto:
                result = TryAddress(a.A4, a.A4 == 0 ? 0 : a.A5, out ReadOnlySpan<byte> to, out error)
                    ? process.SendMessage(a.Fd, Memory(a), (MessageFlags)a.A3, to, control: default)
                    : error;
                return true;
            case SyscallNumber.recvfrom:
                Span<byte> from = stackalloc byte[AddressBytesMax];
                result = process.ReceiveMessage(a.Fd, Memory(a), (MessageFlags)a.A3, from, out int length);
                if (!result.IsError && a.A4 != 0)
                {
                    result = ReturnAddress(from[..length], a.A4, a.A5, result);
                }

                return true;
            case SyscallNumber.setsockopt:
                result = (int)a.A4 < 0 ? Errno.EINVAL
                    : a.A3 == 0 && (int)a.A4 != 0 ? Errno.EFAULT
                    : IsFilter(a) ? AttachFilter(process, a)
                    : process.SetSockOpt(a.Fd, (int)a.A1, (int)a.A2, new ReadOnlySpan<byte>((void*)a.A3, (int)a.A4));
                return true;
            case SyscallNumber.getsockopt:
                result = GetOption(process, a);
                return true;
            default:
                return false;
        }
    }

    private static IoCursor Memory(in Arguments a) => a.IsBadBuffer ? IoCursor.Missing(a.A2) : IoCursor.Into(a.Buffer);

    /// <summary>Errors: EINVAL for a length that no address has.</summary>
    private static bool TryAddress(long pointer, long length, out ReadOnlySpan<byte> address, out Errno error)
    {
        bool isValid = (int)length is >= 0 and <= AddressBytesMax;
        address = isValid && pointer != 0 ? new ReadOnlySpan<byte>((void*)pointer, (int)length) : default;
        error = isValid ? pointer == 0 && length != 0 ? Errno.EFAULT : Errno.None : Errno.EINVAL;
        return error == Errno.None;
    }

    private static SyscallResult ReturnAddress(ReadOnlySpan<byte> address, long to, long lengthPointer, SyscallResult otherwise)
    {
        int* length = (int*)lengthPointer;
        if (*length < 0)
        {
            return Errno.EINVAL;
        }

        address[..Math.Min(address.Length, *length)].CopyTo(new Span<byte>((void*)to, *length));
        *length = address.Length;
        return otherwise;
    }

    private static SyscallResult Accept(Process process, in Arguments a, SocketType flags)
    {
        Span<byte> address = stackalloc byte[AddressBytesMax];
        SyscallResult result = process.Accept4(a.Fd, address, out int length, flags);
        return result.IsError || a.A1 == 0 ? result : ReturnAddress(address[..length], a.A1, a.A2, result);
    }

    private static SyscallResult GetName(Process process, in Arguments a, bool ofPeer)
    {
        Span<byte> address = stackalloc byte[AddressBytesMax];
        SyscallResult result = ofPeer ? process.GetPeerName(a.Fd, address) : process.GetSockName(a.Fd, address);
        return result.IsError ? result : ReturnAddress(address[..(int)result.Value], a.A1, a.A2, 0);
    }

    private static SyscallResult GetOption(Process process, in Arguments a)
    {
        int* length = (int*)a.A4;
        if (*length < 0)
        {
            return Errno.EINVAL;
        }

        // The length of a filter counts instructions.
        int unit = IsFilter(a) ? BpfInstruction.Bytes : 1;
        int room = (int)Math.Min((long)*length * unit, int.MaxValue);
        Errno error = process.GetSockOpt(a.Fd, (int)a.A1, (int)a.A2, new Span<byte>((void*)a.A3, room), out int returned);
        if (error == Errno.None || returned > room)
        {
            *length = returned / unit;
        }

        return error;
    }

    private static bool IsFilter(in Arguments a) => a.A1 == (long)SocketLevel.SOL_SOCKET && a.A2 == (long)SocketOption.SO_ATTACH_FILTER;

    /// <summary>struct sock_fprog: how many instructions, and where they are.</summary>
    private static SyscallResult AttachFilter(Process process, in Arguments a)
    {
        const int ProgramBytes = 16;
        if (a.A4 >= sizeof(int) && !process.MayFilter(a.Fd, out Errno error))
        {
            return error;
        }

        if (a.A4 != ProgramBytes)
        {
            return Errno.EINVAL;
        }

        if (a.A3 == 0)
        {
            return Errno.EFAULT;
        }

        int count = *(ushort*)a.A3;
        void* program = *(void**)(a.A3 + 8);
        ReadOnlySpan<byte> instructions = new(program, program == null ? 0 : count * BpfInstruction.Bytes);
        return process.SetSockOpt(a.Fd, (int)a.A1, (int)a.A2, instructions);
    }
}
