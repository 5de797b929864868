using Portico.Differential.Tests.Descriptors;
using Portico.Differential.Tests.Sockets;
using Portico.Differential.Tests.Systems;
using Portico.Differential.Tests.Terminals;
using Portico.Differential.Tests.Unix;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Transfers;

/// <summary>
/// splice, tee, sendfile and copy_file_range from every kind of descriptor and to every kind (F21 of the guarantees that programs rely on):
/// each is joined with a good partner of every sort.
/// </summary>
public sealed class EveryTransferTests
{
    private static readonly Dictionary<string, Func<Kit, long>> s_terminals = new()
    {
        ["terminal"] = kit => kit.Terminal().Slave,
        ["raw terminal with input"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.Stty(slave, "-icanon");
            kit.WriteBytes(master, "some input"u8);
            return slave;
        },
        ["terminal with a line"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.WriteBytes(master, "a line\nand more"u8);
            return slave;
        },
        ["master"] = kit => kit.Terminal().Master,
        ["master with output"] = kit =>
        {
            (long master, long slave) = kit.Terminal();
            kit.WriteBytes(slave, "some\noutput"u8);
            return master;
        },
    };

    private static readonly Dictionary<string, Func<Kit, long>> s_kinds =
        new([.. FileKinds.All, .. NamedFileKinds.All, .. SocketKinds.All, .. UnixKinds.All, .. s_terminals]);

    public static TheoryData<string, string> Cases
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string operation in TransferOperations.All.Keys)
            {
                foreach (string kind in s_kinds.Keys)
                {
                    cases.Add(operation, kind);
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void From_it_is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        foreach ((string name, Func<Kit, (long, Action)> open) in Partners.Targets)
        {
            kit.Note(name);
            (long target, Action inspect) = open(kit);
            long source = s_kinds[kind](kit);
            kit.NonBlocking(source);
            TransferOperations.All[operation](kit, source, target);
            inspect();
            kit.Call(lseek, source, 0, (long)SeekWhence.SEEK_CUR);
            kit.Raw(close_range, 3, uint.MaxValue);
        }
    });

    /// <summary>How much of a large write fits into a terminal is each kernel's own affair (docs/differences.md).</summary>
    public static TheoryData<string, string> CasesTo
    {
        get
        {
            TheoryData<string, string> cases = [];
            foreach (string operation in TransferOperations.All.Keys)
            {
                foreach (string kind in s_kinds.Keys)
                {
                    if (operation != "sendfile everything" || !s_terminals.ContainsKey(kind))
                    {
                        cases.Add(operation, kind);
                    }
                }
            }

            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(CasesTo))]
    public void To_it_is_answered_as_Linux_does(string operation, string kind) => BothKernels.Run(kit =>
    {
        foreach ((string name, Func<Kit, (long, Action)> open) in Partners.Sources)
        {
            kit.Note(name);
            (long source, Action inspect) = open(kit);
            long target = s_kinds[kind](kit);
            kit.NonBlocking(target);
            TransferOperations.All[operation](kit, source, target);
            inspect();
            kit.Raw(close_range, 3, uint.MaxValue);
        }
    });
}
