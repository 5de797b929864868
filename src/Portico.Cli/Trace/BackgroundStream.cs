using System.Collections.Concurrent;

namespace Portico.Cli;

/// <summary>
/// Writes to another stream on a thread of its own, so that a pipe whose reader is slow does not hold up the stack. What the reader
/// leaves is kept, up to a bound; then writing fails.
/// </summary>
internal sealed class BackgroundStream : Stream
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(2);

    private readonly Stream _inner;
    private readonly BlockingCollection<byte[]> _waiting = [];
    private readonly Thread _thread;
    private long _waitingBytes;
    private volatile Exception? _failure;

    public BackgroundStream(Stream inner)
    {
        _inner = inner;
        _thread = new Thread(Run) { IsBackground = true, Name = "pcap" };
        _thread.Start();
    }

    /// <summary>The most bytes that wait for the reader.</summary>
    public long WaitingBytesMax { get; init; } = 64 * 1024 * 1024;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    private void Run()
    {
        try
        {
            foreach (byte[] bytes in _waiting.GetConsumingEnumerable())
            {
                _inner.Write(bytes);
                Interlocked.Add(ref _waitingBytes, -bytes.Length);
            }

            _inner.Dispose();
        }
        catch (IOException e)
        {
            _failure = e;
        }
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        if (_failure != null)
        {
            throw new IOException(_failure.Message);
        }

        if (Interlocked.Add(ref _waitingBytes, buffer.Length) > WaitingBytesMax)
        {
            throw new IOException("its reader does not keep up");
        }

        _waiting.Add(buffer.ToArray());
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Flush()
    {
        // The other thread writes as soon as it can.
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _waiting.CompleteAdding();
        if (_thread.Join(s_patience))
        {
            _waiting.Dispose();
        }

        base.Dispose(disposing);
    }
}
