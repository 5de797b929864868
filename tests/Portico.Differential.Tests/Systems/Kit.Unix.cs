using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Unix sockets and control messages. Names that a kernel has chosen, and ids that differ, are written down as what they mean.
internal sealed unsafe partial class Kit
{
    private const int AddressLengthOfAutobind = 8;

    /// <summary>The address of an abstract name.</summary>
    public static byte[] Abstract(string name) => UnixAddress.OfAbstract(Encoding.ASCII.GetBytes(name));

    /// <summary>The address of a path in the case's own directory.</summary>
    public static byte[] UnixPath(string name) => UnixAddress.OfPath($"./{name}");

    public (long First, long Second) Pair(SocketType type)
    {
        int* fds = stackalloc int[2];
        long result = Raw(socketpair, (long)AddressFamily.AF_UNIX, (long)type, 0, (long)fds);
        Write($"socketpair {type}", result);
        return result < 0 ? (-1, -1) : (fds[0], fds[1]);
    }

    /// <summary>A unix socket with an abstract name.</summary>
    public long Named(SocketType type, string name)
    {
        long fd = Socket(AddressFamily.AF_UNIX, type);
        Bind(fd, Abstract(name));
        return fd;
    }

    /// <summary>A listener with an abstract name.</summary>
    public long UnixListener(SocketType type, string name, int backlog = 8)
    {
        long fd = Named(type, name);
        Call(listen, fd, backlog);
        return fd;
    }

    /// <summary>Connects a new socket to an abstract name.</summary>
    public long Connected(SocketType type, string name)
    {
        long fd = Socket(AddressFamily.AF_UNIX, type);
        Connect(fd, Abstract(name));
        return fd;
    }

    public static byte[] Rights(params long[] fds) => ControlMessages.OfDescriptors([.. fds.Select(fd => (int)fd)]);

    /// <summary>SCM_CREDENTIALS; what is not given is the caller's own.</summary>
    public byte[] Credentials(int? pid = null, int? uid = null, int? gid = null)
    {
        int[] ids = [pid ?? (int)Raw(getpid), uid ?? (int)Raw(getuid), gid ?? (int)Raw(getgid)];
        return ControlMessages.Of(1, (int)ControlMessageType.SCM_CREDENTIALS, MemoryMarshal.AsBytes<int>(ids));
    }

    public long SendMessage(long fd, ReadOnlySpan<byte> data, byte[]? control = null, MessageFlags flags = 0, byte[]? to = null, int cut = 0)
    {
        byte[] copy = data.IsEmpty ? [0] : data.ToArray();
        fixed (byte* p = copy, address = to, messages = control)
        {
            IoVector vector = new(p, (nuint)data.Length);
            ulong* header = stackalloc ulong[7]
            {
                (ulong)address, (ulong)(to?.Length ?? 0), (ulong)(&vector), 1, (ulong)messages, (ulong)((control?.Length ?? 0) - cut), 0,
            };
            long result = Raw(sendmsg, fd, (long)header, (long)(flags | MessageFlags.MSG_NOSIGNAL));
            Write($"sendmsg {data.Length} +{control?.Length ?? 0} {flags}", result);
            return result;
        }
    }

