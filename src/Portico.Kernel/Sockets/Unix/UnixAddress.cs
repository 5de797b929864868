using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>struct sockaddr_un (unix(7)) as bytes: the family, then a path, or a zero and an abstract name.</summary>
public static class UnixAddress
{
    /// <summary>Where the name begins: offsetof(struct sockaddr_un, sun_path).</summary>
    internal const int NameOffset = 2;

    /// <summary>sizeof(struct sockaddr_un).</summary>
    internal const int BytesMax = 110;

    /// <summary>The address of a path, with the zero at its end.</summary>
    public static byte[] OfPath(string path) => [(byte)AddressFamily.AF_UNIX, 0, .. Encoding.UTF8.GetBytes(path), 0];

    /// <summary>The address of an abstract name, which may have any bytes.</summary>
    public static byte[] OfAbstract(ReadOnlySpan<byte> name) => [(byte)AddressFamily.AF_UNIX, 0, 0, .. name];

    /// <summary>Errors: EINVAL for a length or family that is no unix address with a name.</summary>
    internal static Errno Validate(ReadOnlySpan<byte> address) =>
        address.Length is > NameOffset and <= BytesMax && SocketAddress.Family(address) == AddressFamily.AF_UNIX ? Errno.None : Errno.EINVAL;

    /// <summary>Of a valid address: whether the name is a path.</summary>
    internal static bool IsPath(ReadOnlySpan<byte> address) => address[NameOffset] != 0;

    /// <summary>The path, which ends at a zero or with the address.</summary>
    internal static ReadOnlySpan<byte> Path(ReadOnlySpan<byte> address)
    {
        ReadOnlySpan<byte> path = address[NameOffset..];
        int end = path.IndexOf((byte)0);
        return end < 0 ? path : path[..end];
    }

    /// <summary>The address as the socket keeps it: a path ends with one zero, also where there was no room for it.</summary>
    internal static byte[] Keep(ReadOnlySpan<byte> address) =>
        IsPath(address) ? [.. address[..(NameOffset + Path(address).Length)], 0] : address.ToArray();
}
