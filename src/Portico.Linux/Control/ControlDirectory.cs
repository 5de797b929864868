using System.Runtime.InteropServices;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// Where the control sockets of a user's runs are: <c>portico</c> in <c>$XDG_RUNTIME_DIR</c>, else in <c>/run/user/UID</c>, else
/// <c>/tmp/portico-UID</c>. Only a directory (no symbolic link) that belongs to the caller and is closed to everybody else is used;
/// whoever prepares another one under the name gets no say in it.
/// </summary>
public sealed unsafe class ControlDirectory
{
    private const int GroupAndOthers = 0x3F;
    private const int WritableByOthers = 0x12;

    private readonly List<(string? Base, string Path)> _candidates = [];

    /// <summary>
    /// The places of the calling user. Without <paramref name="runtimeDirectory"/> (XDG_RUNTIME_DIR) the other two are looked at; they
    /// are parameters for the sake of tests.
    /// </summary>
    public ControlDirectory(string? runtimeDirectory, string users = "/run/user", string temporary = "/tmp")
    {
        if (runtimeDirectory != null && runtimeDirectory.StartsWith('/'))
        {
            AddCandidate(runtimeDirectory);
        }

        uint user = LibC.EffectiveUserId();
        AddCandidate($"{users}/{user}");
        _candidates.Add((null, $"{temporary}/portico-{user}"));
    }

    /// <summary>By this process's environment.</summary>
    public static ControlDirectory FromEnvironment() => new(Environment.GetEnvironmentVariable("XDG_RUNTIME_DIR"));

    private void AddCandidate(string parent) => _candidates.Add((parent, $"{parent.TrimEnd('/')}/portico"));

    /// <summary>The first place that can be used, made where it does not exist. Throws where there is none, and says why.</summary>
    public string Create()
    {
        string reason = "";
        foreach ((string? parent, string path) in _candidates)
        {
            if (parent != null && !IsOwn(parent))
            {
                continue;
            }

            if (LibC.MakeDirectory(path, 0x1C0) != 0 && Marshal.GetLastPInvokeError() != (int)Errno.EEXIST)
            {
                reason = $"{path}: {Marshal.GetLastPInvokeErrorMessage()}";
                continue;
            }

            if (Fault(path) is not string fault)
            {
                return path;
            }

            reason = $"{path}: {fault}";
        }

        throw new LinuxException($"no place for a control socket: {reason}", Errno.EACCES);
    }

    /// <summary>The places that exist and can be trusted; a run may have been started with another environment than the caller's.</summary>
    public IEnumerable<string> Existing() =>
        _candidates.Where(c => (c.Base == null || IsOwn(c.Base)) && Fault(c.Path) == null).Select(c => c.Path).Distinct();

    /// <summary>What is wrong with a directory; null for nothing.</summary>
    internal static string? Fault(string path)
    {
        LibC.FileStatus status;
        if (LibC.GetStatus(LibC.AT_FDCWD, path, LibC.AT_SYMLINK_NOFOLLOW, LibC.STATX_BASIC_STATS, &status) != 0)
        {
            return Marshal.GetLastPInvokeErrorMessage();
        }

        return (status.Mode & LibC.S_IFMT) != LibC.S_IFDIR ? "not a directory"
            : status.UserId != LibC.EffectiveUserId() ? "belongs to another user"
            : (status.Mode & GroupAndOthers) != 0 ? "open to other users"
            : null;
    }

    private static bool IsOwn(string parent)
    {
        LibC.FileStatus status;
        return LibC.GetStatus(LibC.AT_FDCWD, parent, 0, LibC.STATX_BASIC_STATS, &status) == 0
            && (status.Mode & LibC.S_IFMT) == LibC.S_IFDIR && status.UserId == LibC.EffectiveUserId()
            && (status.Mode & WritableByOthers) == 0;
    }

    /// <summary>
    /// Locks a directory against everybody else who makes or removes sockets in it, until the result is disposed; null where it is
    /// gone.
    /// </summary>
    public static IDisposable? Lock(string path)
    {
        int fd = LibC.Open(path, LibC.O_RDONLY | LibC.O_CLOEXEC, 0);
        if (fd < 0)
        {
            return null;
        }

        while (LibC.FileLock(fd, LibC.LOCK_EX) != 0)
        {
            if (Marshal.GetLastPInvokeError() != (int)Errno.EINTR)
            {
                LibC.Close(fd);
                return null;
            }
        }

        return new DirectoryLock(fd);
    }

    private sealed class DirectoryLock(int fd) : IDisposable
    {
        private int _fd = fd;

        public void Dispose()
        {
            int mine = Interlocked.Exchange(ref _fd, -1);
            if (mine >= 0)
            {
                LibC.Close(mine);
            }
        }
    }
}
