using System.Numerics;

namespace Portico.Net;

/// <summary>
/// The ports of one protocol in one stack that are taken: by sockets that were bound, and by connections. One chain of pooled
/// records for each port; pages of chains exist where they are used.
/// </summary>
internal sealed partial class PortTable
{
    private const int PageShift = 8;
    private const int PageSize = 1 << PageShift;

    private struct Record
    {
        public IpAddress Address;

        /// <summary>Next of the port's chain, or of the free list.</summary>
        public int Next;
        public int Previous;

        /// <summary>Next of the hash chain; connections only.</summary>
        public int HashNext;

        /// <summary>How many connections share the record; 1 for a bound socket.</summary>
        public int References;
        public int InterfaceIndex;
        public ushort Port;
        public ushort Generation;
        public bool ReuseAddress;
        public bool ReusePort;
        public bool Ipv6Only;
        public bool IsListening;

        /// <summary>Made by connect or accept, not by bind.</summary>
        public bool IsConnection;
    }

    private readonly Engine _engine;
    private readonly LocalPortRange _range;
    private readonly PortRules _rules;
    private readonly SipKey _key;
    private readonly int[]?[] _pages = new int[]?[65536 / PageSize];
    private readonly ulong[] _used = new ulong[65536 / 64];
    private Record[] _records = new Record[16];
    private int _recordCount = 1;
    private int _free;

    /// <summary>Makes an empty table.</summary>
    public PortTable(Engine engine, LocalPortRange range, PortRules rules)
    {
        _engine = engine;
        _range = range;
        _rules = rules;
        _key = SipKey.From(engine.Random);
    }

    /// <summary>Records in use: bound sockets, and groups of connections with the same local end.</summary>
    public int Count { get; private set; }

    /// <summary>
    /// Takes a port, or picks one when the request names none. Errors: EADDRINUSE for a conflict, or when no port of the range is free.
    /// </summary>
    public Errno Bind(in PortBindRequest request, out PortBinding binding)
    {
        binding = default;
        ushort port = request.Port;
        if (port == 0)
        {
            if (!TryPick(request, out port))
            {
                return Errno.EADDRINUSE;
            }
        }
        else if (HasConflict(request, port, 0))
        {
            return Errno.EADDRINUSE;
        }

        int index = Add(port, request.Address);
        ref Record record = ref _records[index];
        record.InterfaceIndex = request.InterfaceIndex;
        record.ReuseAddress = request.ReuseAddress;
        record.ReusePort = request.ReusePort;
        record.Ipv6Only = request.Ipv6Only;
        record.IsListening = request.IsListening;
        binding = new PortBinding(index, port, record.Generation);
        return Errno.None;
    }

    /// <summary>
    /// TCP: the bound socket begins or stops to listen. Errors: EADDRINUSE, as listen(2) reports it, when another socket that shares
    /// the port by SO_REUSEADDR listens already.
    /// </summary>
    public Errno SetListening(PortBinding binding, bool isListening)
    {
        ref Record record = ref Get(binding);
        if (isListening && !record.IsListening)
        {
            PortBindRequest request = new()
            {
                Address = record.Address,
                Port = record.Port,
                ReuseAddress = record.ReuseAddress,
                ReusePort = record.ReusePort,
                Ipv6Only = record.Ipv6Only,
                InterfaceIndex = record.InterfaceIndex,
            };
            if (HasConflict(request, record.Port, binding.Index))
            {
                return Errno.EADDRINUSE;
            }
        }

        record.IsListening = isListening;
        return Errno.None;
    }

    /// <summary>
    /// Changes the options that decide about later binds (setsockopt after bind has that effect in Linux), and the address, which
    /// connect narrows.
    /// </summary>
    public void Update(PortBinding binding, in IpAddress address, bool reuseAddress, bool reusePort, int interfaceIndex)
    {
        ref Record record = ref Get(binding);
        Invariant.Check(!record.IsConnection);
        record.Address = address;
        record.ReuseAddress = reuseAddress;
        record.ReusePort = reusePort;
        record.InterfaceIndex = interfaceIndex;
    }

    /// <summary>Gives the binding up; a port without bindings is free again.</summary>
    public void Release(PortBinding binding)
    {
        ref Record record = ref Get(binding);
        if (--record.References > 0)
        {
            return;
        }

        if (record.IsConnection)
        {
            Unhash(binding.Index);
        }

        if (record.Next != 0)
        {
            _records[record.Next].Previous = record.Previous;
        }

        if (record.Previous != 0)
        {
            _records[record.Previous].Next = record.Next;
        }
        else
        {
            Head(record.Port) = record.Next;
            if (record.Next == 0)
            {
                _used[record.Port >> 6] &= ~(1UL << (record.Port & 63));
            }
        }

        record.Generation++;
        record.Next = _free;
        _free = binding.Index;
        Count--;
    }

    /// <summary>Whether anything at all holds the port.</summary>
    public bool IsUsed(ushort port) => (_used[port >> 6] & (1UL << (port & 63))) != 0;

