using System.Buffers.Binary;
using System.Runtime.CompilerServices;

namespace Portico.Kernel;

#pragma warning disable CA1707, CA1069 // Names, values and meanings are those of termios(3).

/// <summary>c_iflag: what happens to bytes that come in.</summary>
[Flags]
internal enum InputModes : uint
{
    PARMRK = 0x8,
    ISTRIP = 0x20,
    INLCR = 0x40,
    IGNCR = 0x80,
    ICRNL = 0x100,
    IUCLC = 0x200,
    IXON = 0x400,
    IXANY = 0x800,
    IUTF8 = 0x4000,
}

/// <summary>c_oflag: what happens to bytes that go out.</summary>
[Flags]
internal enum OutputModes : uint
{
    OPOST = 0x1,
    OLCUC = 0x2,
    ONLCR = 0x4,
    OCRNL = 0x8,
    ONOCR = 0x10,
    ONLRET = 0x20,
    XTABS = 0x1800,
}

/// <summary>c_cflag: of the line itself, which a pseudo-terminal does not have; only the speeds are kept.</summary>
[Flags]
internal enum ControlModes : uint
{
    B38400 = 0xF,
    BOTHER = 0x1000,
    CBAUD = 0x100F,
    CBAUDEX = 0x1000,
    CSIZE = 0x30,
    CS8 = 0x30,
    CREAD = 0x80,
    PARENB = 0x100,
    ADDRB = 0x2000_0000,
}

/// <summary>c_lflag: lines, echo and signals.</summary>
[Flags]
internal enum LocalModes : uint
{
    ISIG = 0x1,
    ICANON = 0x2,
    ECHO = 0x8,
    ECHOE = 0x10,
    ECHOK = 0x20,
    ECHONL = 0x40,
    NOFLSH = 0x80,
    TOSTOP = 0x100,
    ECHOCTL = 0x200,
    ECHOPRT = 0x400,
    ECHOKE = 0x800,
    IEXTEN = 0x8000,
    EXTPROC = 0x1_0000,
}

/// <summary>Places in c_cc.</summary>
internal enum ControlCharacter
{
    VINTR = 0,
    VQUIT = 1,
    VERASE = 2,
    VKILL = 3,
    VEOF = 4,
    VTIME = 5,
    VMIN = 6,
    VSTART = 8,
    VSTOP = 9,
    VSUSP = 10,
    VEOL = 11,
    VREPRINT = 12,
    VWERASE = 14,
    VLNEXT = 15,
    VEOL2 = 16,
}

#pragma warning restore CA1707, CA1069

/// <summary>The modes of a terminal (struct ktermios).</summary>
internal struct Termios
{
    /// <summary>Bytes of struct termios, which TCGETS has.</summary>
    public const int Bytes = 36;

    /// <summary>Bytes of struct termios2, which TCGETS2 has: with the speeds as numbers.</summary>
    public const int Bytes2 = 44;

    /// <summary>Bytes of struct termio, which TCGETA has: the lower halves of the modes, and the first eight characters.</summary>
    public const int BytesOld = 18;

    private const int CharactersOffset = 17;
    private const int CharactersOfOld = 8;
    private const int InputSpeedShift = 16;

    [InlineArray(Count)]
    public struct CharacterTable
    {
        public const int Count = 19;
        private byte _first;
    }

    public InputModes Input;
    public OutputModes Output;
    public ControlModes Control;
    public LocalModes Local;
    public byte Line;
    public CharacterTable Characters;
    public uint InputSpeed;
    public uint OutputSpeed;

    public readonly byte this[ControlCharacter which] => Characters[(int)which];

    /// <summary>How a terminal begins: lines with echo and signals.</summary>
    public static Termios Standard
    {
        get
        {
            Termios modes = Raw;
            modes.Input = InputModes.ICRNL | InputModes.IXON;
            modes.Output = OutputModes.OPOST | OutputModes.ONLCR;
            modes.Local = LocalModes.ISIG | LocalModes.ICANON | LocalModes.ECHO | LocalModes.ECHOE | LocalModes.ECHOK
                | LocalModes.ECHOCTL | LocalModes.ECHOKE | LocalModes.IEXTEN;
            return modes;
        }
    }

    /// <summary>How a master is: everything goes through as it is.</summary>
    public static Termios Raw
    {
        get
        {
            Termios modes = new()
            {
                Control = ControlModes.B38400 | ControlModes.CS8 | ControlModes.CREAD,
                InputSpeed = 38_400,
                OutputSpeed = 38_400,
            };
            ReadOnlySpan<byte> characters = [3, 0x1C, 0x7F, 0x15, 4, 0, 1, 0, 0x11, 0x13, 0x1A, 0, 0x12, 0xF, 0x17, 0x16, 0];
            characters.CopyTo(modes.Characters);
            return modes;
        }
    }

