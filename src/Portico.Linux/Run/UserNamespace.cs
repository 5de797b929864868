using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// How an ordinary user comes to make network namespaces: the whole process runs in a user namespace of its own, in which it has all
/// capabilities and its own user id. It stays in the host's network, and what belongs to the host's namespaces stays out of its
/// reach. The kernel lets only a single-threaded process enter one, so that util-linux's unshare(1) does it before the runtime starts.
/// </summary>
public static unsafe class UserNamespace
{
    private const int CAP_SYS_ADMIN = 21;
    private const uint LINUX_CAPABILITY_VERSION_3 = 0x2008_0522;

    private static readonly string[] s_how = ["--user", "--map-current-user", "--keep-caps", "--"];

    /// <summary>Whether this process may make network and mount namespaces.</summary>
    public static bool HasSystemAdministration
    {
        get
        {
            uint* header = stackalloc uint[2] { LINUX_CAPABILITY_VERSION_3, 0 };
            uint* data = stackalloc uint[6];
            return LibC.CapabilitiesGet(header, data) == 0 && (data[0] & (1U << CAP_SYS_ADMIN)) != 0;
        }
    }

    /// <summary>
    /// Replaces this process by itself, with other arguments, in a user namespace. Returns only by an exception, whose message says
    /// in one line what stands in the way.
    /// </summary>
    public static void Reenter(IReadOnlyList<string> arguments)
    {
        if (Obstacle() is string obstacle)
        {
            throw new LinuxException(obstacle, Errno.EPERM);
        }

        string unshare = CommandPath.Find("unshare", out _)
            ?? throw new LinuxException("unshare(1) is missing: install util-linux, or run as root", Errno.ENOENT);
        if (Trial(unshare) is string failure)
        {
            throw new LinuxException($"{RefusalReason()} ({failure})", Errno.EPERM);
        }

        List<string> vector = [unshare, .. s_how];
        string process = Environment.ProcessPath!;
        vector.Add(process);
        string assembly = Environment.GetCommandLineArgs()[0];
        if (assembly.EndsWith(".dll", StringComparison.Ordinal))
        {
            vector.Add(assembly);
        }

        vector.AddRange(arguments);
        using StringVector native = new(vector);
        LibC.Execute(unshare, native.Pointer, LibC.EnvironmentBlock);
        throw LinuxException.Last(unshare);
    }

    /// <summary>
    /// What unshare(1) says when it fails; null where it does not. Once this process has become unshare, nobody is left to explain.
    /// </summary>
    private static string? Trial(string unshare)
    {
        int* ends = stackalloc int[2];
        if (LibC.Pipe(ends, LibC.O_CLOEXEC) != 0)
        {
            throw LinuxException.Last("pipe");
        }

        using StringVector arguments = new([unshare, .. s_how, "true"]);
        byte* actions = stackalloc byte[1024];
        LibC.SpawnActionsInit(actions);
        LibC.SpawnActionsAddDuplicate(actions, ends[1], 2);
        int id;
        int error = LibC.PosixSpawn(&id, unshare, actions, null, arguments.Pointer, LibC.EnvironmentBlock);
        LibC.SpawnActionsDestroy(actions);
        LibC.Close(ends[1]);
        using FileStream said = new(new SafeFileHandle(ends[0], ownsHandle: true), FileAccess.Read, bufferSize: 0);
        if (error != 0)
        {
            return Marshal.GetPInvokeErrorMessage(error);
        }

        using StreamReader reader = new(said);
        string? line = reader.ReadLine();
        LibC.WaitForEnd(id, out int status);
        return status == 0 ? null : line ?? "unshare failed";
    }

    /// <summary>What keeps ordinary users from user namespaces on this machine, as far as it can be seen; null for nothing.</summary>
    public static string? Obstacle()
    {
        if (Read("/proc/sys/kernel/unprivileged_userns_clone") == "0")
        {
            return "user namespaces are not allowed for ordinary users: sysctl -w kernel.unprivileged_userns_clone=1 (as root), "
                + "or run as root";
        }

        if (Read("/proc/sys/user/max_user_namespaces") == "0")
        {
            return "user namespaces are switched off: sysctl -w user.max_user_namespaces=15000 (as root), or run as root";
        }

        if (!File.Exists("/proc/self/ns/user"))
        {
            return "the kernel has no user namespaces (CONFIG_USER_NS): run as root";
        }

        return null;
    }

    /// <summary>Why a namespace was refused that no setting forbids outright, in one line.</summary>
    internal static string RefusalReason()
    {
        if (!IsRoot && Read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1")
        {
            return "AppArmor restricts user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (as root), "
                + "or run as root";
        }

        return Obstacle() ?? (HasSystemCallFilter
            ? "a seccomp filter, as containers have, forbids namespaces: docker run --security-opt seccomp=unconfined, or --privileged"
            : "CAP_SYS_ADMIN is missing: run as root");
    }

    private static bool IsRoot => LibC.EffectiveUserId() == 0 && HasSystemAdministration;

    private static bool HasSystemCallFilter =>
        Read("/proc/self/status")?.Contains("\nSeccomp:\t2", StringComparison.Ordinal) == true;

    private static string? Read(string path)
    {
        try
        {
            return File.Exists(path) ? File.ReadAllText(path).Trim() : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
