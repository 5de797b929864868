namespace Portico.Kernel;

// What /proc shows of a unix socket.
internal sealed partial class UnixSocket
{
    /// <summary>In the order in which they were made.</summary>
    public long Serial { get; set; }

    public UnixSocket? NextOfAll { get; set; }

    public UnixSocket? PreviousOfAll { get; set; }

    /// <summary>Its line in /proc/net/unix. The state is that of its file (SS_CONNECTED and the like), which it has once it is accepted.</summary>
    public void WriteLine(ProcText text)
    {
        const int AcceptsConnections = 0x1_0000;
        bool isConnected = _stage == Stage.Connected;
        int state = _description != null ? (isConnected ? 3 : 1) : isConnected ? 2 : 4;
        text.Add($"{Serial:x16}: {(isConnected ? 3 : 2):X8} {0:X8} {(_stage == Stage.Listening ? AcceptsConnections : 0):X8} ");
        text.Add($"{(int)SocketKind:X4} {state:X2} {InodeNumber,5}");
        if (_address is { Length: > UnixAddress.NameOffset } address)
        {
            text.Append((byte)' ');
            int end = UnixAddress.IsPath(address) ? address.Length - 1 : address.Length;
            foreach (byte character in address.AsSpan(UnixAddress.NameOffset, end - UnixAddress.NameOffset))
            {
                text.Append(character == 0 ? (byte)'@' : character);
            }
        }

        text.Append((byte)'\n');
    }

    /// <summary>Descriptors on their way to it; to a listener's those that its connections have, which nobody has accepted.</summary>
    internal override void WriteDetails(ProcText text)
    {
        int count = DescriptorsInQueue;
        if (_stage == Stage.Listening && _embryos is { } embryos)
        {
            foreach (UnixSocket embryo in embryos)
            {
                count += embryo.DescriptorsInQueue;
            }
        }

        text.Add($"scm_fds: {count}\n");
    }

    private int DescriptorsInQueue
    {
        get
        {
            int count = 0;
            for (UnixMessage? message = _queue.First; message != null; message = message.Next)
            {
                count += message.Rights?.Count ?? 0;
            }

            return count;
        }
    }
}
