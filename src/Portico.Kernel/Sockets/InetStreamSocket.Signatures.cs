using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Kernel;

// TCP_MD5SIG and TCP_MD5SIG_EXT: the keys of peers whose segments are signed (RFC 2385; struct tcp_md5sig of linux/tcp.h).
internal sealed partial class InetStreamSocket
{
    private const int SignatureStructBytes = 216;
    private const int SignatureFlagsOffset = 128;
    private const int SignaturePrefixOffset = 129;
    private const int SignatureLengthOffset = 130;
    private const int SignatureInterfaceOffset = 132;
    private const int SignatureKeyOffset = 136;
    private const byte TCP_MD5SIG_FLAG_PREFIX = 1;
    private const byte TCP_MD5SIG_FLAG_IFINDEX = 2;

    /// <summary>Sets a key, or forgets it where its length is 0, with Linux's checks in their order (tcp_v4_parse_md5_keys, tcp_v6_parse_md5_keys).</summary>
    private Errno SetSignatureKey(ReadOnlySpan<byte> value, bool isExtended)
    {
        if (value.Length < SignatureStructBytes || SocketAddress.Family(value) != Family)
        {
            return Errno.EINVAL;
        }

        IpAddress peer = (Family == AddressFamily.AF_INET ? SocketAddress.ReadIpv4(value) : SocketAddress.ReadIpv6(value)).Address;
        byte flags = value[SignatureFlagsOffset];
        int prefix = peer.WireLength * 8;
        if (isExtended && (flags & TCP_MD5SIG_FLAG_PREFIX) != 0)
        {
            int given = value[SignaturePrefixOffset];
            if (given > prefix)
            {
                return Errno.EINVAL;
            }

            prefix = given;
        }

        bool isOfDomain = (flags & TCP_MD5SIG_FLAG_IFINDEX) != 0;
        if (isExtended && isOfDomain && MemoryMarshal.Read<int>(value[SignatureInterfaceOffset..]) != 0)
        {
            // It has to be the device of a routing domain (VRF), of which there is none.
            return Errno.EINVAL;
        }

        int length = MemoryMarshal.Read<ushort>(value[SignatureLengthOffset..]);
        IpPrefix peers = new(peer, prefix);
        if (length > TcpSignatureKeys.KeyBytesMax)
        {
            return Errno.EINVAL;
        }

        TcpSignatureKeys? keys = Options.Tcp?.SignatureKeys;
        if (length == 0)
        {
            Errno error = keys == null ? Errno.ENOENT : keys.Remove(peers, isOfDomain);
            UpdateSignatureKeys();
            return error;
        }

        keys ??= OwnTcp.SignatureKeys = new TcpSignatureKeys();
        Errno added = keys.Add(peers, isOfDomain, value.Slice(SignatureKeyOffset, length));
        UpdateSignatureKeys();
        return added;
    }

    /// <summary>What has changed is told to the engine.</summary>
    private void UpdateSignatureKeys()
    {
        if (Options.Tcp?.SignatureKeys is not { } keys)
        {
            return;
        }

        if (_stage == Stage.Listening)
        {
            Tcp.SetSignatureKeys(_local!.Listener, keys);
        }
        else if (HasConnection)
        {
            Tcp.SetSignatureKeys(_handle, keys);
        }
    }

    /// <summary>An accepted socket has the key of its peer.</summary>
    private void InheritSignatureKeys()
    {
        if (Tcp.SignatureKeys(_handle) is { } keys)
        {
            OwnTcp.SignatureKeys = keys;
        }
    }
}
