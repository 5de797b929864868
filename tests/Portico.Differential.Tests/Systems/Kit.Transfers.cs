using System.Globalization;
using System.Runtime.InteropServices;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Calls that move bytes from one descriptor to another. Where a position is given, what became of it is written down.
internal sealed unsafe partial class Kit
{
    public const uint PageBytes = 4096;

    public long Splice(long source, long? from, long target, long? to, ulong count, SpliceFlags flags = 0)
    {
        (long first, long second) = (from ?? 0, to ?? 0);
        long result = RawSplice(source, from == null ? null : &first, target, to == null ? null : &second, count, flags);
        Write($"splice {count} {flags}{Moved(from, first)}{Moved(to, second)}", result);
        return result;
    }

    public long Tee(long source, long target, ulong count, SpliceFlags flags = 0)
    {
        long result = Raw(tee, source, target, (long)count, (long)flags);
        Write($"tee {count} {flags}", result);
        return result;
    }

    public long Sendfile(long target, long source, long? from, ulong count)
    {
        long position = from ?? 0;
        long result = Raw(sendfile, target, source, from == null ? 0 : (long)(&position), (long)count);
        Write($"sendfile {count}{Moved(from, position)}", result);
        return result;
    }

    public long CopyFileRange(long source, long? from, long target, long? to, ulong count, int flags = 0)
    {
        (long first, long second) = (from ?? 0, to ?? 0);
        long result = Raw(copy_file_range, source, from == null ? 0 : (long)(&first), target, to == null ? 0 : (long)(&second), (long)count, flags);
        Write($"copy_file_range {count} {flags}{Moved(from, first)}{Moved(to, second)}", result);
        return result;
    }

    /// <summary>vmsplice(2) out of memory that begins somewhere in a page, in pieces of the given lengths.</summary>
    public long Vmsplice(long fd, int offset, SpliceFlags flags, params int[] lengths)
    {
        byte* memory = (byte*)NativeMemory.AlignedAlloc((nuint)(offset + lengths.Sum() + PageBytes), PageBytes);
        for (int i = 0; i < offset + lengths.Sum(); i++)
        {
            memory[i] = (byte)(i * 7);
        }

        IoVector* pieces = stackalloc IoVector[lengths.Length + 1];
        int start = offset;
        for (int i = 0; i < lengths.Length; i++)
        {
            pieces[i] = new IoVector(memory + start, (nuint)lengths[i]);
            start += lengths[i];
        }

        long result = Raw(vmsplice, fd, (long)pieces, lengths.Length, (long)flags);
        Write($"vmsplice {string.Join('+', lengths)} at {offset} {flags}", result, new ReadOnlySpan<byte>(memory + offset, (int)Math.Max(0, result)));

        // Linux may refer to the pages until they have been read, so that they are never freed.
        return result;
    }

    /// <summary>For a thread that blocks: nothing is written down.</summary>
    public long RawSplice(long source, long* from, long target, long* to, ulong count, SpliceFlags flags = 0) =>
        Raw(splice, source, (long)from, target, (long)to, (long)count, (long)flags);

    public Task<(string Call, long Result, byte[] Bytes)> StartSplice(long source, long target, ulong count, SpliceFlags flags = 0) =>
        Start("splice", () => (RawSplice(source, null, target, null, count, flags), []));

    /// <summary>All that can be read now.</summary>
    public void Drain(long fd)
    {
        NonBlocking(fd);
        while (Read(fd, 200_000) > 0)
        {
        }
    }

    private static string Moved(long? before, long after) =>
        before == null ? "" : string.Create(CultureInfo.InvariantCulture, $" at {before}->{after}");
}
