using Portico.Net;

namespace Portico.Cli;

// What has no connection: flows of UDP datagrams, questions to name servers, ping, ICMP errors.
internal sealed partial class Tracer
{
    private const ushort DnsPort = 53;

    private TracedConnection OnDatagram(in TraceKey key, in TracedPacket datagram, bool fromCommand)
    {
        TracedConnection flow = FindOrAdd(key, fromCommand);
        bool isFirst = flow.CountDatagram(datagram.PayloadLength, fromCommand);
        if (key.Other.Port == DnsPort && DnsText.Question(datagram.Payload, out bool isAnswer) is string question)
        {
            TraceEvent dns = New(isAnswer ? TraceEventKind.DnsAnswer : TraceEventKind.DnsQuery, flow, fromCommand);
            dns.Text = question;
            if (isAnswer)
            {
                dns.Answer = DnsText.Answer(datagram.Payload);
                dns.Took = _engine.Now - flow.Asked;
            }
            else
            {
                flow.Asked = _engine.Now;
            }

            _queue.Add(dns);
        }
        else if (_everyPacket || isFirst)
        {
            TraceEvent data = New(_everyPacket ? TraceEventKind.Packet : TraceEventKind.Data, flow, fromCommand);
            data.Length = datagram.PayloadLength;
            _queue.Add(data);
        }

        return flow;
    }

    private TracedConnection? OnIcmp(in TraceKey key, in TracedPacket message, bool fromCommand)
    {
        bool isV4 = key.Protocol == IpProtocol.Icmp;
        bool isRequest = message.IcmpType == (isV4 ? IcmpType.EchoRequest : Icmpv6Type.EchoRequest);
        bool isReply = message.IcmpType == (isV4 ? IcmpType.EchoReply : Icmpv6Type.EchoReply);
        if (isRequest || isReply)
        {
            return OnEcho(key, message, fromCommand, isRequest);
        }

        bool isError = isV4 ? IcmpHeader.IsErrorType(message.IcmpType) : message.IcmpType < Icmpv6Type.EchoRequest;
        if (isError && !fromCommand)
        {
            OnIcmpError(message);
        }

        return null;
    }

    private TracedConnection OnEcho(in TraceKey key, in TracedPacket message, bool fromCommand, bool isRequest)
    {
        // The identifier keeps two programs that ping the same host apart.
        TraceKey echo = key with
        {
            Command = new Endpoint(key.Command.Address, message.EchoIdentifier),
            Other = new Endpoint(key.Other.Address, 0),
        };
        TracedConnection flow = FindOrAdd(echo, fromCommand);
        flow.CountDatagram(message.PayloadLength, fromCommand);
        TraceEvent ping = New(isRequest ? TraceEventKind.Ping : TraceEventKind.PingReply, flow, fromCommand);
        ping.Sequence = message.EchoSequence;
        ping.Length = message.PayloadLength;
        if (isRequest)
        {
            flow.Asked = _engine.Now;
        }
        else
        {
            ping.Took = _engine.Now - flow.Asked;
        }

        _queue.Add(ping);
        return flow;
    }

    /// <summary>An error about a packet of the command's, which it quotes.</summary>
    private void OnIcmpError(in TracedPacket message)
    {
        if (!TracedPacket.TryReadQuoted(message.Payload, out TracedPacket quoted)
            || Find(new TraceKey(quoted.Protocol, quoted.Source, quoted.Destination)) is not { } connection)
        {
            return;
        }

        TraceEvent error = New(TraceEventKind.IcmpError, connection);
        error.IcmpType = message.IcmpType;
        error.IcmpCode = message.IcmpCode;
        error.Protocol = message.Protocol;
        _queue.Add(error);
    }
}
