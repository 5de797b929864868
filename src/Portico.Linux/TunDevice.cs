using System.Runtime.InteropServices;
using System.Text;
using Portico.Net;

namespace Portico.Linux;

/// <summary>How to make a TUN or TAP device.</summary>
public sealed class TunOptions
{
    /// <summary>Its name in the kernel; "%d" is replaced by the first free number.</summary>
    public string Name { get; init; } = "portico%d";

    /// <summary><see cref="LinkKind.Ip"/> for TUN, <see cref="LinkKind.Ethernet"/> for TAP.</summary>
    public LinkKind Kind { get; init; } = LinkKind.Ip;

    /// <summary>The largest IP packet; the kernel's side is to be given the same by <see cref="RtNetlink"/>.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>For TAP: the link-layer address of Portico's end, not of the kernel's.</summary>
    public MacAddress Address { get; init; } = new(0x02_50_6F_72_74_01);

    /// <summary>Whether the kernel may hand in, and is handed, TCP super-segments and unfinished checksums.</summary>
    public bool Offloads { get; init; } = true;
}

/// <summary>
/// The descriptor of a TUN or TAP device, with a virtio-net header in front of each packet. Closing it removes the device from the
/// kernel.
/// </summary>
public sealed unsafe class TunDevice : IDisposable
{
    private const string Path = "/dev/net/tun";
    private const nuint TUNSETIFF = 0x4004_54CA;
    private const nuint TUNSETPERSIST = 0x4004_54CB;
    private const nuint TUNGETIFF = 0x8004_54D2;
    private const nuint TUNSETOFFLOAD = 0x4004_54D0;
    private const nuint TUNSETVNETHDRSZ = 0x4004_54D8;
    private const ushort IFF_TUN = 0x0001;
    private const ushort IFF_TAP = 0x0002;
    private const ushort IFF_NO_PI = 0x1000;
    private const ushort IFF_VNET_HDR = 0x4000;
    private const nuint TUN_F_CSUM = 1;
    private const nuint TUN_F_TSO4 = 2;
    private const nuint TUN_F_TSO6 = 4;
    private const int F_GETFL = 3;
    private const int F_SETFL = 4;

    private bool _disposed;

    private TunDevice(int fd, string name, LinkKind kind, bool offloads)
    {
        Fd = fd;
        Name = name;
        Kind = kind;
        Offloads = offloads;
    }

    /// <summary>The descriptor, non-blocking.</summary>
    public int Fd { get; }

    /// <summary>The interface's name in the kernel.</summary>
    public string Name { get; }

    /// <summary>TUN or TAP.</summary>
    public LinkKind Kind { get; }

    /// <summary>Whether super-segments and unfinished checksums may pass.</summary>
    public bool Offloads { get; }

