using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Differential.Tests.Systems;

/// <summary>
/// A process of Linux's own that a case commands. It shares this process's memory (CLONE_VM), so that pointers mean the same in it, but neither
/// descriptors nor signals; all that it runs is a loop of some instructions: wait for a call in a shared slot, make it, put the result there.
/// </summary>
internal sealed unsafe partial class LinuxProcess : ISystem
{
    private const ulong CLONE_VM = 0x100;
    private const ulong CLONE_CLEAR_SIGHAND = 0x1_0000_0000;
    private const long SYS_mmap = 9;
    private const long SYS_munmap = 11;
    private const long SYS_wait4 = 61;
    private const long SYS_futex = 202;
    private const long SYS_clone3 = 435;
    private const long FUTEX_WAKE = 1;
    private const int __WALL = 0x4000_0000;
    private const long ETIMEDOUT = 110;
    private const int StackBytes = 65_536;

    /// <summary>Where the code that a child begins with, the handler and its end are.</summary>
    private const int HandlerOffset = 0x100;
    private const int RestorerOffset = 0x110;

    // r12 is the slot: state, number, six words, result.
    private static readonly byte[] s_code =
    [
        0x41, 0x5C,                                         // start: pop r12
        0x41, 0x8B, 0x04, 0x24,                             // loop:  mov eax, [r12]
        0x83, 0xF8, 0x01,                                   //        cmp eax, 1
        0x74, 0x1A,                                         //        je call
        0x83, 0xF8, 0x03,                                   //        cmp eax, 3
        0x74, 0x49,                                         //        je clone
        0x89, 0xC2,                                         //        mov edx, eax
        0x4C, 0x89, 0xE7,                                   //        mov rdi, r12
        0x31, 0xF6,                                         //        xor esi, esi (FUTEX_WAIT)
        0x45, 0x31, 0xD2,                                   //        xor r10d, r10d
        0xB8, 0xCA, 0x00, 0x00, 0x00,                       //        mov eax, 202
        0x0F, 0x05,                                         //        syscall
        0xEB, 0xDF,                                         //        jmp loop
        0x90, 0x90,
        0x49, 0x8B, 0x44, 0x24, 0x08,                       // call:  mov rax, [r12 + 8]
        0x49, 0x8B, 0x7C, 0x24, 0x10,                       //        mov rdi, [r12 + 16]
        0x49, 0x8B, 0x74, 0x24, 0x18,                       //        mov rsi, [r12 + 24]
        0x49, 0x8B, 0x54, 0x24, 0x20,                       //        mov rdx, [r12 + 32]
        0x4D, 0x8B, 0x54, 0x24, 0x28,                       //        mov r10, [r12 + 40]
        0x4D, 0x8B, 0x44, 0x24, 0x30,                       //        mov r8, [r12 + 48]
        0x4D, 0x8B, 0x4C, 0x24, 0x38,                       //        mov r9, [r12 + 56]
        0x0F, 0x05,                                         //        syscall
        0x49, 0x89, 0x44, 0x24, 0x40,                       // store: mov [r12 + 64], rax
        0x41, 0xC7, 0x04, 0x24, 0x02, 0x00, 0x00, 0x00,     //        mov dword [r12], 2
        0xEB, 0xA9,                                         //        jmp loop
        0x49, 0x8B, 0x7C, 0x24, 0x10,                       // clone: mov rdi, [r12 + 16]
        0x49, 0x8B, 0x74, 0x24, 0x18,                       //        mov rsi, [r12 + 24]
        0xB8, 0xB3, 0x01, 0x00, 0x00,                       //        mov eax, 435
        0x0F, 0x05,                                         //        syscall
        0x48, 0x85, 0xC0,                                   //        test rax, rax
        0x75, 0xDB,                                         //        jne store
        0xEB, 0x8F,                                         //        jmp start
    ];

    private static readonly Lazy<long> s_program = new(Load);

    private readonly List<LinuxProcess> _all;
    private readonly long _stack;
    private readonly long* _slot;
    private bool _hasEnded;

