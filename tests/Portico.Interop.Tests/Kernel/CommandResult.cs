using System.Diagnostics;

namespace Portico.Interop.Tests.Kernel;

/// <summary>What a program did.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <summary>Fails the test unless the program succeeded; returns its output.</summary>
    public string Succeeded()
    {
        Assert.True(ExitCode == 0, $"exit status {ExitCode}\n{Output}\n{Error}");
        return Output;
    }

    /// <summary>Waits for a started program that has its output redirected.</summary>
    public static CommandResult WaitFor(Process process, TimeSpan? timeout = null)
    {
        Task<string> output = process.StandardOutput.ReadToEndAsync();
        Task<string> error = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(timeout ?? TimeSpan.FromSeconds(60)))
        {
            process.Kill(true);
            process.WaitForExit();
            return new CommandResult(-1, output.Result, error.Result + "\nkilled: it took too long");
        }

        return new CommandResult(process.ExitCode, output.Result, error.Result);
    }

    internal static ProcessStartInfo StartInfo(string file, string[] arguments)
    {
        ProcessStartInfo info = new(file) { RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true };
        foreach (string argument in arguments)
        {
            info.ArgumentList.Add(argument);
        }

        return info;
    }
}
