using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Socket filters.
internal sealed unsafe partial class Kit
{
    private const int SOL_SOCKET = (int)SocketLevel.SOL_SOCKET;

    /// <summary>SO_ATTACH_FILTER, not written down. <paramref name="count"/> where it is not to be the program's length.</summary>
    public long AttachQuietly(long fd, ReadOnlySpan<BpfInstruction> program, int? count = null, bool isNull = false)
    {
        fixed (BpfInstruction* p = program)
        {
            ulong* structure = stackalloc ulong[2] { (ushort)(count ?? program.Length), isNull ? 0 : (ulong)p };
            return Raw(setsockopt, fd, SOL_SOCKET, (long)SocketOption.SO_ATTACH_FILTER, (long)structure, 16);
        }
    }

    public long Attach(long fd, ReadOnlySpan<BpfInstruction> program)
    {
        long result = AttachQuietly(fd, program);
        Write($"attach a filter of {program.Length}", result);
        return result;
    }

    /// <summary>SO_GET_FILTER with room for so many instructions.</summary>
    public void ShowFilter(long fd, int room)
    {
        BpfInstruction[] program = new BpfInstruction[Math.Max(1, room)];
        int length = room;
        fixed (BpfInstruction* p = program)
        {
            long result = Raw(getsockopt, fd, SOL_SOCKET, (long)SocketOption.SO_ATTACH_FILTER, (long)p, (long)(&length));
            Write($"the filter, into {room} -> {length}", result, MemoryMarshal.AsBytes(program.AsSpan(0, Math.Clamp(result < 0 ? 0 : length, 0, room))));
        }
    }

    /// <summary>How long the packets are that wait, as the socket would give them; -1 for the end of them. Not written down.</summary>
    public List<long> TakeLengths(long fd)
    {
        byte* room = stackalloc byte[256];
        List<long> lengths = [];
        long result;
        while ((result = Raw(recvfrom, fd, (long)room, 256, (long)(MessageFlags.MSG_DONTWAIT | MessageFlags.MSG_TRUNC))) >= 0)
        {
            lengths.Add(result);
        }

        return lengths;
    }
}
