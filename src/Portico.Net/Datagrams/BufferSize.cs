using System.Numerics;

namespace Portico.Net;

/// <summary>
/// What Linux charges a socket for a packet (skb->truesize), on x86-64: programs find out by it how many of them SO_RCVBUF has room for.
/// </summary>
internal static class BufferSize
{
    /// <summary>sizeof(struct sk_buff) and sizeof(struct skb_shared_info), each in whole cache lines.</summary>
    private const int Head = 256;
    private const int SharedInfo = 320;

    /// <summary>
    /// A packet whose linear part fits into the allocation that small ones have (skb_small_head): that of the usual configuration, which makes
    /// room for the headers of all links.
    /// </summary>
    public const int Small = 960;
    private const int SmallLinearMax = Small - Head - SharedInfo;

    /// <summary>What the linear part has in front of the packet: hh_len and the room behind it.</summary>
    private const int Headroom = 16;

    /// <summary>Of a packet of so many bytes, link header included.</summary>
    public static int Of(int length)
    {
        int linear = length + Headroom;
        return linear <= SmallLinearMax ? Small : Head + (int)BitOperations.RoundUpToPowerOf2((uint)(((linear + 63) & ~63) + SharedInfo));
    }
}
