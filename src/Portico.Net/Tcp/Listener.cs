namespace Portico.Net;

/// <summary>A listening binding: what new connections inherit, and the queues between SYN and accept.</summary>
internal sealed class Listener
{
    public uint Index;
    public uint Generation;
    public TcpListenRequest Request;
    public PortBinding Binding;
    public int Owner;

    /// <summary>The next listener on the same port.</summary>
    public Listener? NextOnPort;

    /// <summary>Most connections in each of the two queues; a queue is full beyond it (Linux: sk_max_ack_backlog).</summary>
    public int Backlog;

    /// <summary>Half-open connections: SYN received, SYN-ACK sent.</summary>
    public int RequestCount;

    /// <summary>Complete connections that nobody has accepted, oldest first.</summary>
    public int AcceptCount;
    public uint AcceptHead;
    public uint AcceptTail;

    /// <summary>When the request queue last overflowed, so that cookies may be on their way; 0 for never.</summary>
    public long LastOverflowNanos;

    /// <summary>Most connections made from SYNs with data whose handshake is not complete; 0 for no Fast Open (TCP_FASTOPEN).</summary>
    public int FastOpenMax;

    /// <summary>How many there are, those included that were reset and count for a while longer.</summary>
    public int FastOpenCount;

    /// <summary>Until when those count that were reset, in nanoseconds, the oldest first; never more than <see cref="FastOpenCount"/>.</summary>
    public readonly Queue<long> FastOpenResets = new();

    /// <summary>TCP_FASTOPEN_KEY; none for the stack's.</summary>
    public FastOpenKeys FastOpenKeys;

    /// <summary>TCP_FASTOPEN_NO_COOKIE.</summary>
    public bool FastOpenNoCookie;

    /// <summary>TCP_MD5SIG; null for none.</summary>
    public TcpSignatureKeys? SignatureKeys;

    /// <summary>SO_ATTACH_FILTER; null for none.</summary>
    public SocketFilter? Filter;

    public bool IsAcceptQueueFull => AcceptCount > Backlog;

    public bool IsRequestQueueFull => RequestCount >= Math.Max(Backlog, 1);

    /// <summary>
    /// How well the listener suits a SYN, or -1: an address beats the wildcard, an interface beats none, IPv6's wildcard takes IPv4 too
    /// unless it is V6ONLY (Linux: compute_score).
    /// </summary>
    public int Score(in IpAddress destination, int interfaceIndex)
    {
        int score = 0;
        if (Request.InterfaceIndex != 0)
        {
            if (Request.InterfaceIndex != interfaceIndex)
            {
                return -1;
            }

            score += 4;
        }

        if (!Request.Local.Address.IsUnspecified)
        {
            return Request.Local.Address == destination ? score + 8 : -1;
        }

        bool wildcardIpv4 = Request.Local.Address.IsIpv4;
        if (destination.IsIpv4)
        {
            return wildcardIpv4 ? score + 1 : Request.Ipv6Only ? -1 : score;
        }

        return wildcardIpv4 ? -1 : score + 1;
    }
}

/// <summary>A half-open connection: all that must be remembered between the SYN and the handshake's last ACK.</summary>
internal unsafe struct SynRequest
{
    /// <summary>At offset 0, so that a node is its request.</summary>
    public TimerNode Timer;
    public IpAddress LocalAddress;
    public IpAddress RemoteAddress;
    public ushort LocalPort;
    public ushort RemotePort;
    public uint Index;

    /// <summary>Index of the listener; 0 for a request that the forwarder holds.</summary>
    public uint Listener;
    public uint ListenerGeneration;
    public uint Iss;
    public uint Irs;

    /// <summary>What the SYN-ACK acknowledges: the SYN, and its data where that was taken.</summary>
    public uint RcvNxt;
    public uint TsRecent;
    public uint TsOffset;
    public long SentTime;
    public uint LastAnsweredMillis;

    /// <summary>The timestamp of the SYN-ACK that followed the first timeout; 0 when there was none.</summary>
    public uint RetransStamp;
    public ushort PeerMss;
    public ushort AdvMss;
    public ushort RcvWnd;
    public ushort InterfaceIndex;

    /// <summary>The window of the SYN; never scaled.</summary>
    public ushort SndWnd;
    public byte SndWindShift;
    public byte RcvWindShift;
    public byte Retransmits;

    /// <summary>How often the timer has fired; the SYN-ACK is repeated each time, but not while data is waited for (TCP_DEFER_ACCEPT).</summary>
    public byte Timeouts;

    /// <summary>The traffic class of the SYN, with its mark of ECN; of a request from a cookie, that of the ACK.</summary>
    public byte TrafficClass;
    public TcbFlags Flags;

    /// <summary>Taken by the forwarder and not decided: nothing has been answered.</summary>
    public bool Held;

    /// <summary>ECN is agreed to.</summary>
    public bool EcnOk;

    /// <summary>The handshake is complete, and TCP_DEFER_ACCEPT waits for data.</summary>
    public bool IsAcknowledged;

    /// <summary>The SYN's headers, for TCP_SAVED_SYN; 0 for none.</summary>
    public uint SavedSyn;
}
