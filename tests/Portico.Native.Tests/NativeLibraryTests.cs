using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Portico.Native.Tests;

/// <summary>libportico.so as C programs see it: built by ./portico native, and driven by the programs in the folder C.</summary>
public sealed partial class NativeLibraryTests(NativeLibrary library) : IClassFixture<NativeLibrary>
{
    [GeneratedRegex(@"^[^/ ].*?\b(portico_[a-z0-9_]+)\(portico_|^[^/ ].*?\b(portico_[a-z0-9_]+)\((?:void|uint64_t)", RegexOptions.Multiline)]
    private static partial Regex Declaration { get; }

    [Theory]
    [InlineData("calls")]
    [InlineData("devices")]
    [InlineData("example")]
    public void A_program_that_is_linked_with_the_library_runs(string name)
    {
        string output = library.RunLinked(name);
        Assert.Equal(name == "example" ? "33 bytes of IPv4, protocol 17: hello\n" : "ok\n", output);
    }

    [Fact]
    public void Packetdrills_interface_works_entry_by_entry()
    {
        string control = Directory.CreateTempSubdirectory("portico-control").FullName;
        try
        {
            Assert.Equal("ok\n", library.RunLoaded("packetdrill", library.Path, control));
        }
        finally
        {
            Directory.Delete(control, recursive: true);
        }
    }

    /// <summary>Nothing in the header is missing in the library, nor in the programs that test it.</summary>
    [Fact]
    public void All_that_the_header_declares_is_there_and_is_tested()
    {
        string[] declared = [.. Declaration.Matches(File.ReadAllText(library.Header)).Select(static match => match.Groups[1].Value + match.Groups[2].Value)];
        string[] exported = [.. NativeLibrary.Run("nm", "-D", "--defined-only", library.Path).Split('\n').Select(static line => line.Split(' ')[^1].Split('@')[0])];
        string programs = string.Concat(Directory.EnumerateFiles(library.Sources, "*.c").Select(File.ReadAllText));
        Assert.True(declared.Length > 100, $"{declared.Length} declarations");
        Assert.Empty(declared.Except(exported));
        Assert.Equal(declared.Order(), exported.Where(static name => name.StartsWith("portico_", StringComparison.Ordinal)).Order());
        Assert.All(declared, name => Assert.Contains(name + "(", programs, StringComparison.Ordinal));
    }

    [Fact]
    public void The_example_in_the_documentation_is_the_program_that_is_tested()
    {
        string program = File.ReadAllText(System.IO.Path.Combine(library.Sources, "example.c"));
        Assert.Contains($"```c\n{program}```", File.ReadAllText(System.IO.Path.Combine(library.Root, "docs", "native.md")), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--help", 0, "Usage: portico native [DIRECTORY]")]
    [InlineData("--no-such-option", 125, "unknown option '--no-such-option'")]
    public void The_command_says_what_it_is_for_and_what_is_wrong(string argument, int status, string expected)
    {
        using Process command = NativeLibrary.Start(System.IO.Path.Combine(library.Root, "portico"), "native", argument);
        string output = command.StandardOutput.ReadToEnd() + command.StandardError.ReadToEnd();
        command.WaitForExit();
        Assert.Equal(status, command.ExitCode);
        Assert.Contains(expected, output, StringComparison.Ordinal);
    }
}
