using Portico.Differential.Tests.Systems;
using Portico.Kernel;

namespace Portico.Differential.Tests.Transfers;

/// <summary>Ways to move bytes from one descriptor to another. None of them blocks where the descriptors do not.</summary>
internal static class TransferOperations
{
    private const ulong Enough = 20_000;

    public static readonly IReadOnlyDictionary<string, Action<Kit, long, long>> All = new Dictionary<string, Action<Kit, long, long>>
    {
        ["splice 10 bytes twice"] = (kit, source, target) =>
        {
            kit.Splice(source, null, target, null, 10);
            kit.Splice(source, null, target, null, 10);
        },
        ["splice everything"] = (kit, source, target) => kit.Splice(source, null, target, null, Enough, SpliceFlags.SPLICE_F_MOVE | SpliceFlags.SPLICE_F_NONBLOCK),
        ["splice nothing"] = (kit, source, target) => kit.Splice(source, null, target, null, 0, (SpliceFlags)64),
        ["splice with a flag that there is not"] = (kit, source, target) => kit.Splice(source, null, target, null, 1, (SpliceFlags)16),
        ["splice from a position"] = (kit, source, target) => kit.Splice(source, 2, target, null, 5000),
        ["splice to a position"] = (kit, source, target) => kit.Splice(source, null, target, 3, 5000),
        ["splice from a position to a position"] = (kit, source, target) => kit.Splice(source, 1, target, 1, 10),
        ["splice from and to negative positions"] = (kit, source, target) =>
        {
            kit.Splice(source, -1, target, null, 10);
            kit.Splice(source, null, target, -1, 10);
        },
        ["splice from and to positions at the end of all"] = (kit, source, target) =>
        {
            kit.Splice(source, long.MaxValue - 5, target, null, 10);
            kit.Splice(source, null, target, long.MaxValue - 5, 10);
            kit.Splice(source, null, target, long.MaxValue - 5, 5);
        },
        ["splice more than there can be"] = (kit, source, target) => kit.Splice(source, null, target, null, ulong.MaxValue),
        ["tee 10 bytes"] = (kit, source, target) => kit.Tee(source, target, 10),
        ["tee everything twice"] = (kit, source, target) =>
        {
            kit.Tee(source, target, Enough);
            kit.Tee(source, target, Enough, SpliceFlags.SPLICE_F_NONBLOCK);
        },
        ["tee nothing"] = (kit, source, target) =>
        {
            kit.Tee(source, target, 0);
            kit.Tee(source, target, 0, (SpliceFlags)16);
        },
        ["sendfile 10 bytes twice"] = (kit, source, target) =>
        {
            kit.Sendfile(target, source, null, 10);
            kit.Sendfile(target, source, null, 10);
        },
        ["sendfile everything"] = (kit, source, target) => kit.Sendfile(target, source, null, Enough),
        ["sendfile nothing"] = (kit, source, target) => kit.Sendfile(target, source, null, 0),
        ["sendfile from a position"] = (kit, source, target) => kit.Sendfile(target, source, 2, 5000),
        ["sendfile from bad positions"] = (kit, source, target) =>
        {
            kit.Sendfile(target, source, -1, 10);
            kit.Sendfile(target, source, long.MaxValue - 5, 10);
            kit.Sendfile(target, source, long.MaxValue - 5, 5);
            kit.Sendfile(target, source, 0, ulong.MaxValue);
        },
        ["copy_file_range of 10 bytes twice"] = (kit, source, target) =>
        {
            kit.CopyFileRange(source, null, target, null, 10);
            kit.CopyFileRange(source, null, target, null, 10);
        },
        ["copy_file_range of everything"] = (kit, source, target) => kit.CopyFileRange(source, null, target, null, Enough),
        ["copy_file_range of nothing"] = (kit, source, target) => kit.CopyFileRange(source, null, target, null, 0),
        ["copy_file_range with flags"] = (kit, source, target) => kit.CopyFileRange(source, null, target, null, 10, 1),
        ["copy_file_range from and to positions"] = (kit, source, target) => kit.CopyFileRange(source, 2, target, 20, 10),
        ["copy_file_range from and to bad positions"] = (kit, source, target) =>
        {
            kit.CopyFileRange(source, -1, target, 20, 10);
            kit.CopyFileRange(source, 1, target, -20, 10);
            kit.CopyFileRange(source, -1000, target, 20, 10);
            kit.CopyFileRange(source, -1, target, 20, 0);
            kit.CopyFileRange(source, 1, target, long.MaxValue, 1);
            kit.CopyFileRange(source, 1, target, long.MaxValue - 5, 10);
            kit.CopyFileRange(source, long.MaxValue, target, 1, 10);
            kit.CopyFileRange(source, 1, target, 1, ulong.MaxValue);
            kit.CopyFileRange(source, 1, target, 1, 1UL << 62);
        },
    };
}
