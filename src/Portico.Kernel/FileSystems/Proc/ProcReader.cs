namespace Portico.Kernel;

/// <summary>
/// What one description of a file of /proc reads: records of text that are made as they are asked for, as Linux's seq_file does. A read
/// returns whole records as long as they fit in a page, so that a long table is not made at once, and not under one hold of the lock.
/// </summary>
internal abstract class ProcReader
{
    private readonly ProcText _text = new();
    private int _page = PageTree.PageBytes;
    private int _from;

    /// <summary>Up to where the records have been made that this page has room for; behind may be one that has to wait.</summary>
    private int _limit;
    private bool _isAtEnd;

    /// <summary>Where the next byte is in the file.</summary>
    private long _position;

    /// <summary>Begins again with the first record.</summary>
    protected abstract void Restart();

    /// <summary>Makes the next record, which may be empty; false where there is none.</summary>
    protected abstract bool WriteRecord(ProcText text);

    public long Read(long offset, ref IoCursor destination)
    {
        if (offset != _position)
        {
            GoTo(offset);
        }

        long copied = Copy(ref destination);
        if (destination.Remaining > 0)
        {
            Fill(destination.Remaining);
            copied += Copy(ref destination);
        }

        return copied;
    }

    /// <summary>The description is gone.</summary>
    public void Free() => _text.Free();

    private long Copy(ref IoCursor destination)
    {
        int count = destination.Write(_text.Bytes[_from.._limit]);
        _from += count;
        _position += count;
        return count;
    }

    private void Fill(long wanted)
    {
        _text.RemoveFirst(_limit);
        _from = 0;
        while (_text.Length == 0 && !_isAtEnd)
        {
            _isAtEnd = !WriteRecord(_text);
        }

        _limit = _text.Length;
        while (_page <= _limit)
        {
            _page *= 2;
        }

        while (!_isAtEnd && _limit < wanted)
        {
            _isAtEnd = !WriteRecord(_text);
            if (_text.Length >= _page)
            {
                break;
            }

            _limit = _text.Length;
        }
    }

    private void GoTo(long offset)
    {
        Restart();
        _text.RemoveFirst(_text.Length);
        _from = _limit = 0;
        _isAtEnd = false;
        _position = 0;
        while (_position < offset && !(_isAtEnd && _text.Length == 0))
        {
            Fill(1);
            _from = (int)Math.Min(_limit, offset - _position);
            _position += _from;
        }

        _position = offset;
    }
}

/// <summary>A text that is one record.</summary>
internal sealed class ProcTextReader(Action<ProcText> write) : ProcReader
{
    private bool _isWritten;

    protected override void Restart() => _isWritten = false;

    protected override bool WriteRecord(ProcText text)
    {
        if (!_isWritten)
        {
            write(text);
        }

        bool wasWritten = _isWritten;
        _isWritten = true;
        return !wasWritten;
    }
}
