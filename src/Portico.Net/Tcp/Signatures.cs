using System.Buffers.Binary;

namespace Portico.Net;

// MD5 signatures of segments (RFC 2385), as BGP uses them. What has no key costs one test of a bit for each segment; keys lie in objects
// beside the few connections and listeners that have some.
public sealed unsafe partial class TcpLayer
{
    /// <summary>Bytes of the option with the two no-operations that align it.</summary>
    private const int SignatureBytes = 20;

    /// <summary>Keys of connections and TIME-WAIT records, by <see cref="TcpSide.Signatures"/>; place 0 stays empty.</summary>
    private readonly List<TcpSignatureKeys?> _signatureKeys = [null];
    private readonly Stack<uint> _freeSignatureKeys = new();

    /// <summary>
    /// Gives a connection its keys, or null for none; they may change later, and this is to be called again then. Errors: EBADF for a stale
    /// handle, ENOBUFS.
    /// </summary>
    public Errno SetSignatureKeys(TcpHandle handle, TcpSignatureKeys? keys)
    {
        Tcb* c = Find(handle);
        return c == null ? Errno.EBADF : SetSignatureKeys(c, keys);
    }

    /// <summary>The same for a listener, by which it answers SYNs and from which accepted connections have theirs.</summary>
    public Errno SetSignatureKeys(TcpListenerHandle handle, TcpSignatureKeys? keys)
    {
        Listener? listener = Find(handle);
        if (listener == null)
        {
            return Errno.EBADF;
        }

        listener.SignatureKeys = keys;
        return Errno.None;
    }

    /// <summary>The keys of a connection: those that it was given, or what it has from its listener. Null where there are none.</summary>
    public TcpSignatureKeys? SignatureKeys(TcpHandle handle)
    {
        Tcb* c = Find(handle);
        return c == null ? null : KeysOf(c);
    }

    private TcpSignatureKeys? KeysOf(Tcb* c) => _signatureKeys[(int)SideOf(c).Signatures];

    private Errno SetSignatureKeys(Tcb* c, TcpSignatureKeys? keys)
    {
        if (keys != null || c->Side != 0)
        {
            TcpSide* side = NeedSide(c);
            if (side == null)
            {
                return Errno.ENOBUFS;
            }

            if (side->Signatures == 0 && keys != null)
            {
                side->Signatures = KeepKeys(keys);
            }
            else if (keys != null)
            {
                _signatureKeys[(int)side->Signatures] = keys;
            }
            else
            {
                DropKeys(ref side->Signatures);
            }
        }

        bool isSigned = keys != null && !keys.Find(c->RemoteAddress).IsEmpty;
        if (isSigned != Has(c, TcbExtras.Signed))
        {
            SetExtra(c, TcbExtras.Signed, isSigned);
            UpdateMss(c);
        }

        return Errno.None;
    }

    private uint KeepKeys(TcpSignatureKeys keys)
    {
        if (_freeSignatureKeys.TryPop(out uint index))
        {
            _signatureKeys[(int)index] = keys;
            return index;
        }

        _signatureKeys.Add(keys);
        return (uint)_signatureKeys.Count - 1;
    }

    private void DropKeys(ref uint index)
    {
        if (index != 0)
        {
            _signatureKeys[(int)index] = null;
            _freeSignatureKeys.Push(index);
            index = 0;
        }
    }

    /// <summary>A new connection has its peer's key from its listener. False without memory.</summary>
    private bool TryInheritKeys(Tcb* c, SynRequest* request) =>
        KeysOf(request)?.For(c->RemoteAddress) is not { } keys || SetSignatureKeys(c, keys) == Errno.None;

    private TcpSignatureKeys? KeysOf(SynRequest* request) => ListenerOf(request)?.SignatureKeys;

    private ReadOnlySpan<byte> KeyOf(SynRequest* request) => KeysOf(request) is { } keys ? keys.Find(request->RemoteAddress) : default;

    private ReadOnlySpan<byte> KeyOf(Tcb* c) => KeysOf(c) is { } keys ? keys.Find(c->RemoteAddress) : default;

    private ReadOnlySpan<byte> KeyOf(TimeWaitRecord* t) => _signatureKeys[(int)t->Signatures] is { } keys ? keys.Find(t->RemoteAddress) : default;

    /// <summary>With its key SACK blocks would find no room beside timestamps, which a peer that knows SACK does without (tcp_synack_options).</summary>
    private void MakeRoomForSignature(SynRequest* request)
    {
        if ((request->Flags & TcbFlags.Sack) != 0 && !KeyOf(request).IsEmpty)
        {
            request->Flags &= ~TcbFlags.Timestamps;
        }
    }

    /// <summary>How many SACK blocks fit beside the other options of an established connection.</summary>
    private static int SackBlocksMax(Tcb* c)
    {
        int room = 40 - 4 - OptionBytes(c);
        return room / 8;
    }

