using System.Security.Cryptography;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// The gateway's name server: it answers a few names itself and passes all other queries on to the host's resolvers, in their order, as
/// far as the policy allows the name. Addresses in the answers are what the policy's rules about names go by. Everything runs under the
/// driver's lock.
/// </summary>
public sealed class DnsForwarder
{
    /// <summary>More aliases of aliases than any name has; then the answer is not looked at any further.</summary>
    private const int AliasesMax = 16;

    /// <summary>How long a name's address is allowed after it has expired: who asked in time may connect a little later.</summary>
    private static readonly Duration s_grace = Duration.FromSeconds(60);

    /// <summary>No record counts for longer, whatever it says.</summary>
    private static readonly Duration s_timeToLiveMax = Duration.FromSeconds(86_400);

    private static readonly Duration s_timeoutMin = Duration.FromSeconds(1);

    private readonly Dictionary<(Endpoint Client, Endpoint Server, ushort Id), DnsLookup> _lookups = [];
    private readonly HostPolicy _policy;
    private readonly DnsNames _names;
    private readonly byte[] _reply = GC.AllocateUninitializedArray<byte>(65_536, pinned: true);

    /// <summary>Makes a name server; without <paramref name="resolvers"/> it knows its own names only, and refuses others.</summary>
    public DnsForwarder(
        NetworkStack stack,
        EpollEvents events,
        HostPolicy policy,
        MibTable<ProxyCounter> counters,
        DnsNames names,
        IReadOnlyList<DnsResolver> resolvers)
    {
        ArgumentNullException.ThrowIfNull(names);
        ArgumentNullException.ThrowIfNull(policy);
        Stack = stack;
        Events = events;
        Counters = counters;
        Resolvers = resolvers;
        _policy = policy;
        _names = names;
        foreach ((byte[] name, IpAddress address) in names.Addresses)
        {
            policy.Learn(name, address, MonoTime.Never, stack.Engine.Now);
        }
    }

    /// <summary>The most queries under way at a time; more are dropped.</summary>
    public int LookupMax { get; init; } = 512;

    /// <summary>
    /// How long all resolvers together are waited for before the first is asked again (RES_TIMEOUT): what a client gives the gateway,
    /// which is one resolver to it.
    /// </summary>
    public Duration Timeout { get; init; } = Duration.FromSeconds(5);

    /// <summary>How often each resolver is asked (RES_DFLRETRY).</summary>
    public int Attempts { get; init; } = 2;

    /// <summary>What it did.</summary>
    public MibTable<ProxyCounter> Counters { get; }

    internal NetworkStack Stack { get; }

    internal EpollEvents Events { get; }

    internal IReadOnlyList<DnsResolver> Resolvers { get; }

    /// <summary>One resolver's share of <see cref="Timeout"/>.</summary>
    internal Duration TimeoutOfOne
    {
        get
        {
            Duration share = Timeout / Math.Max(Resolvers.Count, 1);
            return share < s_timeoutMin ? s_timeoutMin : share;
        }
    }

    internal byte[] Scratch { get; } = GC.AllocateUninitializedArray<byte>(65_536, pinned: true);

    /// <summary>A query by UDP has arrived at one of the gateway's addresses.</summary>
    internal void OnQuery(in Endpoint client, in Endpoint server, ReadOnlySpan<byte> query)
    {
        int length = Examine(query, isTcp: false, _reply, out bool isForOthers);
        if (length > 0)
        {
            Stack.Udp.SendFrom(server, client, _reply.AsSpan(0, length));
        }

        if (!isForOthers)
        {
            return;
        }

        (Endpoint, Endpoint, ushort) key = (client, server, DnsMessage.Id(query));
        if (_lookups.TryGetValue(key, out DnsLookup? known))
        {
            if (known.Query.SequenceEqual(query))
            {
                Counters[ProxyCounter.DnsRepeated]++;
                return;
            }

            // The client has given the number to another question.
            known.Close();
            _lookups.Remove(key);
        }

        if (_lookups.Count >= LookupMax)
        {
            Counters[ProxyCounter.DnsLimitDrops]++;
            return;
        }

        DnsLookup lookup = new(this, client, server, query);
        _lookups.Add(key, lookup);
        lookup.AskNext();
    }

