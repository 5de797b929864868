namespace Portico.Kernel;

/// <summary>
/// Descriptors on their way in a message (SCM_RIGHTS): references to open file descriptions. Those that are unix sockets also know by
/// which receivers they are held (<see cref="UnixHold"/>), since sockets can hold each other.
/// </summary>
internal sealed class UnixRights
{
    /// <summary>The most that a message carries (SCM_MAX_FD).</summary>
    public const int Max = 253;

    private OpenFileDescription[] _files = new OpenFileDescription[4];
    private UnixHold?[] _holds = new UnixHold?[4];

    public int Count { get; private set; }

    /// <summary>Whose descriptors they are, for the limit of what a user may have in flight.</summary>
    public int UserId { get; set; }

    public OpenFileDescription this[int index] => _files[index];

    /// <summary>Descriptors that there is room for now.</summary>
    public int Capacity => _files.Length;

    /// <summary>Takes over a reference.</summary>
    public void Add(OpenFileDescription description)
    {
        if (Count == _files.Length)
        {
            Array.Resize(ref _files, Math.Min(Max, Count * 2));
            Array.Resize(ref _holds, _files.Length);
        }

        _files[Count++] = description;
    }

    /// <summary>They have been put into a receiver's queue.</summary>
    public void OnQueued(UnixSocket receiver)
    {
        for (int i = 0; i < Count; i++)
        {
            if (_files[i].File is UnixSocket socket)
            {
                socket.AddHold(_holds[i] ??= new UnixHold(), receiver);
            }
        }
    }

    /// <summary>They have been taken out of the queue.</summary>
    public void OnUnqueued()
    {
        for (int i = 0; i < Count; i++)
        {
            if (_files[i].File is UnixSocket socket)
            {
                socket.RemoveHold(_holds[i]!);
            }
        }
    }

    /// <summary>Forgets them; the references are somebody else's now.</summary>
    public void Clear()
    {
        Array.Clear(_files, 0, Count);
        Count = 0;
    }
}

/// <summary>A unix socket is held by a message in the queue of another, or of itself.</summary>
internal sealed class UnixHold
{
    public UnixSocket Receiver { get; set; } = null!;

    public UnixHold? Next { get; set; }

    public UnixHold? Previous { get; set; }
}
