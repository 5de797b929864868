using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.OpenFlags;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

/// <summary>Modes of a terminal, as a case changes them.</summary>
internal struct TerminalModes
{
    public uint Input;
    public uint Output;
    public uint Control;
    public uint Local;
    public byte[] Characters;
}

// Pseudo-terminals. Their numbers are never written down: Linux gives a number back only a while after the last close.
internal sealed unsafe partial class Kit
{
    private const int BytesOfModes = 36;

    private (long Master, long Slave) _ends = (-1, -1);

    /// <summary>A master and its slave, both non-blocking; nothing is written down.</summary>
    public (long Master, long Slave) Terminal(Action<Kit, long>? prepare = null, OpenFlags flags = O_RDWR | O_NONBLOCK)
    {
        long master = RawOpen("/dev/ptmx", flags | O_NOCTTY);
        int zero = 0;
        Raw(ioctl, master, (long)IoctlRequest.TIOCSPTLCK, (long)(&zero));
        long slave = RawOpen(SlaveOf(master), flags | O_NOCTTY);
        if (master < 0 || slave < 0)
        {
            Note($"no terminal: {Show(master)} {Show(slave)}");
        }

        prepare?.Invoke(this, slave);
        _ends = (master, slave);
        return (master, slave);
    }

    public string SlaveOf(long master)
    {
        int number = -1;
        Raw(ioctl, master, (long)IoctlRequest.TIOCGPTN, (long)(&number));
        return $"/dev/pts/{number}";
    }

    /// <summary>Changes modes; nothing is written down.</summary>
    public void Change(long fd, Func<TerminalModes, TerminalModes> change, IoctlRequest how = IoctlRequest.TCSETS)
    {
        byte* bytes = stackalloc byte[64];
        Raw(ioctl, fd, (long)IoctlRequest.TCGETS, (long)bytes);
        Span<byte> span = new(bytes, BytesOfModes);
        TerminalModes modes = new()
        {
            Input = BinaryPrimitives.ReadUInt32LittleEndian(span),
            Output = BinaryPrimitives.ReadUInt32LittleEndian(span[4..]),
            Control = BinaryPrimitives.ReadUInt32LittleEndian(span[8..]),
            Local = BinaryPrimitives.ReadUInt32LittleEndian(span[12..]),
            Characters = span[17..].ToArray(),
        };
        modes = change(modes);
        BinaryPrimitives.WriteUInt32LittleEndian(span, modes.Input);
        BinaryPrimitives.WriteUInt32LittleEndian(span[4..], modes.Output);
        BinaryPrimitives.WriteUInt32LittleEndian(span[8..], modes.Control);
        BinaryPrimitives.WriteUInt32LittleEndian(span[12..], modes.Local);
        modes.Characters.CopyTo(span[17..]);
        long result = Raw(ioctl, fd, (long)how, (long)bytes);
        if (result != 0)
        {
            Write($"{how}", result);
        }
    }

    /// <summary>The bytes of a structure that an ioctl returns.</summary>
    public void IoctlBytes(long fd, IoctlRequest request, int size)
    {
        byte* bytes = stackalloc byte[size + 16];
        new Span<byte>(bytes, size + 16).Fill(0xEE);
        long result = Raw(ioctl, fd, (long)request, (long)bytes);
        Write($"ioctl {(uint)request:X}", result, new ReadOnlySpan<byte>(bytes, result < 0 ? 0 : size + 1));
    }

    public long IoctlFrom(long fd, IoctlRequest request, ReadOnlySpan<byte> argument)
    {
        byte* bytes = stackalloc byte[64];
        argument.CopyTo(new Span<byte>(bytes, 64));
        long result = Raw(ioctl, fd, (long)request, (long)bytes);
        Write($"ioctl {(uint)request:X} of {argument.Length}", result);
        return result;
    }

    /// <summary>An ioctl whose argument is a number.</summary>
    public long IoctlValue(long fd, IoctlRequest request, long value)
    {
        long result = Raw(ioctl, fd, (long)request, value);
        Write($"ioctl {(uint)request:X} {value}", result);
        return result;
    }

    /// <summary>Types at the master: Latin-1, with ^A for control characters.</summary>
    public void Type(long master, string keys)
    {
        WriteBytes(master, Keys(keys));
        Deliver();
    }

    public static byte[] Keys(string keys)
    {
        List<byte> bytes = [];
        for (int i = 0; i < keys.Length; i++)
        {
            bool isControl = keys[i] == '^' && i + 1 < keys.Length;
            bytes.Add(isControl ? (byte)(keys[++i] ^ 0x40) : (byte)keys[i]);
        }

        return [.. bytes];
    }

    /// <summary>Linux hands the bytes of a terminal on by a thread of its own, which a poll of an end that has nothing to read waits for.</summary>
    public void Deliver()
    {
        if (system is LinuxSystem)
        {
            Thread.Sleep(1);
            PollDescriptor* ends = stackalloc PollDescriptor[2]
            {
                new PollDescriptor { Fd = (int)_ends.Slave, Events = (short)SocketEvents.Readable },
                new PollDescriptor { Fd = (int)_ends.Master, Events = (short)SocketEvents.Readable },
            };
            Raw(poll, (long)ends, 2, 0);
            Raw(poll, (long)ends, 2, 1);
        }
    }

    /// <summary>What both ends can read, and what poll says of them.</summary>
    public void Ends(long master, long slave, int count = 1000)
    {
        Poll(0, (slave, (SocketEvents)0x7FFF));
        Poll(0, (master, (SocketEvents)0x7FFF));
        IoctlInt(slave, IoctlRequest.FIONREAD);
        ReadText("slave", slave, count);
        ReadText("master", master, count);
    }

    /// <summary>Reads until nothing comes any more, each read on a line of its own.</summary>
    public void ReadText(string name, long fd, int count = 1000)
    {
        byte[] buffer = new byte[count];
        for (int i = 0; i < 20; i++)
        {
            fixed (byte* p = buffer)
            {
                long result = Raw(read, fd, (long)p, count);
                Note($"{name} reads {Show(result)} {Visible(buffer.AsSpan(0, (int)Math.Max(0, result)))}");
                if (result < 0 || (result == 0 && i > 4))
                {
                    return;
                }
            }
        }
    }

    public static string Visible(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > 300)
        {
            return Hash(bytes);
        }

        StringBuilder text = new();
        foreach (byte value in bytes)
        {
            if (value is >= 0x20 and < 0x7F and not (byte)'\\')
            {
                text.Append((char)value);
            }
            else
            {
                text.Append(CultureInfo.InvariantCulture, $"\\{value:x2}");
            }
        }

        return text.ToString();
    }
}