    public readonly bool Has(InputModes mode) => (Input & mode) != 0;

    public readonly bool Has(OutputModes mode) => (Output & mode) != 0;

    public readonly bool Has(LocalModes mode) => (Local & mode) != 0;

    /// <summary>Writes it as struct termios, or where there is room as struct termios2.</summary>
    public readonly void Write(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(to, (uint)Input);
        BinaryPrimitives.WriteUInt32LittleEndian(to[4..], (uint)Output);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], (uint)Control);
        BinaryPrimitives.WriteUInt32LittleEndian(to[12..], (uint)Local);
        to[16] = Line;
        ((ReadOnlySpan<byte>)Characters).CopyTo(to[CharactersOffset..]);
        if (to.Length >= Bytes2)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(to[Bytes..], InputSpeed);
            BinaryPrimitives.WriteUInt32LittleEndian(to[(Bytes + 4)..], OutputSpeed);
        }
    }

    /// <summary>Reads struct termios, or where it is long enough struct termios2.</summary>
    public void Read(ReadOnlySpan<byte> from)
    {
        Input = (InputModes)BinaryPrimitives.ReadUInt32LittleEndian(from);
        Output = (OutputModes)BinaryPrimitives.ReadUInt32LittleEndian(from[4..]);
        Control = (ControlModes)BinaryPrimitives.ReadUInt32LittleEndian(from[8..]);
        Local = (LocalModes)BinaryPrimitives.ReadUInt32LittleEndian(from[12..]);
        Line = from[16];
        from.Slice(CharactersOffset, CharacterTable.Count).CopyTo(Characters);
        if (from.Length >= Bytes2)
        {
            InputSpeed = BinaryPrimitives.ReadUInt32LittleEndian(from[Bytes..]);
            OutputSpeed = BinaryPrimitives.ReadUInt32LittleEndian(from[(Bytes + 4)..]);
        }
    }

    /// <summary>Writes it as struct termio.</summary>
    public readonly void WriteOld(Span<byte> to)
    {
        BinaryPrimitives.WriteUInt16LittleEndian(to, (ushort)Input);
        BinaryPrimitives.WriteUInt16LittleEndian(to[2..], (ushort)Output);
        BinaryPrimitives.WriteUInt16LittleEndian(to[4..], (ushort)Control);
        BinaryPrimitives.WriteUInt16LittleEndian(to[6..], (ushort)Local);
        to[8] = Line;
        ((ReadOnlySpan<byte>)Characters)[..CharactersOfOld].CopyTo(to[9..]);
        to[BytesOld - 1] = 0;
    }

    /// <summary>Reads struct termio; what it does not have stays as it is.</summary>
    public void ReadOld(ReadOnlySpan<byte> from)
    {
        const uint Upper = 0xFFFF_0000;
        Input = (InputModes)(((uint)Input & Upper) | BinaryPrimitives.ReadUInt16LittleEndian(from));
        Output = (OutputModes)(((uint)Output & Upper) | BinaryPrimitives.ReadUInt16LittleEndian(from[2..]));
        Control = (ControlModes)(((uint)Control & Upper) | BinaryPrimitives.ReadUInt16LittleEndian(from[4..]));
        Local = (LocalModes)(((uint)Local & Upper) | BinaryPrimitives.ReadUInt16LittleEndian(from[6..]));
        Line = from[8];
        from.Slice(9, CharactersOfOld).CopyTo(Characters);
    }

    /// <summary>Makes the speeds what c_cflag says, unless that leaves them to the numbers (BOTHER).</summary>
    public void SettleSpeeds()
    {
        uint input = ((uint)Control >> InputSpeedShift) & (uint)ControlModes.CBAUD;
        uint inputBefore = InputSpeed;
        OutputSpeed = SpeedOf((uint)(Control & ControlModes.CBAUD), OutputSpeed);
        InputSpeed = input == 0 ? OutputSpeed : SpeedOf(input, inputBefore);
    }

    private static uint SpeedOf(uint code, uint other)
    {
        ReadOnlySpan<uint> speeds =
        [
            0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 500_000,
            576_000, 921_600, 1_000_000, 1_152_000, 1_500_000, 2_000_000, 2_500_000, 3_000_000, 3_500_000, 4_000_000,
        ];
        if (code == (uint)ControlModes.BOTHER)
        {
            return other;
        }

        const int LastOfOld = 15;
        int index = (int)(code & ~(uint)ControlModes.CBAUDEX) + ((code & (uint)ControlModes.CBAUDEX) != 0 ? LastOfOld : 0);
        return index < speeds.Length ? speeds[index] : 0;
    }
}
