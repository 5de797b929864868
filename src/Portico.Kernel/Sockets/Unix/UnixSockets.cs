using Portico.Net;

namespace Portico.Kernel;

/// <summary>What the unix sockets of a kernel share: names, descriptors in flight, and memory to use again. Guarded by the kernel's lock.</summary>
internal sealed partial class UnixSockets(PorticoKernel kernel)
{
    /// <summary>Free messages and carriers of descriptors that are kept.</summary>
    private const int MessagesKept = 1024;
    private const int RightsKept = 64;
    private const int RightsCapacityKept = 16;

    private readonly Stack<UnixMessage> _freeMessages = new();
    private readonly Stack<UnixRights> _freeRights = new();
    private readonly Dictionary<int, int> _inFlight = [];
    private readonly Stack<OpenFileDescription> _toRelease = new();
    private bool _isReleasing;

    public PorticoKernel Kernel { get; } = kernel;

    public UnixAbstractNames AbstractNames { get; } = new();

    /// <summary>Connections that nobody accepts have no descriptions, so that sockets are bounded by themselves: by twice fs.file-max.</summary>
    public bool HasRoom => Kernel.Counters[KernelCounter.UnixSockets] <= 2 * Kernel.Settings.file_max;

    /// <summary>The process whose call is being made.</summary>
    public Process Caller => Kernel.Caller!;

    public UnixMessage TakeMessage() => _freeMessages.TryPop(out UnixMessage? message) ? message : new UnixMessage();

    public void Return(UnixMessage message)
    {
        message.Clear();
        if (_freeMessages.Count < MessagesKept)
        {
            _freeMessages.Push(message);
        }
    }

    public UnixRights TakeRights(Process sender)
    {
        UnixRights rights = _freeRights.TryPop(out UnixRights? free) ? free : new UnixRights();
        rights.UserId = sender.UserId;
        return rights;
    }

    /// <summary>Gives descriptors up that nobody received, or whose references have been copied.</summary>
    public void Drop(UnixRights rights)
    {
        for (int i = 0; i < rights.Count; i++)
        {
            _toRelease.Push(rights[i]);
        }

        rights.Clear();
        if (_freeRights.Count < RightsKept && rights.Capacity <= RightsCapacityKept)
        {
            _freeRights.Push(rights);
        }

        ReleaseAll();
    }

    /// <summary>A send has come to its end, and no message took its descriptors.</summary>
    public void DropUnsent(ref UnixAncillary ancillary)
    {
        Drop(ancillary.Rights!);
        ancillary.Rights = null;
    }

    /// <summary>
    /// Whether a user has more descriptors in flight than the process may have open: one more message with descriptors is ETOOMANYREFS.
    /// </summary>
    public bool HasTooManyInFlight(Process process)
    {
        bool hasTooMany = !process.IsPrivileged && _inFlight.GetValueOrDefault(process.UserId) > process.Limits.Files;
        Kernel.Counters[KernelCounter.InFlightLimit] += hasTooMany ? 1 : 0;
        return hasTooMany;
    }

    public void OnQueued(UnixRights rights, UnixSocket receiver)
    {
        rights.OnQueued(receiver);
        Count(rights, rights.Count);
    }

    public void OnUnqueued(UnixRights rights)
    {
        rights.OnUnqueued();
        Count(rights, -rights.Count);
    }

    private void Count(UnixRights rights, int change)
    {
        Kernel.Counters[KernelCounter.DescriptorsInFlight] += change;
        int inFlight = _inFlight.GetValueOrDefault(rights.UserId) + change;
        if (inFlight == 0)
        {
            _inFlight.Remove(rights.UserId);
        }
        else
        {
            _inFlight[rights.UserId] = inFlight;
        }
    }

    /// <summary>
    /// Releases what is to be released, one after the other: the last reference to a socket drops what is in its queue, which may be the
    /// last reference to another socket, and so on through chains of any length.
    /// </summary>
    private void ReleaseAll()
    {
        if (_isReleasing)
        {
            return;
        }

        _isReleasing = true;
        while (_toRelease.TryPop(out OpenFileDescription? description))
        {
            description.Release();
        }

        _isReleasing = false;
    }
}
