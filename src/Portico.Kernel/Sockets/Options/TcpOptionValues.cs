using System.Runtime.CompilerServices;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>Options of the level IPPROTO_TCP by their numbers in Linux (tcp(7)).</summary>
internal enum TcpOptionNumber
{
#pragma warning disable CA1707 // The names are those of tcp(7) and Linux's headers.
    TCP_NODELAY = 1,
    TCP_MAXSEG = 2,
    TCP_CORK = 3,
    TCP_KEEPIDLE = 4,
    TCP_KEEPINTVL = 5,
    TCP_KEEPCNT = 6,
    TCP_SYNCNT = 7,
    TCP_LINGER2 = 8,
    TCP_DEFER_ACCEPT = 9,
    TCP_WINDOW_CLAMP = 10,
    TCP_INFO = 11,
    TCP_QUICKACK = 12,
    TCP_CONGESTION = 13,
    TCP_MD5SIG = 14,
    TCP_THIN_LINEAR_TIMEOUTS = 16,
    TCP_THIN_DUPACK = 17,
    TCP_USER_TIMEOUT = 18,
    TCP_REPAIR = 19,
    TCP_FASTOPEN = 23,
    TCP_TIMESTAMP = 24,
    TCP_NOTSENT_LOWAT = 25,
    TCP_SAVE_SYN = 27,
    TCP_SAVED_SYN = 28,
    TCP_FASTOPEN_CONNECT = 30,
    TCP_ULP = 31,
    TCP_MD5SIG_EXT = 32,
    TCP_FASTOPEN_KEY = 33,
    TCP_FASTOPEN_NO_COOKIE = 34,
    TCP_INQ = 36,
    TCP_IS_MPTCP = 43,
    TCP_RTO_MAX_MS = 44,
    TCP_RTO_MIN_US = 45,
    TCP_DELACK_MAX_US = 46,
#pragma warning restore CA1707
}

/// <summary>
/// What has been set on a TCP socket: options of a connection wait here for it, and are copied for each connection that is accepted; the
/// others are only kept here.
/// </summary>
internal sealed class TcpOptionValues
{
    private const int Count = (int)TcpOption.SO_TXREHASH + 1;

    [InlineArray(Count)]
    private struct Values
    {
        private int _first;
    }

    private Values _values;
    private uint _set;

    /// <summary>TCP_DEFER_ACCEPT, in retransmissions of the SYN-ACK.</summary>
    public byte DeferAccept { get; set; }

    /// <summary>TCP_SAVE_SYN.</summary>
    public byte SaveSyn { get; set; }

    /// <summary>TCP_FASTOPEN: the length of the queue; null where it was not set, and listening chooses.</summary>
    public int? FastOpenQueue { get; set; }

    /// <summary>TCP_FASTOPEN_KEY: one key or two.</summary>
    public byte[]? FastOpenKey { get; set; }

    /// <summary>TCP_MD5SIG; null where none was ever set.</summary>
    public TcpSignatureKeys? SignatureKeys { get; set; }

    /// <summary>TCP_FASTOPEN_CONNECT.</summary>
    public bool FastOpenConnect { get; set; }

    /// <summary>TCP_FASTOPEN_NO_COOKIE.</summary>
    public bool FastOpenNoCookie { get; set; }

    /// <summary>SO_ATTACH_FILTER, which is here because few sockets have one.</summary>
    public SocketFilter? Filter { get; set; }

    /// <summary>TCP_INQ.</summary>
    public bool TellsQueueLength { get; set; }

    /// <summary>What was set; 0 otherwise.</summary>
    public int this[TcpOption option] => _values[(int)option];

    public bool TryGet(TcpOption option, out int value)
    {
        value = _values[(int)option];
        return (_set & (1u << (int)option)) != 0;
    }

    public void Set(TcpOption option, int value)
    {
        _values[(int)option] = value;
        _set |= 1u << (int)option;
    }

    /// <summary>Whether there is something that an accepted connection does not get: what belongs to accepting, and the keys of all peers.</summary>
    public bool HasOwn => FastOpenQueue != null || FastOpenKey != null || FastOpenConnect || DeferAccept != 0 || SignatureKeys != null;

    public TcpOptionValues Copy() => (TcpOptionValues)MemberwiseClone();

    /// <summary>Leaves what an accepted connection gets.</summary>
    public void DropOwn()
    {
        FastOpenQueue = null;
        FastOpenKey = null;
        FastOpenConnect = false;
        DeferAccept = 0;
        SignatureKeys = null;
    }

    public void ApplyTo(TcpLayer tcp, TcpHandle handle)
    {
        for (int i = 0; i < Count; i++)
        {
            if ((_set & (1u << i)) != 0)
            {
                tcp.SetOption(handle, (TcpOption)i, _values[i]);
            }
        }

        if (DeferAccept != 0)
        {
            tcp.SetOption(handle, TcpOption.TCP_DEFER_ACCEPT, DeferAccept);
        }
    }
}
