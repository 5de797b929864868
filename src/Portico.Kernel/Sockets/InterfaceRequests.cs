using System.Buffers.Binary;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>The ioctl requests about network interfaces that any socket answers (netdevice(7)).</summary>
internal static class InterfaceRequests
{
    private const int NameBytes = 16;
    private const int IFF_UP = 1;
    private const int IFF_LOOPBACK = 8;
    private const int IFF_RUNNING = 0x40;

    /// <summary>Errors: ENODEV for no such interface, EADDRNOTAVAIL where it has no IPv4 address, ENOTTY for another request.</summary>
    public static Errno Answer(NetworkStack stack, IoctlRequest request, Span<byte> argument)
    {
        if (request is not (IoctlRequest.SIOCGIFFLAGS or IoctlRequest.SIOCGIFADDR or IoctlRequest.SIOCGIFNETMASK or IoctlRequest.SIOCGIFMTU
            or IoctlRequest.SIOCGIFINDEX))
        {
            return Errno.ENOTTY;
        }

        if (argument.Length < NameBytes + 16)
        {
            return Errno.EFAULT;
        }

        int end = argument[..NameBytes].IndexOf((byte)0);
        string name = Encoding.ASCII.GetString(argument[..(end < 0 ? NameBytes : end)]);
        Net.NetworkInterface? found = stack.Interfaces.FirstOrDefault(i => i.Name == name);
        if (found == null)
        {
            return Errno.ENODEV;
        }

        Span<byte> value = argument[NameBytes..];
        switch (request)
        {
            case IoctlRequest.SIOCGIFINDEX:
                BitConverter.TryWriteBytes(value, found.Index);
                return Errno.None;
            case IoctlRequest.SIOCGIFMTU:
                BitConverter.TryWriteBytes(value, found.Mtu);
                return Errno.None;
            case IoctlRequest.SIOCGIFFLAGS:
                BitConverter.TryWriteBytes(value, (short)(IFF_UP | IFF_RUNNING | (found == stack.Loopback ? IFF_LOOPBACK : 0)));
                return Errno.None;
            default:
                return WriteAddress(found, request, value);
        }
    }

    private static Errno WriteAddress(Net.NetworkInterface found, IoctlRequest request, Span<byte> value)
    {
        foreach (InterfaceAddress address in found.Addresses)
        {
            IpPrefix prefix = address.Prefix;
            if (!prefix.Address.IsIpv4)
            {
                continue;
            }

            SocketAddress.Write(value, AddressFamily.AF_INET, new Endpoint(prefix.Address, 0));
            if (request == IoctlRequest.SIOCGIFNETMASK)
            {
                uint mask = prefix.Length == 0 ? 0 : uint.MaxValue << (32 - prefix.Length);
                BinaryPrimitives.WriteUInt32BigEndian(value[4..], mask);
            }

            return Errno.None;
        }

        return Errno.EADDRNOTAVAIL;
    }
}
