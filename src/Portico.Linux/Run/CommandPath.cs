using Portico.Net;

namespace Portico.Linux;

/// <summary>Finds the file of a command, as a shell does.</summary>
public static class CommandPath
{
    /// <summary>The file to execute; or null, with ENOENT where there is none and EACCES where it cannot be executed.</summary>
    public static string? Find(string command, out Errno error)
    {
        error = Errno.ENOENT;
        if (command.Contains('/', StringComparison.Ordinal))
        {
            error = Check(command);
            return error == Errno.None ? command : null;
        }

        foreach (string directory in (Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin").Split(':'))
        {
            string candidate = Path.Combine(directory.Length == 0 ? "." : directory, command);
            Errno result = Check(candidate);
            if (result == Errno.None)
            {
                error = Errno.None;
                return candidate;
            }

            if (result == Errno.EACCES)
            {
                error = Errno.EACCES;
            }
        }

        return null;
    }

    private static Errno Check(string path)
    {
        if (Directory.Exists(path))
        {
            return Errno.EACCES;
        }

        return !File.Exists(path) ? Errno.ENOENT : LibC.Access(path, LibC.X_OK) == 0 ? Errno.None : Errno.EACCES;
    }
}
