using System.Text;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Cli;

/// <summary>How the tour is written: prose that fits 80 columns, and calls with what they returned.</summary>
internal sealed class TourText(TextWriter output, bool hasColours)
{
    private const int Width = 78;
    private const string Bold = "\e[1m";
    private const string Dim = "\e[2m";
    private const string Plain = "\e[0m";

    public void Title(string title) => output.WriteLine($"\n{Coloured(Bold, title)}\n{new string('=', title.Length)}");

    /// <summary>A paragraph.</summary>
    public void Say(string prose)
    {
        StringBuilder line = new();
        output.WriteLine();
        foreach (string word in prose.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > Width)
            {
                output.WriteLine(line);
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(word);
        }

        output.WriteLine(line);
        output.WriteLine();
    }

    /// <summary>A system call as it is written in C, and what it returned.</summary>
    public SyscallResult Call(string call, SyscallResult result, string remark = "")
    {
        string returned = result.IsError ? $"-1 {result.Error}" : result.ToString();
        Line($"{call} = {returned}", remark);
        return result;
    }

    /// <summary>The same for a call that has to succeed.</summary>
    public int Done(string call, SyscallResult result, string remark = "") => Call(call, result, remark).OrThrow();

    /// <summary>The same for a call that has to fail in a certain way: where it does not, the tour would tell a lie.</summary>
    public void Fails(string call, SyscallResult result, Errno expected, string remark = "")
    {
        Call(call, result, remark);
        Must(result.Error == expected, $"{call} was meant to fail with {expected}, not {result}");
    }

    /// <summary>A line that something else than a call has to say.</summary>
    public void Line(string line, string remark = "") =>
        output.WriteLine(remark.Length == 0 ? $"    {line}" : $"    {line,-48} {Coloured(Dim, remark)}");

    /// <summary>What the next words rest on.</summary>
    public static void Must(bool holds, string otherwise)
    {
        if (!holds)
        {
            throw new InvalidOperationException(otherwise);
        }
    }

    private string Coloured(string colour, string text) => hasColours ? colour + text + Plain : text;
}
