using System.Globalization;
using System.Text;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>
/// A file under /proc/sys. A read gives all of it at position 0 and nothing behind; a write at another position is taken and changes
/// nothing (kernel.sysctl_writes_strict).
/// </summary>
internal abstract class SysctlFile(ProcFileSystem proc, bool isWritable)
    : Inode(proc, isWritable ? ProcFileSystem.WritableByOwner : ProcFileSystem.ReadableByAll, userId: 0, groupId: 0)
{
    /// <summary>The most of a write that is looked at: a page without its 0.</summary>
    private protected const int WriteBytesMax = PageTree.PageBytes - 1;

    internal override FileType Type => FileType.Regular;

    internal override bool IsSeekable => true;

    internal override bool IsPollable => true;

    internal override bool CanSpliceFrom => true;

    internal override bool CanSpliceTo => true;

    /// <summary>Whether it is a word, which can be read from any position.</summary>
    private protected virtual bool IsWord => false;

    private protected abstract string Show(Process caller);

    /// <summary>Takes what was written; <paramref name="taken"/> is how much of it the call says it took.</summary>
    private protected abstract Errno Change(Process caller, ReadOnlySpan<byte> text, ref long taken);

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        Errno error = ReadAt(description, description.Offset, ref destination, out count);
        description.Offset += count;
        return error;
    }

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        byte[] text = Encoding.ASCII.GetBytes(Show(Kernel.Caller!));
        count = offset == 0 || (IsWord && offset < text.Length) ? destination.Write(text.AsSpan((int)offset)) : 0;
        count = destination.HasFaulted ? 0 : count;
        return destination.HasFaulted ? Errno.EFAULT : Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count)
    {
        Errno error = WriteAt(description, description.Offset, ref source, out count);
        description.Offset += count;
        return error;
    }

    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        long length = source.Remaining;
        count = length;
        if (source.Lacks(length))
        {
            count = 0;
            return Errno.EFAULT;
        }

        if (length == 0 || (offset != 0 && !IsWord))
        {
            return Errno.None;
        }

        // Elsewhere than at the beginning there is no word.
        Span<byte> text = stackalloc byte[WriteBytesMax];
        text = offset == 0 ? text[..source.Read(text)] : default;
        Errno error = Change(Kernel.Caller!, text, ref count);
        count = error == Errno.None ? count : 0;
        return error;
    }

    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = whence == SeekWhence.SEEK_CUR ? description.Offset + offset : offset;
        if (whence > SeekWhence.SEEK_END || position < 0)
        {
            return Errno.EINVAL;
        }

        description.Offset = position;
        return Errno.None;
    }

    /// <summary>O_TRUNC changes nothing.</summary>
    public override Errno Truncate(long size) => Errno.None;
}

/// <summary>A setting of numbers, in any base that C knows.</summary>
internal sealed class SysctlNumbers(ProcFileSystem proc, Sysctl setting) : SysctlFile(proc, setting.Set != null)
{
    private const int NumberBytesMax = 21;

    private protected override string Show(Process caller)
    {
        Span<long> values = stackalloc long[setting.Count];
        setting.Get(caller, values);
        StringBuilder text = new();
        foreach (long value in values)
        {
            text.Append(text.Length == 0 ? "" : "\t").Append(setting.IsUnsignedLong ? ((ulong)value).ToString(CultureInfo.InvariantCulture) : value.ToString(CultureInfo.InvariantCulture));
        }

        return text.Append('\n').ToString();
    }

    /// <summary>The numbers before a wrong one are set all the same, and those that are not given stay (__do_proc_dointvec).</summary>
    private protected override Errno Change(Process caller, ReadOnlySpan<byte> text, ref long taken)
    {
        if (setting.Set == null)
        {
            return Errno.EPERM;
        }

        Span<long> values = stackalloc long[setting.Count];
        setting.Get(caller, values);
        ReadOnlySpan<byte> rest = text;
        Errno error = Errno.None;
        int found = 0;
        for (; found < values.Length && error == Errno.None; found++)
        {
            SkipSpace(ref rest);
            if (rest.IsEmpty)
            {
                break;
            }

            error = TryNumber(ref rest, setting, out long value) && value >= setting.Least && value <= setting.Most ? Errno.None : Errno.EINVAL;
            values[found] = error == Errno.None ? value : values[found];
        }

        if (found == 0 || (error != Errno.None && (found == 1 || setting.IsAtomic)))
        {
            return Errno.EINVAL;
        }

        Errno refused = setting.Set(caller, values);
        SkipSpace(ref rest);
        taken -= setting.IsUnsigned ? 0 : rest.Length;
        return refused == Errno.None ? error : refused;
    }

    private static void SkipSpace(ref ReadOnlySpan<byte> text)
    {
        while (!text.IsEmpty && text[0] is (byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\v' or (byte)'\f' or (byte)'\r')
        {
            text = text[1..];
        }
    }

    private static bool TryNumber(scoped ref ReadOnlySpan<byte> text, Sysctl setting, out long value)
    {
        ulong most = setting.IsUnsignedLong ? ulong.MaxValue : long.MaxValue;
        ulong magnitude = 0;
        bool isNegative = text.Length > 1 && text[0] == '-';
        ReadOnlySpan<byte> digits = isNegative ? text[1..] : text;
        value = 0;
        if (!char.IsAsciiDigit((char)digits[0]) || (isNegative && setting.HasNoSign))
        {
            return false;
        }

        bool isHex = digits.Length > 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x' && char.IsAsciiHexDigit((char)digits[2]);
        uint radix = isHex ? 16u : digits[0] == '0' ? 8u : 10u;
        int used = isHex ? 2 : 0;
        for (; used < digits.Length && DigitOf(digits[used]) < radix; used++)
        {
            uint digit = DigitOf(digits[used]);
            if (magnitude > (most - digit) / radix)
            {
                return false;
            }

            magnitude = (magnitude * radix) + digit;
        }

        value = isNegative ? -(long)magnitude : (long)magnitude;
        text = digits[used..];
        return used < NumberBytesMax && (text.IsEmpty || text[0] is (byte)' ' or (byte)'\t' or (byte)'\n');
    }

    private static uint DigitOf(byte character) => char.IsAsciiHexDigit((char)character) ? Convert.ToUInt32(((char)character).ToString(), 16) : uint.MaxValue;
}

/// <summary>A setting that is a word.</summary>
internal sealed class SysctlWord(ProcFileSystem proc, Func<Process, string> get, Func<Process, string, Errno>? set) : SysctlFile(proc, set != null)
{
    private protected override bool IsWord => true;

    private protected override string Show(Process caller) => get(caller) + "\n";

    private protected override Errno Change(Process caller, ReadOnlySpan<byte> text, ref long taken)
    {
        int end = text.IndexOfAny((byte)0, (byte)'\n');
        return set == null ? Errno.EPERM : set(caller, Encoding.ASCII.GetString(end < 0 ? text : text[..end]));
    }
}
