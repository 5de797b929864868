using System.Runtime.InteropServices;

namespace Portico.Kernel;

/// <summary>Who sent a message, or made a connection (struct ucred, the same layout).</summary>
[StructLayout(LayoutKind.Sequential)]
internal readonly record struct UnixCredentials(int ProcessId, int UserId, int GroupId)
{
    public const int Bytes = 12;

    /// <summary>What user and group ids that are not known are shown as (/proc/sys/kernel/overflowuid).</summary>
    private const int OverflowId = 65_534;

    /// <summary>Nobody: no process and no ids.</summary>
    public static UnixCredentials None => new(0, -1, -1);

    public bool IsNone => this == None;

    public static UnixCredentials Of(Process process) => new(process.Id, process.UserId, process.GroupId);

    /// <summary>As a receiver sees them.</summary>
    public UnixCredentials Shown => new(ProcessId, UserId == -1 ? OverflowId : UserId, GroupId == -1 ? OverflowId : GroupId);
}

/// <summary>What a message of a unix socket carries besides bytes, while a call sends or collects it.</summary>
internal struct UnixAncillary
{
    /// <summary>Whether the control messages have been read: they are looked at once, however often a call that waits is tried.</summary>
    public bool IsRead;

    /// <summary>Sending: the socket has been looked at, and the call may have waited since.</summary>
    public bool HasBegun;

    /// <summary>Sending: descriptors that no message carries yet.</summary>
    public UnixRights? Rights;

    /// <summary>Sending: SCM_CREDENTIALS. Receiving: the writer of what has been received.</summary>
    public UnixCredentials Credentials;

    /// <summary>Receiving: whether <see cref="Credentials"/> are those of a message.</summary>
    public bool HasCredentials;
}
