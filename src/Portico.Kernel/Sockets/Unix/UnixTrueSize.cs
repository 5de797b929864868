using System.Numerics;

namespace Portico.Kernel;

/// <summary>
/// What a message costs its sender: Linux charges the memory that a buffer takes (skb->truesize), not its bytes, and so do programs find
/// out how many messages fit into SO_SNDBUF. The numbers are those of x86-64.
/// </summary>
internal static class UnixTrueSize
{
    private const int PageBytes = 4096;

    /// <summary>sizeof(struct sk_buff) and sizeof(struct skb_shared_info), each in whole cache lines.</summary>
    private const int BufferHead = 256;
    private const int SharedInfo = 320;
    private const int AllocationMin = 512;

    /// <summary>What a page holds beside the shared part: the linear part of a piece of a stream (SKB_MAX_HEAD).</summary>
    private const int StreamLinearMax = PageBytes - SharedInfo;

    /// <summary>The same of four pages: the linear part of a datagram (SKB_MAX_ALLOC).</summary>
    private const int DatagramLinearMax = (4 * PageBytes) - SharedInfo;
    private const int StreamPagedMax = 8 * PageBytes;
    private const int DatagramPagedMax = 17 * PageBytes;

    /// <summary>The most that one piece of a stream holds.</summary>
    public const int StreamPieceMax = StreamLinearMax + StreamPagedMax;

    /// <summary>Of a piece of a stream of at most <see cref="StreamPieceMax"/> bytes.</summary>
    public static int OfStream(int length)
    {
        int paged = Math.Min(length, WholePages(Math.Max(0, length - StreamLinearMax)));
        return Of(length - paged, paged);
    }

    public static int OfDatagram(int length)
    {
        int paged = WholePages(Math.Min(Math.Max(0, length - DatagramLinearMax), DatagramPagedMax));
        return Of(length - paged, paged);
    }

    private static int Of(int linear, int paged)
    {
        int allocation = ((linear + 63) & ~63) + SharedInfo;
        return BufferHead + (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(AllocationMin, allocation)) + WholePages(paged);
    }

    private static int WholePages(int bytes) => (bytes + PageBytes - 1) & ~(PageBytes - 1);
}
