using System.Globalization;
using System.Text;

namespace Portico.Interop.Tests.Tcp;

/// <summary>
/// A small HTTP/1.0 server on a Portico host: GET /LENGTH/SEED/OFFSET answers with LENGTH bytes of <see cref="Content"/>, or of
/// a body that was given, from OFFSET on.
/// </summary>
public sealed class HttpServer : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PorticoListener _listener;
    private readonly byte[]? _body;
    private readonly Task _accepting;
    private readonly TaskCompletionSource _gate = new();
    private readonly List<Task> _connections = [];
    private readonly int _answerOnceRequested;
    private int _requests;

    /// <summary>With <paramref name="answerOnceRequested"/> nobody is answered before so many have asked.</summary>
    public HttpServer(PorticoHost host, byte[]? body = null, int answerOnceRequested = 0, int port = 80)
    {
        _body = body;
        _answerOnceRequested = answerOnceRequested;
        _listener = host.Listen(port);
        _accepting = AcceptAsync();
    }

    /// <summary>Requests so far.</summary>
    public int Requests => Volatile.Read(ref _requests);

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                TcpStream stream = await _listener.AcceptAsync(_stop.Token);
                _connections.Add(Task.Run(() => ServeAsync(stream)));
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpStream stream)
    {
        await using TcpStream toDispose = stream;
        byte[] request = new byte[4096];
        int length = 0;
        while (request.AsSpan(0, length).IndexOf("\r\n\r\n"u8) < 0)
        {
            int count = await stream.ReadAsync(request.AsMemory(length), _stop.Token);
            if (count == 0)
            {
                return;
            }

            length += count;
        }

        string[] path = Encoding.ASCII.GetString(request, 0, length).Split(' ')[1].Split('/');
        int bodyLength = int.Parse(path[1], CultureInfo.InvariantCulture);
        ulong seed = ulong.Parse(path[2], CultureInfo.InvariantCulture);
        int offset = path.Length > 3 ? int.Parse(path[3], CultureInfo.InvariantCulture) : 0;
        if (Interlocked.Increment(ref _requests) == _answerOnceRequested)
        {
            _gate.SetResult();
        }

        if (_answerOnceRequested > 0)
        {
            await _gate.Task.WaitAsync(_stop.Token);
        }

        string header = $"HTTP/1.0 200 OK\r\nContent-Length: {bodyLength}\r\nConnection: close\r\n\r\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes(header), _stop.Token);
        if (_body != null)
        {
            await stream.WriteAsync(_body.AsMemory(offset, bodyLength), _stop.Token);
        }
        else
        {
            await stream.WriteAsync(Content.Bytes(seed, bodyLength), _stop.Token);
        }

        stream.CompleteWrites();
        while (await stream.ReadAsync(request, _stop.Token) != 0)
        {
        }
    }

    /// <summary>Waits for the connections that are being served, which must not have failed.</summary>
    public async Task FinishAsync()
    {
        foreach (Task connection in _connections.ToArray())
        {
            await connection.WaitAsync(TimeSpan.FromMinutes(2));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        _stop.Dispose();
    }
}
