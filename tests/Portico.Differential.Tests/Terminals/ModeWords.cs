using Portico.Differential.Tests.Systems;
using Portico.Kernel;

namespace Portico.Differential.Tests.Terminals;

/// <summary>Modes in words, as stty(1) has them: "raw", "-echo icrnl", "min 3 time 1", "intr ^X".</summary>
internal static class ModeWords
{
    private static readonly Dictionary<string, uint> s_input = new()
    {
        ["parmrk"] = 0x8, ["istrip"] = 0x20, ["inlcr"] = 0x40, ["igncr"] = 0x80, ["icrnl"] = 0x100, ["iuclc"] = 0x200, ["ixon"] = 0x400,
        ["ixany"] = 0x800, ["ixoff"] = 0x1000, ["imaxbel"] = 0x2000, ["iutf8"] = 0x4000,
    };

    private static readonly Dictionary<string, uint> s_output = new()
    {
        ["opost"] = 0x1, ["olcuc"] = 0x2, ["onlcr"] = 0x4, ["ocrnl"] = 0x8, ["onocr"] = 0x10, ["onlret"] = 0x20, ["xtabs"] = 0x1800,
    };

    private static readonly Dictionary<string, uint> s_local = new()
    {
        ["isig"] = 0x1, ["icanon"] = 0x2, ["echo"] = 0x8, ["echoe"] = 0x10, ["echok"] = 0x20, ["echonl"] = 0x40, ["noflsh"] = 0x80,
        ["tostop"] = 0x100, ["echoctl"] = 0x200, ["echoprt"] = 0x400, ["echoke"] = 0x800, ["iexten"] = 0x8000, ["extproc"] = 0x1_0000,
    };

    private static readonly string[] s_characters =
    [
        "intr", "quit", "erase", "kill", "eof", "time", "min", "swtc", "start", "stop", "susp", "eol", "reprint", "discard", "werase", "lnext", "eol2",
    ];

    /// <summary>Changes a terminal's modes.</summary>
    public static void Stty(this Kit kit, long fd, string words, IoctlRequest how = IoctlRequest.TCSETS) => kit.Change(fd, modes => Apply(modes, words), how);

    private static TerminalModes Apply(TerminalModes modes, string words)
    {
        string[] list = words.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        for (int i = 0; i < list.Length; i++)
        {
            int character = Array.IndexOf(s_characters, list[i]);
            if (list[i] == "raw")
            {
                modes.Input = modes.Output = modes.Local = 0;
            }
            else if (list[i] == "none")
            {
                modes.Characters.AsSpan().Clear();
            }
            else if (character >= 0)
            {
                string value = list[++i];
                modes.Characters[character] = value[0] == '^' && value.Length == 2 ? (byte)(value[1] ^ 0x40)
                    : character is 5 or 6 ? byte.Parse(value, System.Globalization.CultureInfo.InvariantCulture)
                    : (byte)value[0];
            }
            else
            {
                bool on = list[i][0] != '-';
                string name = on ? list[i] : list[i][1..];
                modes.Input = With(modes.Input, s_input, name, on);
                modes.Output = With(modes.Output, s_output, name, on);
                modes.Local = With(modes.Local, s_local, name, on);
            }
        }

        return modes;
    }

    private static uint With(uint flags, Dictionary<string, uint> names, string name, bool on) =>
        !names.TryGetValue(name, out uint flag) ? flags : on ? flags | flag : flags & ~flag;
}