    /// <summary>
    /// recvmsg(2) with room for control messages; the descriptors that came. With <paramref name="linkBytes"/> the data is a packet, of which
    /// is not written down what a kernel chooses.
    /// </summary>
    public int[] ReceiveControl(long fd, int count, int room = 256, MessageFlags flags = 0, int linkBytes = -1)
    {
        byte[] buffer = new byte[Math.Max(1, count)];
        byte[] control = new byte[Math.Max(1, room)];
        byte* address = stackalloc byte[AddressRoom];
        fixed (byte* p = buffer, messages = control)
        {
            IoVector vector = new(p, (nuint)count);
            ulong* header = stackalloc ulong[7]
            {
                (ulong)address, AddressRoom, (ulong)(&vector), 1, room == 0 ? 0 : (ulong)messages, (ulong)room, 0,
            };
            long result = Raw(recvmsg, fd, (long)header, (long)flags);
            int length = result < 0 ? 0 : (int)header[5];
            string told = result < 0 ? "" : $"{(MessageFlags)(uint)header[6]} {Show(address, (uint)header[1], (uint)header[1])} {length}:{Show(control.AsSpan(0, length))}";
            Span<byte> data = buffer.AsSpan(0, (int)Math.Clamp(result, 0, count));
            if (linkBytes >= 0)
            {
                Mask(data[Math.Min(data.Length, linkBytes)..]);
            }

            Write($"recvmsg {count}/{room} {flags} -> {told}", result, data);
            return result < 0 ? [] : ControlMessages.Descriptors(control.AsSpan(0, length));
        }
    }

    /// <summary>struct ucred of SO_PEERCRED.</summary>
    public void PeerCredentials(long fd)
    {
        int* ids = stackalloc int[3];
        int length = 12;
        long result = Raw(getsockopt, fd, 1, (long)SocketOption.SO_PEERCRED, (long)ids, (long)(&length));
        Write($"SO_PEERCRED {length} {(result < 0 ? "" : ShowIds(new ReadOnlySpan<int>(ids, 3)))}", result);
    }

    private string Show(ReadOnlySpan<byte> control)
    {
        StringBuilder text = new();
        while (control.Length >= ControlMessages.HeaderBytes)
        {
            int length = (int)MemoryMarshal.Read<long>(control);
            (int level, int type) = (MemoryMarshal.Read<int>(control[8..]), MemoryMarshal.Read<int>(control[12..]));
            ReadOnlySpan<byte> data = control[ControlMessages.HeaderBytes..Math.Min(control.Length, length)];
            string shown = (level, type, data.Length) switch
            {
                (1, 1, _) => "rights " + string.Join(' ', MemoryMarshal.Cast<byte, int>(data).ToArray()),
                (1, 2, 12) => "credentials " + ShowIds(MemoryMarshal.Cast<byte, int>(data)),
                (1, 54, _) => $"{level} {type} of {ShowStatistics(data)}",
                (1, _, _) => $"{level} {type} of {data.Length}",
                (0, 20, _) or (41, 74, _) => $"{level} {type} {ShowAddress(data)}",
                _ => $"{level} {type} {Convert.ToHexString(data)}",
            };
            text.Append(CultureInfo.InvariantCulture, $"[{length} {shown}]");
            control = control[Math.Min(control.Length, ControlMessages.Space(length - ControlMessages.HeaderBytes))..];
        }

        return text.ToString();
    }

    private string ShowAddress(ReadOnlySpan<byte> address)
    {
        fixed (byte* p = address)
        {
            return Show(p, (uint)address.Length, (uint)address.Length);
        }
    }

    private string ShowIds(ReadOnlySpan<int> ids)
    {
        string[] shown = new string[3];
        SyscallNumber[] own = [getpid, getuid, getgid];
        for (int i = 0; i < 3; i++)
        {
            // On Linux the tests are user 0, so that nobody's zero looks like an own id.
            shown[i] = ids[i] == (int)Raw(own[i]) || (i > 0 && ids[i] == 0) ? "own" : ids[i].ToString(CultureInfo.InvariantCulture);
        }

        return string.Join(' ', shown);
    }

    private string ShowUnix(ReadOnlySpan<byte> address, uint length)
    {
        ReadOnlySpan<byte> name = address[2..];
        bool isAutomatic = length == AddressLengthOfAutobind && name[0] == 0 && name[1..].IndexOfAnyExcept("0123456789abcdef"u8) < 0;
        string shown = isAutomatic ? "auto" : Encoding.Latin1.GetString(name).Replace('\0', '@');
        return $"{length}:unix:{shown}";
    }
}
