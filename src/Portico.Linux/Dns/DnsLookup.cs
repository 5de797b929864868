using System.Buffers.Binary;
using Portico.Net;

namespace Portico.Linux;

/// <summary>
/// One query by UDP that is passed on: to the first resolver, and to the next where one says nothing in time, cannot be reached or has
/// only an excuse. Resolvers that were too slow may still answer.
/// </summary>
internal sealed class DnsLookup : IScheduled
{
    private readonly DnsForwarder _forwarder;
    private readonly List<Exchange> _exchanges = [];
    private readonly byte[] _query;
    private byte[]? _excuse;
    private int _asked;
    private bool _isClosed;

    public DnsLookup(DnsForwarder forwarder, in Endpoint client, in Endpoint server, ReadOnlySpan<byte> query)
    {
        _forwarder = forwarder;
        _query = query.ToArray();
        Client = client;
        Server = server;
    }

    public Endpoint Client { get; }

    public Endpoint Server { get; }

    public ReadOnlySpan<byte> Query => _query;

    /// <summary>Asks the next resolver that can be asked; without one the lookup ends.</summary>
    public void AskNext()
    {
        int count = _forwarder.Resolvers.Count;
        while (_asked < count * _forwarder.Attempts)
        {
            DnsResolver resolver = _forwarder.Resolvers[_asked % count];
            _forwarder.Counters[ProxyCounter.DnsFailovers] += _asked > 0 ? 1 : 0;
            _asked++;
            Errno error = HostSocket.Connect(
                resolver.Endpoint, LibC.SOCK_DGRAM, LibC.IPPROTO_UDP, out HostSocket socket, resolver.Scope);
            if (error != Errno.None)
            {
                continue;
            }

            Exchange exchange = new(this, socket, _asked);
            if (exchange.Send() == Errno.None)
            {
                _exchanges.Add(exchange);
                Engine engine = _forwarder.Stack.Engine;
                engine.Schedule(engine.Now + _forwarder.TimeoutOfOne, this, _asked);
                return;
            }

            exchange.Close();
        }

        Span<byte> reply = _forwarder.ReplyBuffer;
        End(_excuse ?? reply[.._forwarder.WriteFailure(_query, reply)]);
    }

    /// <inheritdoc/>
    public void OnTime(long cookie)
    {
        if (!_isClosed && cookie == _asked)
        {
            AskNext();
        }
    }

    /// <summary>Forgets it.</summary>
    public void Close()
    {
        _isClosed = true;
        foreach (Exchange exchange in _exchanges)
        {
            exchange.Close();
        }

        _exchanges.Clear();
    }

    private void End(ReadOnlySpan<byte> answer)
    {
        Close();
        _forwarder.Finish(this, answer);
    }

    /// <summary>A resolver has answered, or cannot be reached (an empty answer).</summary>
    private void OnAnswer(Exchange exchange, Span<byte> answer)
    {
        if (answer.Length > 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(answer, DnsMessage.Id(_query));
        }

        if (answer.Length > 0 && !DnsForwarder.IsExcuse(answer))
        {
            int replaced = _forwarder.Inspect(_query, answer, _forwarder.ReplyBuffer);
            if (replaced >= 0)
            {
                _forwarder.Counters[ProxyCounter.DnsAnswers] += replaced == 0 ? 1 : 0;
                End(replaced == 0 ? answer : _forwarder.ReplyBuffer[..replaced]);
                return;
            }
        }
        else if (answer.Length > 0)
        {
            _excuse = answer.ToArray();
        }

        _exchanges.Remove(exchange);
        exchange.Close();
        if (exchange.Number == _asked)
        {
            AskNext();
        }
    }

    /// <summary>One resolver's socket: its answers come from nowhere else.</summary>
    private sealed class Exchange : IPollHandler
    {
        private readonly DnsLookup _lookup;
        private readonly HostSocket _socket;
        private readonly ushort _id = DnsForwarder.NewId();
        private readonly int _slot;

        public Exchange(DnsLookup lookup, HostSocket socket, int number)
        {
            _lookup = lookup;
            _socket = socket;
            Number = number;
            _slot = lookup._forwarder.Events.Add(socket.Fd, this);
        }

        public int Number { get; }

        public Errno Send()
        {
            Span<byte> query = _lookup._forwarder.Scratch.AsSpan(0, _lookup._query.Length);
            _lookup._query.CopyTo(query);
            BinaryPrimitives.WriteUInt16BigEndian(query, _id);
            return _socket.Send(query, out _);
        }

        public bool OnPoll(SocketEvents events)
        {
            if ((events & ~SocketEvents.Writable) == 0)
            {
                return false;
            }

            DnsForwarder forwarder = _lookup._forwarder;
            while (true)
            {
                Errno error = _socket.Receive(forwarder.Scratch, out int received);
                if (error == Errno.EAGAIN)
                {
                    return false;
                }

                Span<byte> answer = forwarder.Scratch.AsSpan(0, error == Errno.None ? received : 0);
                if (error != Errno.None || forwarder.IsAnswer(answer, _lookup._query, _id))
                {
                    _lookup.OnAnswer(this, answer);
                    return false;
                }

                forwarder.Counters[ProxyCounter.DnsMalformed]++;
            }
        }

        public void Close()
        {
            _lookup._forwarder.Events.Remove(_slot, _socket.Fd);
            _socket.Close();
        }
    }
}
