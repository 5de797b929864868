using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>What every kernel's root has from the beginning (hier(7)): /dev with its devices, and /tmp for everybody.</summary>
internal static class StandardDirectories
{
    /// <summary>Of a directory that only root changes: rwxr-xr-x.</summary>
    public const int Permissions = 0x1ED;

    private const int PermissionsOfTemporary = 0x3FF;
    private const int PermissionsOfDevice = 0x1B6;
    private const int MajorOfMemory = 1;
    private const int MajorOfTerminals = 5;
    private const int MinorOfMaster = 2;

    /// <summary>The device number of /dev/ptmx.</summary>
    public const int DeviceOfMaster = (MajorOfTerminals << 8) | MinorOfMaster;

    /// <summary>Fills the root; returns /dev, which is a file system of its own as in Linux.</summary>
    public static MemoryDirectory Make(PorticoKernel kernel)
    {
        MakeDirectory(kernel.Memory.Root, "tmp", PermissionsOfTemporary);
        MemoryDirectory devices = new MemoryFileSystem(kernel).Root;
        kernel.Memory.Root.Add("dev"u8, devices);
        foreach (MemoryDeviceKind kind in Enum.GetValues<MemoryDeviceKind>())
        {
            devices.AddDevice(kind.ToString().ToLowerInvariant(), PermissionsOfDevice, MajorOfMemory, (int)kind, (_, _, out file) =>
            {
                file = new MemoryDevice(kernel.Driver, kind);
                return Errno.None;
            });
        }

        devices.AddDevice("ptmx", PermissionsOfDevice, MajorOfTerminals, MinorOfMaster, (opener, _, out file) => kernel.Terminals.OpenMaster(opener, out file));
        devices.AddDevice("tty", PermissionsOfDevice, MajorOfTerminals, 0, (opener, flags, out file) =>
        {
            file = null;
            return opener.ControllingTerminal is { } terminal ? terminal.OpenSlave(opener, flags | OpenFlags.O_NOCTTY, out file) : Errno.ENXIO;
        });
        devices.Add("pts"u8, kernel.Terminals.Directory);
        return devices;
    }

    public static MemoryDirectory MakeDirectory(MemoryDirectory parent, string name, int permissions)
    {
        MemoryDirectory directory = new((MemoryFileSystem)parent.FileSystem, permissions, userId: 0, groupId: 0);
        parent.Kernel.Counters[KernelCounter.Inodes]++;
        parent.Add(Encoding.UTF8.GetBytes(name), directory);
        return directory;
    }
}
