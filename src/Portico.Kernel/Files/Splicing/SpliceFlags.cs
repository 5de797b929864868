namespace Portico.Kernel;

/// <summary>Flags of splice(2), tee(2) and vmsplice(2).</summary>
[Flags]
public enum SpliceFlags
{
#pragma warning disable CS1591, CA1707 // The names are those of splice(2).
    None = 0,
    SPLICE_F_MOVE = 1,
    SPLICE_F_NONBLOCK = 2,
    SPLICE_F_MORE = 4,
    SPLICE_F_GIFT = 8,
#pragma warning restore CS1591, CA1707
}
