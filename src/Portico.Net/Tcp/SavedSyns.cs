using System.Runtime.CompilerServices;

namespace Portico.Net;

/// <summary>The headers of a SYN: of the link perhaps, of IP, of TCP with its options.</summary>
internal struct SavedSyn
{
    /// <summary>Ethernet, IPv6 with more extension headers than any SYN has, TCP with all options.</summary>
    public const int BytesMax = 252;

    public uint Index;
    public int Length;
    public Room Bytes;

    [InlineArray(BytesMax)]
    public struct Room
    {
        private byte _first;
    }
}

// TCP_SAVE_SYN and TCP_SAVED_SYN: what a connection's SYN looked like, for programs that judge their peers by it.
public sealed unsafe partial class TcpLayer
{
    private const int SaveFromLink = 2;

    private Slab<SavedSyn> _savedSyns = null!;

    /// <summary>Keeps the headers with the half-open connection (Linux: tcp_reqsk_record_syn). Without memory there are none to be read.</summary>
    private void SaveSyn(Listener listener, SynRequest* request, ref Arrival seg)
    {
        if (listener.Request.SaveSyn == 0)
        {
            return;
        }

        Packet packet = seg.Packet;
        int link = listener.Request.SaveSyn == SaveFromLink ? seg.Info.Interface.HeaderBytes : 0;
        int length = packet.Start - packet.NetworkOffset + seg.HeaderLength;
        if (link + length > SavedSyn.BytesMax)
        {
            return;
        }

        SavedSyn* saved = _savedSyns.Rent(out uint index);
        if (saved == null)
        {
            ++Mib[TcpCounter.NoMemory];
            return;
        }

        saved->Index = index;
        saved->Length = link + length;
        Span<byte> room = saved->Bytes;
        if (link != 0)
        {
            // The link's own header is not there any more.
            EthernetHeader.Write(room, default, default, seg.Info.Destination.IsIpv4 ? EtherType.Ipv4 : EtherType.Ipv6);
        }

        packet.NetworkHeader[..length].CopyTo(room[link..]);
        request->SavedSyn = index;
    }

    /// <summary>The half-open connection becomes a whole one.</summary>
    private void HandOverSavedSyn(SynRequest* request, Tcb* c)
    {
        TcpSide* side = request->SavedSyn == 0 ? null : NeedSide(c);
        if (side != null)
        {
            side->SavedSyn = request->SavedSyn;
            request->SavedSyn = 0;
        }
    }

    private void FreeSavedSyn(ref uint index)
    {
        if (index != 0)
        {
            _savedSyns.Return(index);
            index = 0;
        }
    }

    /// <summary>
    /// TCP_SAVED_SYN: the headers of the SYN, which can be read once. <paramref name="length"/> is theirs, 0 where there are none. Errors:
    /// EINVAL where there is too little room, EBADF for a stale handle.
    /// </summary>
    public Errno TakeSavedSyn(TcpHandle handle, Span<byte> headers, out int length)
    {
        length = 0;
        Tcb* c = Find(handle);
        if (c == null || c->Side == 0 || _sides.At(c->Side)->SavedSyn == 0)
        {
            return c == null ? Errno.EBADF : Errno.None;
        }

        SavedSyn* saved = _savedSyns.At(_sides.At(c->Side)->SavedSyn);
        length = saved->Length;
        if (headers.Length < length)
        {
            return Errno.EINVAL;
        }

        Span<byte> kept = saved->Bytes;
        kept[..length].CopyTo(headers);
        FreeSavedSyn(ref _sides.At(c->Side)->SavedSyn);
        return Errno.None;
    }
}
