using System.Globalization;
using System.Runtime.InteropServices;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Lists of memory of which parts are not there.
internal sealed unsafe partial class Kit
{
    /// <summary>
    /// A call with a list of memory, which is written as words: a number is so many bytes, a number behind an exclamation mark so many that
    /// are not there. What a reading call says that it has read is written down.
    /// </summary>
    public long Vector(SyscallNumber call, long fd, string pieces, long last = 0)
    {
        string[] words = pieces.Split(' ');
        int bytes = words.Sum(word => word[0] == '!' ? 0 : int.Parse(word, CultureInfo.InvariantCulture));
        bool isReading = call is readv or preadv or recvmsg;
        byte* memory = (byte*)NativeMemory.AllocZeroed((nuint)bytes + 1);
        IoVector* vector = stackalloc IoVector[words.Length];
        int start = 0;
        for (int i = 0; i < words.Length; i++)
        {
            bool isThere = words[i][0] != '!';
            int length = int.Parse(isThere ? words[i] : words[i][1..], CultureInfo.InvariantCulture);
            vector[i] = new IoVector(isThere ? memory + start : null, (nuint)length);
            start += isThere ? length : 0;
        }

        for (int i = 0; i < bytes && !isReading; i++)
        {
            memory[i] = (byte)('a' + (i % 26));
        }

        ulong* header = stackalloc ulong[7] { 0, 0, (ulong)vector, (ulong)words.Length, 0, 0, 0 };
        long result = call is recvmsg or sendmsg ? Raw(call, fd, (long)header, last) : Raw(call, fd, (long)vector, words.Length, last);
        Write($"{call} [{pieces}] {last}{(result >= 0 && call == recvmsg ? $" flags {header[6]:X}" : "")}", result,
            isReading ? new ReadOnlySpan<byte>(memory, (int)Math.Clamp(result, 0, bytes)) : default);
        NativeMemory.Free(memory);
        return result;
    }
}