    /// <summary>
    /// Judges a query. The result is the length of the reply, or 0 where there is none; <paramref name="isForOthers"/> tells a query to
    /// pass on from one to drop.
    /// </summary>
    internal int Examine(ReadOnlySpan<byte> query, bool isTcp, Span<byte> reply, out bool isForOthers)
    {
        isForOthers = false;
        Counters[ProxyCounter.DnsQueries]++;
        Counters[ProxyCounter.DnsQueriesTcp] += isTcp ? 1 : 0;
        Span<byte> name = stackalloc byte[DnsName.BytesMax];
        if (!DnsMessage.TryReadQuestion(query, name, out DnsQuestion question) || DnsMessage.IsResponse(query))
        {
            Counters[ProxyCounter.DnsMalformed]++;
            return 0;
        }

        if (DnsMessage.Opcode(query) != 0)
        {
            return DnsMessage.WriteRefusal(query, question.End, DnsMessage.NotImplemented, DnsMessage.NoExtendedError, reply);
        }

        DnsMessage.HasOpt(query, question.End, out int limit);
        if (_names.TryAnswer(query, isTcp ? reply[..ushort.MaxValue] : reply[..limit], out int length))
        {
            Counters[ProxyCounter.DnsLocalAnswers]++;
            return length;
        }

        if (!_policy.MayResolve(name[..question.NameLength]))
        {
            return Block(query, question.End, reply);
        }

        if (Resolvers.Count == 0)
        {
            return DnsMessage.WriteRefusal(query, question.End, DnsMessage.Refused, DnsMessage.NotAuthoritative, reply);
        }

        isForOthers = true;
        return 0;
    }

    /// <summary>Whether a message is an answer to the query that was sent as <paramref name="id"/>, or a resolver's short excuse.</summary>
    internal bool IsAnswer(ReadOnlySpan<byte> message, ReadOnlySpan<byte> query, ushort id)
    {
        if (message.Length < DnsMessage.HeaderLength || !DnsMessage.IsResponse(message) || DnsMessage.Id(message) != id)
        {
            return false;
        }

        if (DnsMessage.Count(message, 0) == 0)
        {
            return DnsMessage.ResponseCode(message) != 0;
        }

        Span<byte> asked = stackalloc byte[DnsName.BytesMax];
        Span<byte> answered = stackalloc byte[DnsName.BytesMax];
        return DnsMessage.TryReadQuestion(query, asked, out DnsQuestion question)
            && DnsMessage.TryReadQuestion(message, answered, out DnsQuestion echoed) && question == echoed
            && asked[..question.NameLength].SequenceEqual(answered[..question.NameLength]);
    }

    /// <summary>Whether another resolver may know better, as glibc sees it.</summary>
    internal static bool IsExcuse(ReadOnlySpan<byte> answer) =>
        DnsMessage.ResponseCode(answer) is DnsMessage.ServerFailure or DnsMessage.NotImplemented or DnsMessage.Refused;

    /// <summary>
    /// Looks at an answer before it is passed on, and remembers its addresses for the rules. Returns the length of what is to be sent in
    /// its place in <paramref name="reply"/>, 0 to send the answer itself, -1 where it is broken.
    /// </summary>
    internal int Inspect(ReadOnlySpan<byte> query, ReadOnlySpan<byte> answer, Span<byte> reply)
    {
        Span<byte> name = stackalloc byte[DnsName.BytesMax];
        Span<byte> canonical = stackalloc byte[DnsName.BytesMax];
        if (DnsMessage.Count(answer, 0) == 0 || !DnsMessage.TryReadQuestion(answer, canonical, out DnsQuestion question))
        {
            return 0;
        }

        int canonicalLength = question.NameLength;
        for (int i = 0; i < AliasesMax; i++)
        {
            if (!TryFindAlias(answer, question.End, canonical[..canonicalLength], name, out int aliasLength))
            {
                Counters[ProxyCounter.DnsMalformed]++;
                return -1;
            }

            if (aliasLength == 0)
            {
                break;
            }

            canonicalLength = aliasLength;
            name[..aliasLength].CopyTo(canonical);
            if (_policy.IsDenied(canonical[..canonicalLength]))
            {
                return Block(query, question.End, reply);
            }
        }

        Span<byte> owner = stackalloc byte[DnsName.BytesMax];
        DnsMessage.TryReadQuestion(answer, name, out _);
        MonoTime now = Stack.Engine.Now;
        int offset = question.End;
        int inAnswer = DnsMessage.Count(answer, 1);
        int records = inAnswer + DnsMessage.Count(answer, 2) + DnsMessage.Count(answer, 3);
        for (int i = 0; i < records; i++)
        {
            if (!DnsMessage.TryReadRecord(answer, ref offset, owner, out DnsRecord record))
            {
                Counters[ProxyCounter.DnsMalformed]++;
                return -1;
            }

            if (!TryReadAddress(answer, record, out IpAddress address))
            {
                continue;
            }

            if (_policy.IsOwnName(address))
            {
                Counters[ProxyCounter.DnsRebinds]++;
                return DnsMessage.WriteRefusal(query, question.End, DnsMessage.NameError, DnsMessage.Blocked, reply);
            }

            if (i < inAnswer && owner[..record.NameLength].SequenceEqual(canonical[..canonicalLength]))
            {
                // RFC 2181 8: a time with the highest bit set is none.
                Duration kept = Duration.FromSeconds(record.TimeToLive > int.MaxValue ? 0 : record.TimeToLive);
                kept = kept < s_timeToLiveMax ? kept : s_timeToLiveMax;
                bool isKept = _policy.Learn(name[..question.NameLength], address, now + kept + s_grace, now);
                Counters[ProxyCounter.DnsLearnDrops] += isKept ? 0 : 1;
            }
        }

        return 0;
    }

