using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Portico.Cli;

/// <summary>
/// Writes the events of a queue to a stream, on a thread of its own: who reads the stream slowly, or not at all, holds up neither the stack
/// nor the command. It looks for events by itself, so that adding one costs no wake-up.
/// </summary>
internal sealed class TraceWriter : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(20);

    /// <summary>How long the end waits for a reader of the stream.</summary>
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly TraceQueue _queue;
    private readonly Stream _stream;
    private readonly bool _json;
    private readonly ManualResetEventSlim _ended = new();
    private readonly Thread _thread;
    private readonly StringBuilder _text = new();
    private readonly ArrayBufferWriter<byte> _bytes = new();
    private long _toldLost;

    /// <summary>Begins to write to <paramref name="stream"/>, which it closes at the end: lines of text, or of JSON.</summary>
    public TraceWriter(TraceQueue queue, Stream stream, bool json)
    {
        _queue = queue;
        _stream = stream;
        _json = json;
        _thread = new Thread(Run) { IsBackground = true, Name = "trace" };
        _thread.Start();
    }

    /// <summary>What the stream threw, after which nothing more is written.</summary>
    public Exception? Failure { get; private set; }

    private void Run()
    {
        bool isLast;
        do
        {
            isLast = _ended.Wait(s_interval);
            WriteAll();
        }
        while (!isLast);
    }

    private void WriteAll()
    {
        const int BatchBytes = 64 * 1024;
        while (_queue.TryTake(out TraceEvent taken))
        {
            Format(taken);
            if (_bytes.WrittenCount >= BatchBytes)
            {
                Flush();
            }
        }

        long lost = _queue.Lost;
        if (lost > _toldLost)
        {
            Format(new TraceEvent { Kind = TraceEventKind.Lost, Count = lost - _toldLost });
            _toldLost = lost;
        }

        Flush();
    }

    private void Format(in TraceEvent e)
    {
        if (_json)
        {
            using (Utf8JsonWriter json = new(_bytes))
            {
                TraceJson.Write(json, e);
            }

            _bytes.Write("\n"u8);
            return;
        }

        _text.Clear();
        TraceText.Append(_text, e);
        foreach (ReadOnlyMemory<char> chunk in _text.GetChunks())
        {
            Encoding.UTF8.GetBytes(chunk.Span, _bytes);
        }
    }

    private void Flush()
    {
        if (_bytes.WrittenCount > 0 && Failure == null)
        {
            try
            {
                _stream.Write(_bytes.WrittenSpan);
                _stream.Flush();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                Failure = e;
            }
        }

        _bytes.ResetWrittenCount();
    }

    /// <summary>Writes what is left, as long as somebody takes it.</summary>
    public void Dispose()
    {
        _ended.Set();
        if (_thread.Join(s_patience))
        {
            _stream.Dispose();
            _ended.Dispose();
        }
    }
}
