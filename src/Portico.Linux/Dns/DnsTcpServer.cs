using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using Portico.Kernel;
using Portico.Net;
using SocketType = System.Net.Sockets.SocketType;

namespace Portico.Linux;

/// <summary>
/// The gateway's name server by TCP (RFC 7766), for answers that do not fit a datagram. Queries of one connection are answered one
/// after the other, each by a connection of the host to the first resolver that answers it.
/// </summary>
public sealed class DnsTcpServer(StackDriver driver, NetworkStack stack, DnsForwarder forwarder) : IDisposable
{
    private static readonly TimeSpan s_idleLimit = TimeSpan.FromSeconds(10);

    private readonly List<TcpListenerSocket> _listeners = [];
    private int _connections;

    /// <summary>The most connections at a time; one more is closed at once.</summary>
    public int ConnectionMax { get; init; } = 64;

    /// <summary>Begins to listen on port 53 of the gateway's addresses.</summary>
    public void Start(IReadOnlyList<IpAddress> addresses)
    {
        ArgumentNullException.ThrowIfNull(addresses);
        foreach (IpAddress address in addresses)
        {
            TcpListenRequest request = new() { Local = new Endpoint(address, 53), Backlog = 128 };
            if (TcpListenerSocket.Listen(driver, stack, request, out TcpListenerSocket? listener) == Errno.None)
            {
                _listeners.Add(listener!);
                _ = AcceptAsync(listener!);
            }
        }
    }

    private async Task AcceptAsync(TcpListenerSocket listener)
    {
        try
        {
            while (await listener.AcceptAsync().ConfigureAwait(false) is TcpSocket accepted)
            {
                if (Interlocked.Increment(ref _connections) <= ConnectionMax)
                {
                    _ = ServeAsync(accepted);
                    continue;
                }

                Interlocked.Decrement(ref _connections);
                Count(ProxyCounter.DnsLimitDrops);
                accepted.Dispose();
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or SocketException or OperationCanceledException)
        {
            // The run is over.
        }
    }

    private async Task ServeAsync(TcpSocket client)
    {
        try
        {
            using (client)
            {
                byte[] query = new byte[2 + ushort.MaxValue];
                byte[] answer = new byte[2 + ushort.MaxValue];
                while (await TryReadAsync((memory, token) => client.ReceiveAsync(memory, token), query, s_idleLimit).ConfigureAwait(false))
                {
                    int length = await AnswerAsync(query.AsMemory(2, LengthOf(query)), answer).ConfigureAwait(false);
                    if (length == 0)
                    {
                        return;
                    }

                    BinaryPrimitives.WriteUInt16BigEndian(answer, (ushort)length);
                    using CancellationTokenSource idle = new(s_idleLimit);
                    await client.SendAllAsync(answer.AsMemory(0, 2 + length), idle.Token).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The client is gone, or said nothing for too long.
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }

    /// <summary>Writes the answer to a query behind its length; 0 where the connection is to be closed.</summary>
    private async Task<int> AnswerAsync(Memory<byte> query, byte[] answer)
    {
        int own;
        bool isForOthers;
        using (driver.Enter())
        {
            own = forwarder.Examine(query.Span, isTcp: true, answer.AsSpan(2), out isForOthers);
        }

        if (!isForOthers)
        {
            return own;
        }

        for (int i = 0; i < forwarder.Resolvers.Count; i++)
        {
            bool isLast = i == forwarder.Resolvers.Count - 1;
            int length = await AskAsync(forwarder.Resolvers[i], query, answer).ConfigureAwait(false);
            if (length > 0 && (isLast || !DnsForwarder.IsExcuse(answer.AsSpan(2))))
            {
                return Finish(query.Span, answer, length);
            }

            Count(isLast ? ProxyCounter.DnsFailures : ProxyCounter.DnsFailovers);
        }

        using (driver.Enter())
        {
            return forwarder.WriteFailure(query.Span, answer.AsSpan(2));
        }
    }

    private int Finish(ReadOnlySpan<byte> query, byte[] answer, int length)
    {
        byte[] reply = new byte[query.Length + 64];
        using (driver.Enter())
        {
            int replaced = forwarder.Inspect(query, answer.AsSpan(2, length), reply);
            if (replaced > 0)
            {
                reply.AsSpan(0, replaced).CopyTo(answer.AsSpan(2));
            }
            else if (replaced == 0)
            {
                forwarder.Counters[ProxyCounter.DnsAnswers]++;
            }

            return replaced == 0 ? length : Math.Max(replaced, 0);
        }
    }

    /// <summary>Asks one resolver; 0 where it has no answer.</summary>
    private async Task<int> AskAsync(DnsResolver resolver, ReadOnlyMemory<byte> query, byte[] answer)
    {
        ushort id = DnsForwarder.NewId();
        byte[] message = new byte[2 + query.Length];
        BinaryPrimitives.WriteUInt16BigEndian(message, (ushort)query.Length);
        query.CopyTo(message.AsMemory(2));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), id);
        TimeSpan limit = TimeSpan.FromMilliseconds(forwarder.Timeout.Milliseconds);
        try
        {
            IPAddress address = resolver.Endpoint.Address.ToIPAddress();
            if (resolver.Scope != 0)
            {
                address.ScopeId = resolver.Scope;
            }

            using Socket socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
            using CancellationTokenSource cancel = new(limit);
            await socket.ConnectAsync(new IPEndPoint(address, resolver.Endpoint.Port), cancel.Token).ConfigureAwait(false);
            await socket.SendAsync(message, SocketFlags.None, cancel.Token).ConfigureAwait(false);
            if (!await TryReadAsync((memory, token) => socket.ReceiveAsync(memory, token), answer, limit).ConfigureAwait(false)
                || !forwarder.IsAnswer(answer.AsSpan(2, LengthOf(answer)), query.Span, id))
            {
                return 0;
            }

            query.Span[..2].CopyTo(answer.AsSpan(2));
            return LengthOf(answer);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or IOException)
        {
            return 0;
        }
    }

    /// <summary>Reads a message and its length before it; false where the other side has no more.</summary>
    private static async Task<bool> TryReadAsync(
        Func<Memory<byte>, CancellationToken, ValueTask<int>> receive, byte[] buffer, TimeSpan limit)
    {
        using CancellationTokenSource cancel = new(limit);
        int wanted = 2;
        for (int used = 0; used < wanted;)
        {
            int received = await receive(buffer.AsMemory(used, wanted - used), cancel.Token).ConfigureAwait(false);
            if (received == 0)
            {
                return false;
            }

            used += received;
            wanted = used >= 2 ? 2 + LengthOf(buffer) : 2;
        }

        return true;
    }

    private static int LengthOf(byte[] buffer) => BinaryPrimitives.ReadUInt16BigEndian(buffer);

    private void Count(ProxyCounter counter)
    {
        using (driver.Enter())
        {
            forwarder.Counters[counter]++;
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (TcpListenerSocket listener in _listeners)
        {
            listener.Dispose();
        }
    }
}