    /// <summary>
    /// Whether a segment may come in (tcp_inbound_hash): signed by the key that its receiver has for the sender, or not at all where there is
    /// none. What is not is dropped without an answer (RFC 2385 2.0).
    /// </summary>
    private bool IsWellSigned(TcpSignatureKeys? keys, ref Arrival seg)
    {
        if (seg.Options.Md5Offset == TcpOptions.Md5Invalid)
        {
            CountDrop(TcpCounter.HeaderErrors);
            return false;
        }

        ReadOnlySpan<byte> key = keys == null ? default : keys.Find(seg.Info.Source);
        bool isSigned = seg.Options.Md5Offset != 0;
        if (key.IsEmpty != isSigned)
        {
            seg.Key = key;
            return !isSigned || HasRightSignature(key, ref seg);
        }

        CountDrop(isSigned ? TcpCounter.TCPMD5Unexpected : TcpCounter.TCPMD5NotFound);
        return false;
    }

    private bool HasRightSignature(ReadOnlySpan<byte> key, ref Arrival seg)
    {
        Span<byte> hash = stackalloc byte[Md5.HashBytes];
        ReadOnlySpan<byte> segment = seg.Packet.Linear;
        HashSegment(hash, seg.Info.Source, seg.Info.Destination, segment, seg.Packet, seg.HeaderLength, key);
        if (hash.SequenceEqual(segment.Slice(TcpHeader.LengthMin + seg.Options.Md5Offset, Md5.HashBytes)))
        {
            return true;
        }

        CountDrop(TcpCounter.TCPMD5Failure);
        return false;
    }

    /// <summary>
    /// Whether a segment that belongs to nothing may be answered by a reset: a signed one only where a listener on the sender's port has its
    /// key, which then signs the reset, too (tcp_v4_send_reset).
    /// </summary>
    private bool MayReset(ref Arrival seg)
    {
        if (seg.Options.Md5Offset == 0)
        {
            return true;
        }

        Listener? listener = FindListener(seg.Info.Destination, seg.SourcePort, seg.Info.Interface.Index, 0);
        if (listener?.SignatureKeys is not { } keys || keys.Find(seg.Info.Source).IsEmpty)
        {
            return false;
        }

        return IsWellSigned(keys, ref seg);
    }

    /// <summary>Writes the option, with room for the signature, and returns its bytes.</summary>
    private static int WriteSignatureOption(Span<byte> destination)
    {
        BinaryPrimitives.WriteUInt32BigEndian(destination, 0x0101_0000 | (TcpOptionKind.Md5Signature << 8) | 18);
        destination[4..SignatureBytes].Clear();
        return SignatureBytes;
    }

    /// <summary>Signs a packet that is complete but for its checksum, whose first option is the signature's.</summary>
    private static void Sign(Packet packet, in IpAddress local, in IpAddress remote, ReadOnlySpan<byte> key)
    {
        Span<byte> segment = packet.Linear;
        int headerLength = (segment[12] >> 4) * 4;
        HashSegment(segment.Slice(TcpHeader.LengthMin + 4, Md5.HashBytes), local, remote, segment, packet, headerLength, key);
    }

    /// <summary>RFC 2385 2.0: pseudo header, header without options and with a checksum of 0, data, key.</summary>
    internal static void HashSegment(Span<byte> hash, in IpAddress source, in IpAddress destination, ReadOnlySpan<byte> linear, Packet packet, int headerLength,
        ReadOnlySpan<byte> key)
    {
        const int PseudoHeaderMax = 40;
        Md5 md5 = new();
        Span<byte> pseudo = stackalloc byte[PseudoHeaderMax];
        md5.Append(pseudo[..WritePseudoHeader(pseudo, source, destination, packet.Length)]);
        Span<byte> header = stackalloc byte[TcpHeader.LengthMin];
        linear[..TcpHeader.LengthMin].CopyTo(header);
        header.Slice(TcpHeader.ChecksumOffset, 2).Clear();
        md5.Append(header);
        md5.Append(linear[headerLength..]);
        for (int i = 0; i < packet.FragmentCount; i++)
        {
            md5.Append(packet.FragmentSpan(i));
        }

        md5.Append(key);
        md5.Finish(hash);
    }

    private static int WritePseudoHeader(Span<byte> to, in IpAddress source, in IpAddress destination, int length)
    {
        int address = source.WireLength;
        Span<byte> rest = to[(2 * address)..];
        if (source.IsIpv4)
        {
            source.WriteIpv4(to);
            destination.WriteIpv4(to[address..]);
            rest[0] = 0;
            rest[1] = (byte)IpProtocol.Tcp;
            BinaryPrimitives.WriteUInt16BigEndian(rest[2..], (ushort)length);
            return (2 * address) + 4;
        }

        source.WriteIpv6(to);
        destination.WriteIpv6(to[address..]);
        BinaryPrimitives.WriteUInt32BigEndian(rest, (uint)length);
        BinaryPrimitives.WriteUInt32BigEndian(rest[4..], (uint)IpProtocol.Tcp);
        return (2 * address) + 8;
    }
}
