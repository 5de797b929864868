using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Differential.Tests.Systems;

/// <summary>
/// The kernel of this machine. Linux keeps the table of descriptors by thread: one thread of this process takes a table of its own
/// (unshare(2), CLONE_FILES), closes all that it inherited, and so numbers its descriptors from 0 as a new program would. Threads that
/// it starts share the table. Its working directory and umask are its own as well (CLONE_FS), and so is its view of the file systems
/// (CLONE_NEWNS). It has a network namespace of its own too, and gives its capabilities up, so that limits hold for it.
/// </summary>
internal sealed unsafe partial class LinuxSystem : ISystem
{
    private const int CLONE_FS = 0x200;
    private const int CLONE_FILES = 0x400;
    private const int CLONE_NEWNS = 0x2_0000;
    private const int CLONE_NEWNET = 0x4000_0000;
    private const int SYS_capset = 126;
    private const uint CAP_NET_RAW = 1 << 13;
    private const long SYS_mount = 165;
    private const long SYS_mount_setattr = 442;
    private const int O_RDWR = 2;
    private const string Private = "/dev/shm/case";

    private readonly BlockingCollection<Action> _work = [];
    private readonly List<LinuxProcess> _children = [];

    public LinuxSystem()
    {
        TaskCompletionSource ready = new();
        Thread thread = new(() => Serve(ready)) { IsBackground = true, Name = "linux" };
        thread.Start();
        ready.Task.GetAwaiter().GetResult();
    }

    public string Name => "Linux";

    public long Call(SyscallNumber number, long a0, long a1, long a2, long a3, long a4, long a5)
    {
        long result = syscall((long)number, a0, a1, a2, a3, a4, a5);
        return result == -1 ? -Marshal.GetLastPInvokeError() : result;
    }

    public ISystem Fork() => new LinuxProcess(_children, parent: null);

    public void InFreshProcess(Action body, bool asRoot = false)
    {
        TaskCompletionSource done = new();
        _work.Add(() =>
        {
            try
            {
                Reset();
                CaseDirectory.Enter(this, Private);
                try
                {
                    body();
                }
                finally
                {
                    _children.ForEach(static child => child.End());
                    _children.Clear();
                    Reset();
                    CaseDirectory.Leave(this, Private);
                }

                done.SetResult();
            }
            catch (Exception e)
            {
                done.SetException(e);
            }
        });
        done.Task.GetAwaiter().GetResult();
    }

    private void Serve(TaskCompletionSource ready)
    {
        try
        {
            SetUp();
            ready.SetResult();
        }
        catch (Exception e)
        {
            ready.SetException(e);
            return;
        }

        foreach (Action action in _work.GetConsumingEnumerable())
        {
            action();
        }
    }

