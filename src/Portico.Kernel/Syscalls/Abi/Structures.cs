using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>struct epoll_event, which is packed on x86-64 only.</summary>
internal static unsafe class EpollStructure
{
    public static readonly int Bytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    public static EpollEvent Read(void* from) => new((EpollFlags)(*(uint*)from), Unaligned((byte*)from + Bytes - 8));

    public static void Write(void* to, EpollEvent value)
    {
        *(uint*)to = (uint)value.Events;
        MemoryMarshal.Write(new Span<byte>((byte*)to + Bytes - 8, 8), value.Data);
    }

    private static ulong Unaligned(byte* from) => MemoryMarshal.Read<ulong>(new ReadOnlySpan<byte>(from, 8));
}

/// <summary>struct timespec and struct itimerspec: seconds and nanoseconds in 64 bits each.</summary>
internal static unsafe class TimeStructures
{
    private const long Second = 1_000_000_000;

    public static bool IsValid(void* from) => ((long*)from)[0] >= 0 && ((long*)from)[1] is >= 0 and < Second;

    public static Duration ReadTime(void* from)
    {
        long seconds = ((long*)from)[0];
        return seconds >= long.MaxValue / Second ? Duration.Infinite : new Duration((seconds * Second) + ((long*)from)[1]);
    }

    public static bool TryRead(void* from, out TimerSpec spec)
    {
        // The interval comes first.
        byte* value = (byte*)from + 16;
        spec = IsValid(from) && IsValid(value) ? new TimerSpec(ReadTime(value), ReadTime(from)) : default;
        return IsValid(from) && IsValid(value);
    }

    public static void Write(void* to, TimerSpec spec)
    {
        WriteTime((long*)to, spec.Interval);
        WriteTime((long*)to + 2, spec.Value);
    }

    public static void WriteTime(long* to, Duration time)
    {
        to[0] = time.Nanoseconds / Second;
        to[1] = time.Nanoseconds % Second;
    }
}

/// <summary>struct stat of x86-64.</summary>
internal static unsafe class StatStructure
{
    private const int Bytes = 144;

    public static void Write(void* to, in FileStatus status)
    {
        new Span<byte>(to, Bytes).Clear();
        long* words = (long*)to;
        int* halves = (int*)to;
        words[0] = status.FileSystem;
        words[1] = status.Inode;
        words[2] = status.LinkCount;
        halves[6] = status.Mode;
        halves[7] = status.UserId;
        halves[8] = status.GroupId;
        words[5] = status.Device;
        words[6] = status.Size;
        words[7] = status.BlockSize;
        words[8] = status.Blocks;
        ReadOnlySpan<long> times = [status.AccessedUnixNanoseconds, status.ModifiedUnixNanoseconds, status.ChangedUnixNanoseconds];
        for (int i = 0; i < times.Length; i++)
        {
            words[9 + (2 * i)] = times[i] / 1_000_000_000;
            words[10 + (2 * i)] = times[i] % 1_000_000_000;
        }
    }
}
