namespace Portico.Kernel;

// From programs to the line.
internal sealed partial class LineDiscipline
{
    private const int TabColumns = 8;

    /// <summary>Writes what there is room for; returns how much of it.</summary>
    public int Write(ReadOnlySpan<byte> data)
    {
        ProcessEchoes();
        int written = 0;
        if (!Modes.Has(OutputModes.OPOST))
        {
            while (written < data.Length && terminal.Send(data[written..]) is > 0 and int sent)
            {
                written += sent;
            }

            return written;
        }

        while (written < data.Length)
        {
            int plain = CountPlain(data.Slice(written, Math.Min(data.Length - written, terminal.WriteRoom)));
            if (plain > 0)
            {
                written += terminal.Send(data.Slice(written, plain));
                continue;
            }

            if (Send(data[written], terminal.WriteRoom) < 0)
            {
                break;
            }

            written++;
        }

        return written;
    }

    /// <summary>How many bytes at the front go out as they are; the column moves with them.</summary>
    private int CountPlain(ReadOnlySpan<byte> data)
    {
        int count = 0;
        while (count < data.Length && TryMove(data[count]))
        {
            count++;
        }

        return count;
    }

    /// <summary>Moves the column behind a byte that goes out as it is; false where something else is to become of the byte.</summary>
    private bool TryMove(byte character)
    {
        switch (character)
        {
            case (byte)'\n':
                _column = Modes.Has(OutputModes.ONLRET) ? 0 : _column;
                if (Modes.Has(OutputModes.ONLCR))
                {
                    return false;
                }

                _lineColumn = _column;
                return true;
            case (byte)'\r':
                if (Modes.Has(OutputModes.OCRNL) || (Modes.Has(OutputModes.ONOCR) && _column == 0))
                {
                    return false;
                }

                _lineColumn = _column = 0;
                return true;
            case (byte)'\t':
                return false;
            case (byte)'\b':
                _column = Math.Max(0, _column - 1);
                return true;
            default:
                if (IsControl(character))
                {
                    return true;
                }

                if (Modes.Has(OutputModes.OLCUC))
                {
                    return false;
                }

                _column += IsContinuation(character) ? 0 : 1;
                return true;
        }
    }

    /// <summary>Treats a byte and sends what becomes of it; returns how much that is, -1 where there is no room for it.</summary>
    private int Send(byte character, int space)
    {
        if (space == 0)
        {
            return -1;
        }

        if (TryMove(character))
        {
            terminal.Send([character]);
            return 1;
        }

        switch (character)
        {
            case (byte)'\n':
                if (space < 2)
                {
                    return -1;
                }

                _lineColumn = _column = 0;
                terminal.Send("\r\n"u8);
                return 2;
            case (byte)'\r':
                if (Modes.Has(OutputModes.ONOCR) && _column == 0)
                {
                    return 0;
                }

                if (Modes.Has(OutputModes.ONLRET))
                {
                    _lineColumn = _column = 0;
                }

                terminal.Send("\n"u8);
                return 1;
            case (byte)'\t':
                return SendTab(space);
            default:
                _column += IsContinuation(character) ? 0 : 1;
                terminal.Send([ToUpper(character)]);
                return 1;
        }
    }

    private int SendTab(int space)
    {
        int spaces = TabColumns - (_column & (TabColumns - 1));
        bool expands = (Modes.Output & OutputModes.XTABS) == OutputModes.XTABS;
        if (expands && space < spaces)
        {
            return -1;
        }

        _column += spaces;
        terminal.Send(expands ? "        "u8[..spaces] : "\t"u8);
        return expands ? spaces : 1;
    }
}