    /// <summary>
    /// Whether two local addresses have addresses in common, as inet_rcv_saddr_equal with wildcards: :: overlaps all of IPv6, and
    /// IPv4 unless its socket is V6ONLY; 0.0.0.0 overlaps all of IPv4.
    /// </summary>
    internal static bool Overlaps(in IpAddress a, bool aIpv6Only, in IpAddress b, bool bIpv6Only)
    {
        bool aIpv4 = a.IsIpv4;
        bool bIpv4 = b.IsIpv4;
        if (aIpv4 == bIpv4)
        {
            return a == b || a.IsUnspecified || b.IsUnspecified;
        }

        return aIpv4 ? b.IsUnspecified && !bIpv6Only : a.IsUnspecified && !aIpv6Only;
    }

    private ref Record Get(PortBinding binding)
    {
        ref Record record = ref _records[binding.Index];
        Invariant.Check(binding.Index != 0);
        Invariant.Check(record.Generation == binding.Generation);
        Invariant.Check(record.References > 0);
        return ref record;
    }

    private int FirstOf(ushort port) => _pages[port >> PageShift] is { } page ? page[port & (PageSize - 1)] : 0;

    private ref int Head(ushort port) => ref (_pages[port >> PageShift] ??= new int[PageSize])[port & (PageSize - 1)];

    private int Add(ushort port, in IpAddress address)
    {
        int index = _free;
        if (index != 0)
        {
            _free = _records[index].Next;
        }
        else
        {
            if (_recordCount == _records.Length)
            {
                Array.Resize(ref _records, _recordCount * 2);
            }

            index = _recordCount++;
        }

        ref int head = ref Head(port);
        ushort generation = _records[index].Generation;
        _records[index] = new Record { Address = address, Port = port, Generation = generation, References = 1, Next = head };
        if (head != 0)
        {
            _records[head].Previous = index;
        }

        head = index;
        _used[port >> 6] |= 1UL << (port & 63);
        Count++;
        return index;
    }

    private bool HasConflict(in PortBindRequest request, ushort port, int self)
    {
        for (int i = FirstOf(port); i != 0; i = _records[i].Next)
        {
            ref Record other = ref _records[i];
            if (i != self && IsShadowedBy(request, other) && !MayShare(request, other))
            {
                return true;
            }
        }

        return false;
    }

    private bool MayShare(in PortBindRequest request, in Record other) =>
        (request.ReuseAddress && other.ReuseAddress && (_rules == PortRules.Udp || !other.IsListening))
        || (request.ReusePort && other.ReusePort);

    private static bool IsShadowedBy(in PortBindRequest request, in Record other) =>
        (request.InterfaceIndex == 0 || other.InterfaceIndex == 0 || request.InterfaceIndex == other.InterfaceIndex)
        && Overlaps(request.Address, request.Ipv6Only, other.Address, other.Ipv6Only);

    /// <summary>
    /// A port that nobody holds, the first at or after a random one; where there is none, one whose holders have no address in
    /// common with the request. SO_REUSEADDR and SO_REUSEPORT do not help here: nobody wants a stranger's port by chance.
    /// </summary>
    private bool TryPick(in PortBindRequest request, out ushort port)
    {
        (int first, int last) = RangeOf(request.RangeFirst, request.RangeLast);
        int count = last - first + 1;
        int start = first + (int)_engine.Random.NextBelow((uint)count);
        if (TryFindUnused(start, last, out port) || TryFindUnused(first, start - 1, out port))
        {
            return true;
        }

        for (int i = 0, candidate = start; i < count; i++, candidate = candidate == last ? first : candidate + 1)
        {
            port = (ushort)candidate;
            if (!_range.IsReserved(port) && !HasOverlap(request, port))
            {
                return true;
            }
        }

        port = 0;
        return false;
    }

    /// <summary>The socket's own range narrows the stack's, and counts nothing where it is outside of that.</summary>
    private (int First, int Last) RangeOf(ushort ownFirst, ushort ownLast)
    {
        (int first, int last) = (_range.First, _range.Last);
        first = ownFirst >= first && ownFirst <= last ? ownFirst : first;
        last = ownLast >= first && ownLast <= last ? ownLast : last;
        return (first, last);
    }

    private bool HasOverlap(in PortBindRequest request, ushort port)
    {
        for (int i = FirstOf(port); i != 0; i = _records[i].Next)
        {
            if (IsShadowedBy(request, _records[i]))
            {
                return true;
            }
        }

        return false;
    }

    private bool TryFindUnused(int first, int last, out ushort port)
    {
        ReadOnlySpan<ulong> reserved = _range.ReservedBits;
        int at = first;
        while (at <= last)
        {
            ulong free = ~(_used[at >> 6] | reserved[at >> 6]) & (ulong.MaxValue << (at & 63));
            if (free != 0)
            {
                at = (at & ~63) + BitOperations.TrailingZeroCount(free);
                port = (ushort)at;
                return at <= last;
            }

            at = (at | 63) + 1;
        }

        port = 0;
        return false;
    }
}
