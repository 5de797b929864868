using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Portico.Kernel;

/// <summary>
/// A number that one thread can sleep on as long as it has a value (futex(2)). On Linux that is the system call itself, which costs half of
/// what the runtime's own events do; elsewhere it is one of those.
/// </summary>
internal sealed unsafe partial class ParkingWord
{
    private const int FUTEX_WAIT_PRIVATE = 128;
    private const int FUTEX_WAKE_PRIVATE = 129;

    private static readonly nint s_futex = OperatingSystem.IsLinux()
        ? RuntimeInformation.ProcessArchitecture switch { Architecture.X64 => 202, Architecture.Arm64 => 98, _ => 0 }
        : 0;

    // On the heap of pinned objects, and alone in its cache lines: others look at it while it is spun on.
    private readonly int[] _memory = GC.AllocateArray<int>(64, pinned: true);
    private readonly ManualResetEventSlim? _event = s_futex == 0 ? new ManualResetEventSlim(false, 0) : null;

    public ref int Value
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => ref _memory[32];
    }

    /// <summary>Sleeps while the number is what it is said to be, for so many nanoseconds at most; may come back earlier for no reason.</summary>
    public void Sleep(int value, long nanoseconds = long.MaxValue)
    {
        if (_event == null)
        {
            long* time = stackalloc long[2];
            (time[0], time[1]) = Math.DivRem(nanoseconds, 1_000_000_000);
            _ = syscall(s_futex, (int*)Unsafe.AsPointer(ref Value), FUTEX_WAIT_PRIVATE, value, nanoseconds == long.MaxValue ? null : time);
        }
        else if (Volatile.Read(ref Value) == value)
        {
            _event.Wait(nanoseconds == long.MaxValue ? -1 : (int)Math.Min(int.MaxValue, (nanoseconds / 1_000_000) + 1));

            // Whoever sets it has changed the number before, so that nothing is lost.
            _event.Reset();
        }
    }

    /// <summary>Wakes the thread; to be called after the number has been changed.</summary>
    public void Wake()
    {
        if (_event == null)
        {
            _ = syscall(s_futex, (int*)Unsafe.AsPointer(ref Value), FUTEX_WAKE_PRIVATE, 1, null);
        }
        else
        {
            _event.Set();
        }
    }

    [LibraryImport("libc")]
    private static partial nint syscall(nint number, int* address, nint operation, nint value, long* time);
}
