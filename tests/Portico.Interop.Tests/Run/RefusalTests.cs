using Portico.Interop.Tests.Kernel;

namespace Portico.Interop.Tests.Run;

/// <summary>
/// Machines that do not let a user make namespaces or open the device: one line says what stands in the way and how to change it.
/// Settings that this kernel may not have are played by files over them, AppArmor and a container's seccomp by a filter of system calls.
/// </summary>
public sealed class RefusalTests : IDisposable
{
    /// <summary>Runs the rest of its arguments where some flags of unshare(2) give EPERM: argument 1 is the mask.</summary>
    private const string Filter =
        """
        import ctypes,os,platform,struct,sys
        machine,number={'x86_64':(0xc000003e,272),'aarch64':(0xc00000b7,97)}[platform.machine()]
        code=b''.join(struct.pack('HBBI',*i) for i in [
            (0x20,0,0,4),(0x15,0,5,machine),(0x20,0,0,0),(0x15,0,3,number),
            (0x20,0,0,16),(0x45,0,1,int(sys.argv[1],16)),(0x06,0,0,0x00050001),(0x06,0,0,0x7fff0000)])
        libc=ctypes.CDLL(None,use_errno=True); held=ctypes.create_string_buffer(code)
        program=struct.pack('HxxxxxxQ',len(code)//8,ctypes.addressof(held))
        assert libc.prctl(38,1,0,0,0)==0
        assert libc.prctl(22,2,program,0,0)==0, os.strerror(ctypes.get_errno())
        os.execvp(sys.argv[2],sys.argv[2:])
        """;

    private const string NewUser = "10000000";
    private const string NewNetwork = "40000000";

    private readonly HostNamespace _host = new();

    public void Dispose() => _host.Dispose();

    [Theory]
    [InlineData("600")]
    [InlineData("644")]
    public void A_device_that_is_not_for_everybody(string mode) => AssertRefused(
        "/dev/net/tun: permission denied: the device must be readable and writable for you (chmod 0666 /dev/net/tun, as root)",
        CommandResult.WaitFor(_host.StartAsUser(mode, "dotnet", HostNamespace.ToolPath, "run", "--", "true")));

    [Fact]
    public void A_machine_or_a_container_without_the_device() => AssertRefused(
        "/dev/net/tun does not exist: load the kernel module (modprobe tun), or give the container the device (--device /dev/net/tun)",
        _host.Run(
            "unshare", "--mount", "sh", "-ec", "mount -t tmpfs none /dev/net; exec dotnet \"$0\" run -- true", HostNamespace.ToolPath));

    [Theory]
    [InlineData(
        "unprivileged_userns_clone", "0",
        "user namespaces are not allowed for ordinary users: sysctl -w kernel.unprivileged_userns_clone=1 (as root), or run as root")]
    [InlineData(
        "apparmor_restrict_unprivileged_userns", "1",
        "AppArmor restricts user namespaces: sysctl -w kernel.apparmor_restrict_unprivileged_userns=0 (as root), or run as root "
        + "(unshare: unshare failed: Operation not permitted)")]
    public void A_setting_of_the_kernel(string setting, string value, string line) => AssertRefused(
        line,
        _host.Run(
            "unshare",
            [
                "--mount", "sh", "-ec",
                "cap=$(cat /proc/sys/kernel/cap_last_cap); mount -t tmpfs -o mode=755 none /proc/sys/kernel; cd /proc/sys/kernel; "
                + $"echo $cap >cap_last_cap; echo {value} >{setting}; cd /; "
                + "exec setpriv --reuid 12345 --regid 12345 --clear-groups -- env \"$@\"",
                "sh", .. Filtered(NewUser),
            ]));

    [Fact]
    public void A_limit_of_zero_namespaces() => AssertRefused(
        "user namespaces are switched off: sysctl -w user.max_user_namespaces=15000 (as root), or run as root",
        _host.Run(
            "unshare", "--user", "--map-root-user", "sh", "-ec",
            "echo 0 >/proc/sys/user/max_user_namespaces; "
            + "exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- env HOME=/tmp dotnet \"$0\" run -- true",
            HostNamespace.ToolPath));

    [Theory]
    [InlineData(NewUser, " (unshare: unshare failed: Operation not permitted)")]
    [InlineData(NewNetwork, "")]
    public void A_container_whose_filter_forbids_namespaces(string flags, string more) => AssertRefused(
        (flags == NewUser ? "" : "cannot make a network namespace: ")
        + "a seccomp filter, as containers have, forbids namespaces: docker run --security-opt seccomp=unconfined, or --privileged" + more,
        CommandResult.WaitFor(_host.StartAsUser("666", Filtered(flags)[0], Filtered(flags)[1..])));

    private static string[] Filtered(string flags) =>
        ["python3", "-c", Filter, flags, "env", "HOME=/tmp", "dotnet", HostNamespace.ToolPath, "run", "--", "true"];

    private static void AssertRefused(string line, CommandResult result)
    {
        Assert.Equal($"portico: {line}\n", result.Error);
        Assert.Equal(125, result.ExitCode);
    }
}
