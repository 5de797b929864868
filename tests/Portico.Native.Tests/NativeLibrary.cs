using System.Diagnostics;

namespace Portico.Native.Tests;

/// <summary>The library, built once for all tests; and a C compiler, which came with the linker.</summary>
public sealed class NativeLibrary : IDisposable
{
    private readonly string _programs = Directory.CreateTempSubdirectory("portico-native").FullName;

    /// <summary>Builds the library, unless it is newer than its sources.</summary>
    public NativeLibrary()
    {
        string root = AppContext.BaseDirectory;
        while (!File.Exists(System.IO.Path.Combine(root, "Portico.slnx")))
        {
            root = System.IO.Path.GetDirectoryName(root) ?? throw new InvalidOperationException("not in the source tree");
        }

        Root = root;
        Path = Run(System.IO.Path.Combine(root, "portico"), "native").Split('\n', StringSplitOptions.RemoveEmptyEntries)[^1];
    }

    /// <summary>The source tree.</summary>
    public string Root { get; }

    /// <summary>Where the library is: what ./portico native says last.</summary>
    public string Path { get; }

    public string Header => System.IO.Path.Combine(System.IO.Path.GetDirectoryName(Path)!, "portico.h");

    public string Sources => System.IO.Path.Combine(Root, "tests", "Portico.Native.Tests", "C");

    /// <summary>Compiles a program that is linked with the library, runs it, and gives its output.</summary>
    public string RunLinked(string name)
    {
        string directory = System.IO.Path.GetDirectoryName(Path)!;
        return Run(Compile(name, "-L" + directory, "-lportico", "-Wl,-rpath," + directory));
    }

    /// <summary>Compiles a program that loads the library by itself, runs it, and gives its output.</summary>
    public string RunLoaded(string name, params string[] arguments) => Run(Compile(name, "-ldl"), arguments);

    public void Dispose() => Directory.Delete(_programs, recursive: true);

    internal static Process Start(string program, params string[] arguments) =>
        Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true })!;

    /// <summary>Runs a program, which has to succeed, and gives its output.</summary>
    internal static string Run(string program, params string[] arguments)
    {
        using Process process = Start(program, arguments);
        Task<string> errors = process.StandardError.ReadToEndAsync();
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(TimeSpan.FromMinutes(8)))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"{program} does not end");
        }

        Assert.True(process.ExitCode == 0, $"{program} ended with {process.ExitCode}: {errors.Result}{output.Result}");
        return output.Result;
    }

    private string Compile(string name, params string[] options)
    {
        string program = System.IO.Path.Combine(_programs, name);
        string compiler = File.Exists("/usr/bin/clang") ? "clang" : "cc";
        Run(
            compiler,
            ["-std=gnu11", "-Wall", "-Wextra", "-Werror", "-I", System.IO.Path.GetDirectoryName(Path)!, "-o", program, System.IO.Path.Combine(Sources, name + ".c"), .. options, "-lpthread"]);
        return program;
    }
}
