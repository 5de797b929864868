namespace Portico.Kernel;

/// <summary>
/// What stands between a terminal and its programs (N_TTY; termios(3)): it makes lines of what comes in, lets them be edited, echoes, tells
/// control characters from data, and treats what goes out. It holds at most 4,095 bytes that nobody has read; each file of this class has one
/// direction of the bytes.
/// </summary>
/// <remarks>Positions only ever rise; where a byte stands in the ring is its position modulo the ring's size.</remarks>
internal sealed partial class LineDiscipline(Terminal terminal)
{
    private const int RingBytes = 4096;
    private const int RingMask = RingBytes - 1;

    /// <summary>In the ring in place of VEOF, and what switches a control character off.</summary>
    private const byte Disabled = 0;

    private readonly byte[] _ring = new byte[RingBytes];

    // Which bytes end a line. A master, whose bytes go through as they are, never has any.
    private ulong[]? _lineEnds;
    private uint _head;
    private uint _tail;

    /// <summary>Up to here bytes can be read as lines.</summary>
    private uint _lineHead;

    /// <summary>Up to here bytes can be read where there are no lines.</summary>
    private uint _commitHead;

    // The modes as they are asked for each byte.
    private readonly ulong[] _special = new ulong[4];
    private bool _isCanonical;
    private bool _isRaw = true;

    private bool _nextIsLiteral;
    private bool _isErasing;

    private ref Termios Modes => ref terminal.Modes;

    private bool ReadsLines => _isCanonical && !Modes.Has(LocalModes.EXTPROC);

    private int Held => (int)(_head - _tail);

    /// <summary>What FIONREAD says: bytes that can be read, those that stand for an end of file left out.</summary>
    public int Readable
    {
        get
        {
            if (!ReadsLines)
            {
                return Held;
            }

            int count = (int)(_lineHead - _tail);
            for (uint at = _tail; at != _lineHead; at++)
            {
                count -= IsLineEnd(at) && At(at) == Disabled ? 1 : 0;
            }

            return count;
        }
    }

    /// <summary>Whether a read finds something; to poll as much is needed as VMIN says, where there is no VTIME.</summary>
    public bool IsReadable(bool isPoll)
    {
        byte least = Modes[ControlCharacter.VMIN];
        int needed = isPoll && Modes[ControlCharacter.VTIME] == 0 && least > 0 ? least : 1;
        return ReadsLines ? _lineHead != _tail : (int)(_commitHead - _tail) >= needed;
    }

    /// <summary>Forgets what has come in and nobody has read.</summary>
    public void Flush()
    {
        _head = _tail = _lineHead = _commitHead = 0;
        _isErasing = false;
        _lineEnds?.AsSpan().Clear();
    }

    /// <summary>The modes have been set: what is held becomes readable in the new way.</summary>
    public void OnModesChanged(in Termios before)
    {
        if (((before.Local ^ Modes.Local) & (LocalModes.ICANON | LocalModes.EXTPROC)) != 0)
        {
            _lineEnds?.AsSpan().Clear();
            if (!Modes.Has(LocalModes.ICANON) || Held == 0)
            {
                _lineHead = _tail;
            }
            else
            {
                // What came in without lines is one line now.
                MarkLineEnd(_head - 1);
                _lineHead = _head;
            }

            _commitHead = _head;
            _isErasing = _nextIsLiteral = false;
        }

        FindSpecial();
        if (!Modes.Has(InputModes.IXON) && before.Has(InputModes.IXON))
        {
            terminal.Start();
            ProcessEchoes();
        }
    }

    /// <summary>Which characters are not just data in these modes.</summary>
    public void FindSpecial()
    {
        const InputModes Converting = InputModes.ISTRIP | InputModes.IUCLC | InputModes.IGNCR | InputModes.ICRNL | InputModes.INLCR
            | InputModes.IXON | InputModes.PARMRK;
        _isCanonical = Modes.Has(LocalModes.ICANON);
        _isRaw = !Modes.Has(Converting) && !Modes.Has(LocalModes.ICANON | LocalModes.ISIG | LocalModes.ECHO);
        _special.AsSpan().Clear();
        if (Modes.Has(InputModes.IGNCR | InputModes.ICRNL))
        {
            MarkSpecial((byte)'\r');
        }

        if (Modes.Has(InputModes.INLCR) || _isCanonical)
        {
            MarkSpecial((byte)'\n');
        }

        if (_isCanonical)
        {
            MarkSpecial(Modes[ControlCharacter.VERASE], Modes[ControlCharacter.VKILL], Modes[ControlCharacter.VEOF], Modes[ControlCharacter.VEOL]);
            if (Modes.Has(LocalModes.IEXTEN))
            {
                MarkSpecial(Modes[ControlCharacter.VWERASE], Modes[ControlCharacter.VLNEXT], Modes[ControlCharacter.VEOL2]);
                if (Modes.Has(LocalModes.ECHO))
                {
                    MarkSpecial(Modes[ControlCharacter.VREPRINT]);
                }
            }
        }

        if (Modes.Has(InputModes.IXON))
        {
            MarkSpecial(Modes[ControlCharacter.VSTART], Modes[ControlCharacter.VSTOP]);
        }

        if (Modes.Has(LocalModes.ISIG))
        {
            MarkSpecial(Modes[ControlCharacter.VINTR], Modes[ControlCharacter.VQUIT], Modes[ControlCharacter.VSUSP]);
        }

        _special[0] &= ~(1UL << Disabled);
    }

    private void MarkSpecial(params ReadOnlySpan<byte> characters)
    {
        foreach (byte character in characters)
        {
            _special[character >> 6] |= 1UL << (character & 63);
        }
    }

    private bool IsSpecial(byte character) => (_special[character >> 6] & (1UL << (character & 63))) != 0;

    private ref byte At(uint position) => ref _ring[position & RingMask];

    private void Put(byte character) => At(_head++) = character;

    private bool IsLineEnd(uint position) =>
        _lineEnds != null && (_lineEnds[(position & RingMask) >> 6] & (1UL << (int)(position & 63))) != 0;

    private void MarkLineEnd(uint position)
    {
        _lineEnds ??= new ulong[RingBytes / 64];
        _lineEnds[(position & RingMask) >> 6] |= 1UL << (int)(position & 63);
    }

    private void UnmarkLineEnd(uint position) => _lineEnds![(position & RingMask) >> 6] &= ~(1UL << (int)(position & 63));

    // Linux's own idea of characters, which is Latin-1.
    private static bool IsControl(byte character) => character is < 0x20 or 0x7F;

    private static bool IsLower(byte character) => character is (>= (byte)'a' and <= (byte)'z') or (>= 0xDF and not 0xF7);

    private static bool IsUpper(byte character) => character is (>= (byte)'A' and <= (byte)'Z') or (>= 0xC0 and < 0xDF and not 0xD7);

    private static bool IsOfWord(byte character) => char.IsAsciiDigit((char)character) || character == '_' || IsLower(character) || IsUpper(character);

    private static byte ToLower(byte character) => IsUpper(character) ? (byte)(character + 0x20) : character;

    private static byte ToUpper(byte character) => IsLower(character) ? (byte)(character - 0x20) : character;

    /// <summary>Whether it only goes on with a character of several bytes (IUTF8).</summary>
    private bool IsContinuation(byte character) => (character & 0xC0) == 0x80 && Modes.Has(InputModes.IUTF8);
}
