using Portico.Differential.Tests.Systems;

namespace Portico.Differential.Tests.Terminals;

/// <summary>The same keys in the same modes: what the program reads, and what the screen shows (termios(3)).</summary>
public sealed class TypingTests
{
    /// <summary>What is changed in the modes that a terminal begins with.</summary>
    private static readonly string[] s_modes =
    [
        "", "-echo", "-echo echonl", "-echoe", "-echok", "-echoke", "-echoke -echok", "-echoctl", "echoprt", "echoprt -echoctl", "echoprt -echoke",
        "-iexten", "-isig", "-isig -echo", "noflsh", "-icrnl", "inlcr", "igncr", "istrip", "iuclc", "iuclc -iexten", "iutf8", "iutf8 echoprt", "parmrk",
        "-ixon", "ixany", "ixoff", "imaxbel", "-opost", "-onlcr", "ocrnl", "ocrnl onlret", "onlret -onlcr", "onocr", "onocr -icrnl", "olcuc", "xtabs", "-icanon",
        "-icanon -echo", "-icanon -isig -iexten", "raw", "raw echo", "raw isig", "raw ixon", "raw icrnl", "raw iutf8", "extproc", "extproc raw", "extproc istrip",
        "none", "intr x", "erase ^H", "erase a kill b", "werase b", "eol ;", "eol ; eol2 ,", "eof e", "lnext l", "reprint r", "start s stop t", "susp z quit q",
        "eol \u00FF parmrk", "erase \u00E9", "echoctl eol ^A",
    ];

    private static readonly string[] s_keys =
    [
        "hello^J", "hello^M", "a^Jb^Jc", "ab^?c^J", "ab^?^?^?^?c^J", "one two  three^W^Wfour^J", "one-two.three_4^W^J", "abc^Udef^J", "^A^B^A^?^?x^J", "a^[[A^?^?^?b^J",
        "\t\tx^?^?^?y^J", "ab\tc\t^?^?d^J", "a^Ib^A\t^?^?^?^?c^J", "x^V^Cy^J", "^V^V^V^J^J", "^V^?a^?^?^J", "abc^Rdef^J", "ab^?^Rc^J", "^D", "abc^D", "abc^D^D", "abc^D^Jdef^D",
        "abc^Cdef^J", "abc^\\def^J", "abc^Zdef^J", "^C^C", "line^Jab^Cc^J", "a^Sb^Qc^J", "^Sabc^Jdef^Qghi^J", "^S^S^Q^Qx^J", "^Sx^Cy^J", "^Sx^Zy^Qz^J", "Hello WORLD^J",
        "caf\u00C3\u00A9^?x^J", "\u00C3\u00A9\u00E2\u0082\u00AC^?^?^?^J", "\u00E2\u0082\u00AC \u00C3\u00BC^W^W^J", "\u00A9\u0082^?^?^J", "\u00FF\u00FFa\u00FF^J", "\u00C1\u00E1\u00DF^J", "\u00E9a\u00E9^J", "a;b,c^J", "erase^J", "quit lbx^J",
        "^@a^@^J", "^@^?^?^J", "^H^?x^J", "^G^L^K^J", "tab\tstop\t^U^J", "a^Mb^M^Jc^J^M", "a\\^?b^J", "ab^?^?^C^?^J", "^O^T^Xx^J",
    ];

    public static TheoryData<string> Modes => [.. s_modes];

    [Theory]
    [MemberData(nameof(Modes))]
    public void Keys_give_the_same_lines_and_the_same_screen(string modes)
    {
        foreach (string keys in s_keys)
        {
            BothKernels.Run(kit =>
            {
                (long master, long slave) = kit.Terminal((_, fd) => kit.Stty(fd, modes));
                kit.Note($"{modes}: {keys}");
                kit.Type(master, keys);
                kit.Ends(master, slave);
            });
        }
    }
}