    public LinuxProcess(List<LinuxProcess> all, LinuxProcess? parent)
    {
        _all = all;
        _stack = Map(StackBytes, executable: false);
        _slot = (long*)_stack;
        long top = _stack + StackBytes - 32;
        ulong* arguments = stackalloc ulong[8]
        {
            CLONE_VM | CLONE_CLEAR_SIGHAND, 0, 0, 0, parent == null ? 0u : (ulong)Signal.SIGCHLD, (ulong)_stack + 4096, (ulong)(top - _stack - 4096), 0,
        };
        if (parent == null)
        {
            // The new process returns out of the C library's syscall, to what is on top of its stack.
            *(long*)top = s_program.Value;
            *(long*)(top + 8) = (long)_slot;
            Id = syscall(SYS_clone3, (long)arguments, 64, 0, 0, 0, 0);
        }
        else
        {
            *(long*)top = (long)_slot;
            Id = parent.Order(3, 0, (long)arguments, 64, 0, 0, 0, 0);
        }

        if (Id <= 0)
        {
            throw new InvalidOperationException($"clone3: {Id}, errno {Marshal.GetLastPInvokeError()}");
        }

        all.Add(this);
        ulong everything = ulong.MaxValue;
        Call(SyscallNumber.rt_sigprocmask, 2, (long)(&everything), 0, 8, 0, 0);

        // What this process ignores stays ignored in its children.
        ulong* action = stackalloc ulong[4] { 0, 0, 0, 0 };
        Call(SyscallNumber.rt_sigaction, (long)Signal.SIGPIPE, (long)action, 0, 8, 0, 0);
    }

    public string Name => "Linux";

    public long Id { get; }

    /// <summary>A handler that does nothing, for rt_sigaction(2), and what returns from it.</summary>
    public static (long Handler, long Restorer) Handler => (s_program.Value + HandlerOffset, s_program.Value + RestorerOffset);

    public long Call(SyscallNumber number, long a0, long a1, long a2, long a3, long a4, long a5)
    {
        if (number != SyscallNumber.exit)
        {
            long result = Order(1, (long)number, a0, a1, a2, a3, a4, a5);
            if (number == SyscallNumber.wait4 && result > 0)
            {
                ForgetWaitedFor(result);
            }
            else if (number == SyscallNumber.waitid && result == 0 && ((WaitOptions)a3 & WaitOptions.WNOWAIT) == 0)
            {
                ForgetWaitedFor(((int*)a2)[4]);
            }

            return result;
        }

        Post(1, (long)number, a0, 0, 0, 0, 0, 0);
        Thread.Sleep(20);
        _hasEnded = true;
        return 0;
    }

    /// <summary>Its number may be another's from now on, which must not be killed in its place.</summary>
    private void ForgetWaitedFor(long id)
    {
        foreach (LinuxProcess process in _all)
        {
            process._hasEnded |= process.Id == id;
        }
    }

    public ISystem Fork() => new LinuxProcess(_all, this);

    public void WithNetRaw(Action calls) => throw new NotSupportedException();

    public void InFreshProcess(Action body, bool asRoot = false) => throw new NotSupportedException();

    public void End()
    {
        if (!_hasEnded)
        {
            _ = syscall((long)SyscallNumber.kill, Id, (long)Signal.SIGKILL, 0, 0, 0, 0);
        }

        // A child of a child is init's to wait for; its memory stays until it is certain to be gone.
        if (syscall(SYS_wait4, Id, 0, __WALL, 0, 0, 0) == Id)
        {
            _ = syscall(SYS_munmap, _stack, StackBytes, 0, 0, 0, 0);
        }
    }

    private long Order(int kind, long number, long a0, long a1, long a2, long a3, long a4, long a5)
    {
        Post(kind, number, a0, a1, a2, a3, a4, a5);
        long end = Environment.TickCount64 + 20_000;
        SpinWait spinner = default;
        while (Volatile.Read(ref *(int*)_slot) != 2)
        {
            spinner.SpinOnce(sleep1Threshold: 20);
            if (Environment.TickCount64 > end)
            {
                return -ETIMEDOUT;
            }
        }

        return _slot[8];
    }

    private void Post(int kind, long number, long a0, long a1, long a2, long a3, long a4, long a5)
    {
        ReadOnlySpan<long> words = [number, a0, a1, a2, a3, a4, a5];
        words.CopyTo(new Span<long>(_slot + 1, words.Length));
        Volatile.Write(ref *(int*)_slot, kind);
        _ = syscall(SYS_futex, (long)_slot, FUTEX_WAKE, 1, 0, 0, 0);
    }

    private static long Load()
    {
        long memory = Map(4096, executable: true);
        s_code.CopyTo(new Span<byte>((void*)memory, 4096));
        *(byte*)(memory + HandlerOffset) = 0xC3;
        ((ReadOnlySpan<byte>)[0xB8, 0x0F, 0x00, 0x00, 0x00, 0x0F, 0x05]).CopyTo(new Span<byte>((void*)(memory + RestorerOffset), 16));
        return memory;
    }

    private static long Map(int bytes, bool executable)
    {
        const int PrivateAnonymous = 0x22;
        long memory = syscall(SYS_mmap, 0, bytes, executable ? 7 : 3, PrivateAnonymous, -1, 0);
        return memory > 0 ? memory : throw new InvalidOperationException($"mmap: errno {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5);
}