    /// <summary>
    /// Makes a device in the network namespace of the calling thread. Where a permission is missing, the
    /// <see cref="LinuxException"/> says in one line which one.
    /// </summary>
    public static TunDevice Create(TunOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        int fd = LibC.Open(Path, LibC.O_RDWR | LibC.O_NONBLOCK | LibC.O_CLOEXEC, 0);
        if (fd < 0)
        {
            throw OpenError((Errno)Marshal.GetLastPInvokeError());
        }

        try
        {
            byte* request = stackalloc byte[40];
            new Span<byte>(request, 40).Clear();
            int length = Encoding.ASCII.GetByteCount(options.Name);
            if (length > 15)
            {
                throw new LinuxException($"interface name '{options.Name}' is longer than 15 characters", Errno.EINVAL);
            }

            Encoding.ASCII.GetBytes(options.Name, new Span<byte>(request, 16));
            *(ushort*)(request + 16) = (ushort)((options.Kind == LinkKind.Ip ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR);
            if (LibC.Ioctl(fd, TUNSETIFF, request) < 0)
            {
                throw CreateError((Errno)Marshal.GetLastPInvokeError(), options.Name);
            }

            return Configure(fd, request, options.Kind, options.Offloads);
        }
        catch
        {
            LibC.Close(fd);
            throw;
        }
    }

    /// <summary>Takes over a descriptor that somebody else has made a device of, with a virtio-net header; closes it in the end.</summary>
    public static TunDevice FromDescriptor(int fd, bool offloads = true)
    {
        byte* request = stackalloc byte[40];
        new Span<byte>(request, 40).Clear();
        if (LibC.Ioctl(fd, TUNGETIFF, request) < 0)
        {
            throw LinuxException.Last($"descriptor {fd} is not a TUN or TAP device");
        }

        ushort flags = *(ushort*)(request + 16);
        if ((flags & IFF_VNET_HDR) == 0 || (flags & IFF_NO_PI) == 0)
        {
            throw new LinuxException($"descriptor {fd}: the device lacks IFF_VNET_HDR or IFF_NO_PI", Errno.EINVAL);
        }

        int status = LibC.Fcntl(fd, F_GETFL, 0);
        if (status < 0 || LibC.Fcntl(fd, F_SETFL, status | LibC.O_NONBLOCK) < 0)
        {
            throw LinuxException.Last($"descriptor {fd}: O_NONBLOCK");
        }

        return Configure(fd, request, (flags & IFF_TUN) != 0 ? LinkKind.Ip : LinkKind.Ethernet, offloads);
    }

    private static TunDevice Configure(int fd, byte* request, LinkKind kind, bool offloads)
    {
        int headerBytes = VirtioNetHeader.Length;
        if (LibC.Ioctl(fd, TUNSETVNETHDRSZ, &headerBytes) < 0)
        {
            throw LinuxException.Last("TUNSETVNETHDRSZ");
        }

        // The argument is the value itself, not a pointer. An old kernel that knows less gets plain packets.
        nuint features = offloads ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0;
        if (LibC.Ioctl(fd, TUNSETOFFLOAD, (void*)features) < 0)
        {
            offloads = false;
            LibC.Ioctl(fd, TUNSETOFFLOAD, null);
        }

        return new TunDevice(fd, Encoding.ASCII.GetString(MemoryMarshal.CreateReadOnlySpanFromNullTerminated(request)), kind, offloads);
    }

    private static LinuxException OpenError(Errno error) => new(
        error switch
        {
            Errno.ENOENT =>
                $"{Path} does not exist: load the kernel module (modprobe tun), or give the container the device (--device {Path})",
            Errno.EACCES => $"{Path}: permission denied: the device must be readable and writable for you (chmod 0666 {Path}, as root)",
            Errno.EPERM => $"{Path}: operation not permitted: the container's device rules forbid it (--device {Path})",
            Errno.ENODEV or Errno.ENXIO => $"{Path}: the kernel has no TUN driver (modprobe tun, or CONFIG_TUN)",
            _ => $"{Path}: {Marshal.GetPInvokeErrorMessage((int)error)}",
        },
        error);

    private static LinuxException CreateError(Errno error, string name) => new(
        error switch
        {
            Errno.EPERM => $"cannot create the network device '{name}': CAP_NET_ADMIN is missing in this network namespace",
            Errno.EBUSY => $"cannot create the network device '{name}': the name is in use",
            Errno.EINVAL => $"cannot create the network device '{name}': the name or the device's kind is invalid",
            _ => $"cannot create the network device '{name}': {Marshal.GetPInvokeErrorMessage((int)error)}",
        },
        error);

    /// <summary>
    /// Leaves the device to its network namespace, which takes it along when it ends: the kernel removes a device on the spot when its
    /// descriptor is closed, which takes some milliseconds, and takes a namespace apart in the background.
    /// </summary>
    public void LeaveToNamespace() => LibC.Ioctl(Fd, TUNSETPERSIST, (void*)1);

    /// <summary>Closes the descriptor; unless it was made persistent, the kernel then removes the device.</summary>
    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            LibC.Close(Fd);
        }
    }
}