    private void SetUp()
    {
        // Binds the functions before the descriptors are gone.
        _ = syscall(39, 0, 0, 0, 0, 0, 0);
        if (syscall((long)272, CLONE_FS | CLONE_FILES | CLONE_NEWNS | CLONE_NEWNET, 0, 0, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException($"unshare: errno {Marshal.GetLastPInvokeError()}; the tests need root");
        }

        SetUpNetwork();
        ProtectTheMachine();
        LetSettingsBeChanged();
        BringLoopbackUp();
        SetCapabilities(0);
        Reset();
    }

    public void WithNetRaw(Action calls)
    {
        SetCapabilities(CAP_NET_RAW);
        calls();
        SetCapabilities(0);
    }

    /// <summary>Gives up all capabilities of the thread for good but one, which is as good as given up while it is not effective.</summary>
    private static void SetCapabilities(uint effective)
    {
        ulong header = 0x2008_0522;
        uint* sets = stackalloc uint[6] { effective, CAP_NET_RAW, 0, 0, 0, 0 };
        if (syscall(SYS_capset, (long)(&header), (long)sets, 0, 0, 0, 0) != 0)
        {
            throw new InvalidOperationException($"capset: errno {Marshal.GetLastPInvokeError()}");
        }
    }

    /// <summary>The settings of the new network namespace that machines have otherwise than Portico, as Portico has them.</summary>
    private static void SetUpNetwork()
    {
        File.WriteAllText("/proc/sys/net/ipv4/tcp_rmem", "4096 131072 6291456");
        File.WriteAllText("/proc/sys/net/ipv4/ping_group_range", "0 2147483647");
    }

    private void BringLoopbackUp()
    {
        byte* request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        "lo"u8.CopyTo(new Span<byte>(request, 40));
        *(short*)(request + 16) = 1;
        long fd = syscall((long)SyscallNumber.socket, 2, 2, 0, 0, 0, 0);
        _ = syscall((long)SyscallNumber.ioctl, fd, 0x8914, (long)request, 0, 0, 0);
    }

    /// <summary>Nothing is open but 0, 1 and 2.</summary>
    private void Reset()
    {
        _ = syscall((long)SyscallNumber.close_range, 0, int.MaxValue, 0, 0, 0, 0);
        fixed (byte* path = "/dev/null\0"u8)
        {
            for (int i = 0; i < 3; i++)
            {
                _ = syscall((long)SyscallNumber.open, (long)path, O_RDWR, 0, 0, 0, 0);
            }
        }
    }

    /// <summary>
    /// Takes a view of the file systems of its own, in which nothing but a new tmpfs can be written to, and no terminal is but its own. The thread is root, and so the
    /// owner of /, /dev and all that: no case may ever change those, whatever it does. Where that cannot be had, no case runs.
    /// </summary>
    private static void ProtectTheMachine()
    {
        const ulong MOUNT_ATTR_RDONLY = 1;
        const ulong MS_PRIVATE = 1 << 18;
        const int AT_RECURSIVE = 0x8000;
        const long EROFS = 30;
        ulong* attributes = stackalloc ulong[4] { MOUNT_ATTR_RDONLY, 0, MS_PRIVATE, 0 };
        fixed (byte* root = "/\0"u8, tmpfs = "tmpfs\0"u8, place = "/dev/shm\0"u8, devices = "/dev\0"u8, devpts = "devpts\0"u8, terminals = "/dev/pts\0"u8)
        {
            if (syscall(SYS_mount_setattr, Process.AT_FDCWD, (long)root, AT_RECURSIVE, (long)attributes, 32, 0) != 0
                || syscall(SYS_mount, (long)tmpfs, (long)place, (long)tmpfs, 0, 0, 0) != 0
                || syscall(SYS_mount, (long)devpts, (long)terminals, (long)devpts, 0, 0, 0) != 0)
            {
                throw new InvalidOperationException($"mount: errno {Marshal.GetLastPInvokeError()}; the tests need root");
            }

            foreach (long path in (ReadOnlySpan<long>)[(long)root, (long)devices])
            {
                if (syscall((long)SyscallNumber.access, path, (long)AccessMode.W_OK, 0, 0, 0, 0) == 0 || Marshal.GetLastPInvokeError() != EROFS)
                {
                    throw new InvalidOperationException("the file systems of the machine are not read-only to the tests");
                }
            }
        }
    }

    /// <summary>
    /// Settings of the thread's own network namespace, file by file, are the one thing besides its tmpfs that it may write to: what is
    /// written there is of that namespace only.
    /// </summary>
    private static void LetSettingsBeChanged()
    {
        const ulong MOUNT_ATTR_RDONLY = 1;
        const long MS_BIND = 0x1000;
        ulong* attributes = stackalloc ulong[4] { 0, MOUNT_ATTR_RDONLY, 0, 0 };
        foreach (string setting in Kit.WritableSettings)
        {
            fixed (byte* path = System.Text.Encoding.ASCII.GetBytes($"/proc/sys/{setting}\0"))
            {
                if (syscall(SYS_mount, (long)path, (long)path, 0, MS_BIND, 0, 0) != 0
                    || syscall(SYS_mount_setattr, Process.AT_FDCWD, (long)path, 0, (long)attributes, 32, 0) != 0)
                {
                    throw new InvalidOperationException($"mount of {setting}: errno {Marshal.GetLastPInvokeError()}; the tests need root");
                }
            }
        }

        fixed (byte* ofTheMachine = "/proc/sys/fs/file-max\0"u8)
        {
            const long EROFS = 30;
            if (syscall((long)SyscallNumber.access, (long)ofTheMachine, (long)AccessMode.W_OK, 0, 0, 0, 0) == 0 || Marshal.GetLastPInvokeError() != EROFS)
            {
                throw new InvalidOperationException("the settings of the machine are not read-only to the tests");
            }
        }
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial long syscall(long number, long a0, long a1, long a2, long a3, long a4, long a5);
}