    /// <summary>Sends the outcome of a lookup to who asked for it.</summary>
    internal void Finish(DnsLookup lookup, ReadOnlySpan<byte> answer)
    {
        _lookups.Remove((lookup.Client, lookup.Server, DnsMessage.Id(lookup.Query)));
        Stack.Udp.SendFrom(lookup.Server, lookup.Client, answer);
    }

    internal Span<byte> ReplyBuffer => _reply;

    /// <summary>A number that nobody can foresee; the port that goes with it is the kernel's choice (RFC 5452 9.2).</summary>
    internal static ushort NewId() => (ushort)RandomNumberGenerator.GetInt32(65_536);

    /// <summary>The reply where no resolver had one.</summary>
    internal int WriteFailure(ReadOnlySpan<byte> query, Span<byte> reply)
    {
        Counters[ProxyCounter.DnsFailures]++;
        Span<byte> name = stackalloc byte[DnsName.BytesMax];
        DnsMessage.TryReadQuestion(query, name, out DnsQuestion question);
        return DnsMessage.WriteRefusal(query, question.End, DnsMessage.ServerFailure, DnsMessage.NoReachableAuthority, reply);
    }

    /// <summary>
    /// A denied name does not exist. "Refused" would be nearer to the truth, but makes resolver libraries ask again or give up their
    /// search list; the truth is in the extended error.
    /// </summary>
    private int Block(ReadOnlySpan<byte> query, int questionEnd, Span<byte> reply)
    {
        Counters[ProxyCounter.DnsBlocked]++;
        return DnsMessage.WriteRefusal(query, questionEnd, DnsMessage.NameError, DnsMessage.Blocked, reply);
    }

    /// <summary>Finds what a name is an alias of; its length is 0 for nothing. False where the answer is broken.</summary>
    private static bool TryFindAlias(
        ReadOnlySpan<byte> answer, int offset, ReadOnlySpan<byte> name, Span<byte> alias, out int aliasLength)
    {
        Span<byte> owner = stackalloc byte[DnsName.BytesMax];
        aliasLength = 0;
        int count = DnsMessage.Count(answer, 1);
        for (int i = 0; i < count; i++)
        {
            if (!DnsMessage.TryReadRecord(answer, ref offset, owner, out DnsRecord record))
            {
                return false;
            }

            if (record.Type == DnsMessage.TypeCname && owner[..record.NameLength].SequenceEqual(name))
            {
                return DnsName.TryRead(answer, record.DataOffset, alias, out aliasLength, out _);
            }
        }

        return true;
    }

    private static bool TryReadAddress(ReadOnlySpan<byte> answer, in DnsRecord record, out IpAddress address)
    {
        address = default;
        ReadOnlySpan<byte> data = answer.Slice(record.DataOffset, record.DataLength);
        switch (record.Type)
        {
            case DnsMessage.TypeA when record.Class == DnsMessage.ClassIn && data.Length == 4:
                address = IpAddress.ReadIpv4(data);
                return true;
            case DnsMessage.TypeAaaa when record.Class == DnsMessage.ClassIn && data.Length == 16:
                address = IpAddress.ReadIpv6(data);
                return true;
            default:
                return false;
        }
    }
}
