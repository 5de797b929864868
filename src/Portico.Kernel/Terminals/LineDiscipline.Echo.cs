namespace Portico.Kernel;

// Echoes wait in a ring of their own until the terminal can take them. Besides bytes it has operations: where a tab ends, and so how much there is
// to erase, is known only when everything before it has gone out.
internal sealed partial class LineDiscipline
{
    private const byte EchoStart = 0xFF;
    private const byte EchoMoveBack = 0x80;
    private const byte EchoSetLineColumn = 0x81;
    private const byte EchoEraseTab = 0x82;
    private const byte EchoAfterTab = 0x80;

    /// <summary>Echoes go out once so many have been gathered, or at the end of what has come in.</summary>
    private const int EchoBlock = 256;

    /// <summary>Above this the oldest are thrown away: the next block could not be held.</summary>
    private const int EchoHeldMax = RingBytes - (EchoBlock + 32);

    private byte[]? _echoes;
    private uint _echoHead;
    private uint _echoTail;

    /// <summary>Up to here an echo is whole.</summary>
    private uint _echoMark;

    /// <summary>Up to here echoes are to go out.</summary>
    private uint _echoCommit;

    /// <summary>Where the cursor is.</summary>
    private int _column;

    /// <summary>Where it was when the line began.</summary>
    private int _lineColumn;

    private byte EchoAt(uint position) => _echoes![position & RingMask];

    private void AddEcho(byte value)
    {
        _echoes ??= new byte[RingBytes];
        _echoes[_echoHead++ & RingMask] = value;
    }

    private void EchoOperation(byte operation)
    {
        AddEcho(EchoStart);
        AddEcho(operation);
    }

    /// <summary>Echoes a byte as it is.</summary>
    private void EchoRaw(byte character)
    {
        AddEcho(character);
        if (character == EchoStart)
        {
            AddEcho(character);
        }
    }

    /// <summary>Echoes a byte, a control character as ^X where ECHOCTL says so.</summary>
    private void Echo(byte character)
    {
        if (character == EchoStart || (IsControl(character) && character != '\t' && Modes.Has(LocalModes.ECHOCTL)))
        {
            AddEcho(EchoStart);
        }

        AddEcho(character);
    }

    private void CommitEchoes()
    {
        uint due = _echoCommit - _echoTail;
        uint held = _echoHead - _echoTail;
        _echoMark = _echoHead;
        if (held >= EchoBlock && held % EchoBlock <= due % EchoBlock)
        {
            _echoCommit = _echoHead;
            SendEchoes();
        }
    }

    /// <summary>Sends what waits because the terminal was stopped or full.</summary>
    private void ProcessEchoes()
    {
        if (_echoMark != _echoTail)
        {
            _echoCommit = _echoMark;
            SendEchoes();
        }
    }

    private void ForgetEchoes() => _echoHead = _echoTail = _echoMark = _echoCommit = 0;

    private void FlushEchoes()
    {
        if (Modes.Has(LocalModes.ECHO | LocalModes.ECHONL) && _echoCommit != _echoHead)
        {
            _echoCommit = _echoHead;
            SendEchoes();
        }
    }

    private void SendEchoes()
    {
        int space = terminal.WriteRoom;
        bool isTreated = Modes.Has(OutputModes.OPOST);
        while (_echoCommit != _echoTail)
        {
            byte value = EchoAt(_echoTail);
            int sent = value == EchoStart ? SendEchoOperation(space)
                : isTreated ? Send(value, space)
                : SendAsItIs(value, space);
            if (sent < 0)
            {
                break;
            }

            _echoTail += value == EchoStart ? 0u : 1;
            space -= sent;
        }

        while (_echoCommit - _echoTail >= EchoHeldMax)
        {
            _echoTail += EchoAt(_echoTail) != EchoStart ? 1u : EchoAt(_echoTail + 1) == EchoEraseTab ? 3u : 2;
        }
    }

    /// <summary>Carries an operation out; returns the bytes that it took, -1 where there is no room for them.</summary>
    private int SendEchoOperation(int space)
    {
        byte operation = EchoAt(_echoTail + 1);
        switch (operation)
        {
            case EchoEraseTab:
                int columns = EchoAt(_echoTail + 2);
                columns += (columns & EchoAfterTab) == 0 ? _lineColumn : 0;
                int back = 8 - (columns & 7);
                if (back > space)
                {
                    return -1;
                }

                terminal.Send("\b\b\b\b\b\b\b\b"u8[..back]);
                _column = Math.Max(0, _column - back);
                _echoTail += 3;
                return back;
            case EchoSetLineColumn:
                _lineColumn = _column;
                _echoTail += 2;
                return 0;
            case EchoMoveBack:
                _column = Math.Max(0, _column - 1);
                _echoTail += 2;
                return 0;
            case EchoStart:
                if (space == 0)
                {
                    return -1;
                }

                terminal.Send([EchoStart]);
                _column++;
                _echoTail += 2;
                return 1;
            default:
                if (space < 2)
                {
                    return -1;
                }

                terminal.Send([(byte)'^', (byte)(operation ^ 0x40)]);
                _column += 2;
                _echoTail += 2;
                return 2;
        }
    }

    private int SendAsItIs(byte value, int space)
    {
        if (space == 0)
        {
            return -1;
        }

        terminal.Send([value]);
        return 1;
    }
}
