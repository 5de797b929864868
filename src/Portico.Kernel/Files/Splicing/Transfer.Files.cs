using System.Buffers;
using Portico.Net;

namespace Portico.Kernel;

// From a file with positions to what is no pipe, in pieces. What the target does not take stays unread in the source.
internal partial struct Transfer
{
    private Errno FromFileToFile()
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        Errno error = Errno.None;
        bool isEnd = false;
        while (_left > 0 && error == Errno.None && !isEnd)
        {
            error = Move(buffer, out isEnd);
        }

        ArrayPool<byte>.Shared.Return(buffer);
        return error;
    }

    private Errno Move(byte[] buffer, out bool isEnd)
    {
        isEnd = false;
        if (!source.File.CanSpliceFrom)
        {
            return Errno.EINVAL;
        }

        // A file is read by its pages, so that the first piece may be short.
        int beforePage = source.File.IsPaged ? (int)(_sourcePosition & (Pipe.PageBytes - 1)) : 0;
        int most = (int)Math.Min(_left, (ulong)(ChunkBytes - beforePage));
        long position = _sourcePosition;
        Errno error = Read(ref position, buffer.AsSpan(0, most), out int length);
        isEnd = length == 0;
        if (error != Errno.None || isEnd)
        {
            return error;
        }

        if (!target.File.CanSpliceTo)
        {
            return Errno.EINVAL;
        }

        bool more = (ulong)length < _left && !(source.File is Inode file && position >= file.Size);
        error = Write(buffer.AsSpan(0, length), more, out int written);
        _sourcePosition = written == length ? position : _sourcePosition + written;
        return error;
    }
}
