using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// A command on the caller's terminal, in the namespaces of the thread that starts it. It is killed when that thread or this
/// process ends.
/// </summary>
public sealed unsafe class CommandProcess
{
    private static ulong? s_callersFileLimit;

    private CommandProcess(int id) => Id = id;

    /// <summary>Its process id.</summary>
    public int Id { get; }

    /// <summary>
    /// Starts a command, found by <see cref="CommandPath.Find"/>, with this process's environment and terminal. An ordinary user's
    /// command gets none of the capabilities that this process has in its user namespace. By the thread that later waits for it.
    /// </summary>
    public static CommandProcess Start(string path, IReadOnlyList<string> commandLine)
    {
        // setpriv(1) sets the death signal, which only the process itself can set, between fork and exec.
        string? setpriv = CommandPath.Find("setpriv", out _);
        bool isRoot = LibC.EffectiveUserId() == 0;
        List<string> vector = [];
        if (setpriv != null)
        {
            vector.AddRange([setpriv, "--pdeathsig", "KILL"]);
            if (!isRoot)
            {
                vector.AddRange(["--ambient-caps", "-all", "--inh-caps", "-all"]);
            }

            vector.Add("--");
        }
        else
        {
            LibC.ProcessControl(LibC.PR_CAP_AMBIENT, LibC.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        }

        vector.AddRange(commandLine);
        using StringVector native = new(vector);
        TakeBackEnvironment();

        // posix_spawnattr_t has 336 bytes in glibc and musl. The runtime ignores SIGPIPE, and what is ignored would stay so.
        byte* attributes = stackalloc byte[1024];
        byte* signals = stackalloc byte[128];
        new Span<byte>(signals, 128).Clear();
        LibC.SpawnAttributesInit(attributes);
        LibC.SpawnAttributesSetMask(attributes, signals);
        signals[1] = 1 << (13 - 1 - 8);
        LibC.SpawnAttributesSetDefaultSignals(attributes, signals);
        LibC.SpawnAttributesSetFlags(attributes, LibC.POSIX_SPAWN_SETSIGDEF | LibC.POSIX_SPAWN_SETSIGMASK);
        int id;
        bool lowered = LowerFileLimit();
        int error = LibC.PosixSpawn(&id, setpriv ?? path, null, attributes, native.Pointer, LibC.EnvironmentBlock);
        if (lowered)
        {
            RaiseFileLimit();
        }

        LibC.SpawnAttributesDestroy(attributes);
        return error == 0 ? new CommandProcess(id) : throw LinuxException.From(path, (Errno)error);
    }

    /// <summary>
    /// Lets this process have as many descriptors as it may: each connection needs one. The command gets the caller's limit all the same.
    /// </summary>
    public static void RaiseFileLimit()
    {
        ulong* limits = stackalloc ulong[2];
        if (LibC.GetLimit(LibC.RLIMIT_NOFILE, limits) == 0 && limits[0] < limits[1])
        {
            s_callersFileLimit ??= limits[0];
            limits[0] = limits[1];
            LibC.SetLimit(LibC.RLIMIT_NOFILE, limits);
        }
    }

    /// <summary>
    /// A command would inherit the raised limit of descriptors. Lowers it to what the caller has, for the moment of the start; true where
    /// it is to be raised again.
    /// </summary>
    private static bool LowerFileLimit()
    {
        ulong* limits = stackalloc ulong[2];
        if (CallersFileLimit() is not ulong soft || LibC.GetLimit(LibC.RLIMIT_NOFILE, limits) != 0 || soft >= limits[0])
        {
            return false;
        }

        limits[0] = soft;
        return LibC.SetLimit(LibC.RLIMIT_NOFILE, limits) == 0;
    }

    /// <summary>
    /// What this process found; where the runtime had raised it before anybody could look, what the script hands down, and without
    /// the script the parent process's, which is the caller's mostly.
    /// </summary>
    private static ulong? CallersFileLimit()
    {
        if (s_callersFileLimit is ulong found)
        {
            return found;
        }

        if (ulong.TryParse(Environment.GetEnvironmentVariable("PORTICO_NOFILE"), out ulong handed))
        {
            return handed;
        }

        try
        {
            foreach (string line in File.ReadLines($"/proc/{LibC.ParentProcessId()}/limits"))
            {
                string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
                if (line.StartsWith("Max open files", StringComparison.Ordinal) && ulong.TryParse(words[3], out ulong soft))
                {
                    return soft;
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then the command has the larger limit.
        }

        return null;
    }

    /// <summary>Unsets what the tool's script has set for the tool only, and says so in PORTICO_UNSET.</summary>
    private static void TakeBackEnvironment()
    {
        const string List = "PORTICO_UNSET";
        foreach (string name in (Environment.GetEnvironmentVariable(List) ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            LibC.UnsetEnvironment(name);
        }

        LibC.UnsetEnvironment(List);
    }

    /// <summary>Waits for its end: its exit status, or 128 and the number of the signal that ended it, as shells say it.</summary>
    public int Wait()
    {
        if (LibC.WaitForEnd(Id, out int status) < 0)
        {
            throw LinuxException.Last("waitpid");
        }

        int signal = status & 0x7F;
        return signal == 0 ? (status >> 8) & 0xFF : 128 + signal;
    }

    /// <summary>Sends a signal by its number.</summary>
    public void Signal(int number) => LibC.Kill(Id, number);

    /// <summary>
    /// Whether the terminal sends its signals (interrupt, quit) to this process's group, so that the command has got them already.
    /// </summary>
    public static bool SharesTerminalSignals()
    {
        int group = LibC.ProcessGroup();
        return LibC.TerminalGroup(0) == group || LibC.TerminalGroup(1) == group || LibC.TerminalGroup(2) == group;
    }
}
