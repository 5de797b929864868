using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Types of control messages of the level SOL_SOCKET (unix(7)).</summary>
public enum ControlMessageType
{
#pragma warning disable CS1591, CA1707 // The names are those of unix(7).
    SCM_RIGHTS = 1,
    SCM_CREDENTIALS = 2,
#pragma warning restore CS1591, CA1707
}

/// <summary>Control messages (struct cmsghdr; cmsg(3)) as bytes: what goes with the data of sendmsg and recvmsg.</summary>
public static class ControlMessages
{
    /// <summary>sizeof(struct cmsghdr): a length in 8 bytes, level and type.</summary>
    public const int HeaderBytes = 16;

    /// <summary>CMSG_LEN: header and data.</summary>
    public static int Length(int dataBytes) => HeaderBytes + dataBytes;

    /// <summary>CMSG_SPACE: the same with the padding after it.</summary>
    public static int Space(int dataBytes) => HeaderBytes + Align(dataBytes);

    /// <summary>One control message, padding included.</summary>
    public static byte[] Of(int level, int type, ReadOnlySpan<byte> data)
    {
        byte[] bytes = new byte[Space(data.Length)];
        WriteHeader(bytes, Length(data.Length), level, type);
        data.CopyTo(bytes.AsSpan(HeaderBytes));
        return bytes;
    }

    /// <summary>SCM_RIGHTS: descriptors to pass.</summary>
    public static byte[] OfDescriptors(params ReadOnlySpan<int> descriptors) =>
        Of((int)SocketLevel.SOL_SOCKET, (int)ControlMessageType.SCM_RIGHTS, MemoryMarshal.AsBytes(descriptors));

    /// <summary>The descriptors of all SCM_RIGHTS in what recvmsg returned.</summary>
    public static int[] Descriptors(ReadOnlySpan<byte> control)
    {
        List<int> found = [];
        ControlReader reader = new(control);
        while (reader.TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out _))
        {
            if (level == (int)SocketLevel.SOL_SOCKET && type == (int)ControlMessageType.SCM_RIGHTS)
            {
                found.AddRange(MemoryMarshal.Cast<byte, int>(data));
            }
        }

        return [.. found];
    }

    internal static int Align(int bytes) => (bytes + 7) & ~7;

    internal static void WriteHeader(Span<byte> to, int length, int level, int type)
    {
        MemoryMarshal.Write(to, (long)length);
        MemoryMarshal.Write(to[8..], level);
        MemoryMarshal.Write(to[12..], type);
    }
}

/// <summary>The control messages of a sendmsg, one after the other.</summary>
internal ref struct ControlReader(ReadOnlySpan<byte> control)
{
    private ReadOnlySpan<byte> _rest = control;

    /// <summary>The next message; false at the end. Errors, with false: EINVAL for a length that is less than a header or more than there is.</summary>
    public bool TryRead(out int level, out int type, out ReadOnlySpan<byte> data, out Errno error)
    {
        level = type = 0;
        data = default;
        error = Errno.None;
        if (_rest.Length < ControlMessages.HeaderBytes)
        {
            return false;
        }

        ulong length = MemoryMarshal.Read<ulong>(_rest);
        if (length < ControlMessages.HeaderBytes || length > (ulong)_rest.Length)
        {
            error = Errno.EINVAL;
            return false;
        }

        level = MemoryMarshal.Read<int>(_rest[8..]);
        type = MemoryMarshal.Read<int>(_rest[12..]);
        data = _rest[ControlMessages.HeaderBytes..(int)length];
        _rest = _rest[Math.Min(_rest.Length, ControlMessages.Align((int)length))..];
        return true;
    }
}

/// <summary>Room for the control messages of a recvmsg. What does not fit is cut, and told by MSG_CTRUNC.</summary>
internal ref struct ControlWriter(Span<byte> room)
{
    private Span<byte> _rest = room;

    /// <summary>Bytes written, padding included: what msg_controllen becomes.</summary>
    public int Length { get; private set; }

    /// <summary>Whether something was cut or left out.</summary>
    public bool IsTruncated { get; set; }

    /// <summary>Bytes of data that the next message may have without being cut.</summary>
    public readonly int DataRoom => Math.Max(0, _rest.Length - ControlMessages.HeaderBytes);

    /// <summary>Appends a message that is an int.</summary>
    public void PutInt(int level, int type, int value) => Put(level, type, MemoryMarshal.AsBytes(new ReadOnlySpan<int>(ref value)));

    /// <summary>Appends a message, or what of it fits (put_cmsg).</summary>
    public void Put(int level, int type, scoped ReadOnlySpan<byte> data)
    {
        if (_rest.Length < ControlMessages.HeaderBytes)
        {
            IsTruncated = true;
            return;
        }

        int fits = Math.Min(data.Length, DataRoom);
        IsTruncated |= fits < data.Length;
        ControlMessages.WriteHeader(_rest, ControlMessages.Length(fits), level, type);
        data[..fits].CopyTo(_rest[ControlMessages.HeaderBytes..]);
        int taken = Math.Min(_rest.Length, ControlMessages.Space(data.Length));
        Length += taken;
        _rest = _rest[taken..];
    }
}
