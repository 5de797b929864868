using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Systems;

// Files with names. Each case begins in an empty directory. Inode numbers and times are never written down.
internal sealed unsafe partial class Kit
{
    public const int AtCwd = Process.AT_FDCWD;

    /// <summary>In place of nanoseconds: this time stays as it is (UTIME_OMIT).</summary>
    public const long Omit = 0x3FFF_FFFE;

    public long Open(string path, OpenFlags flags, int mode = 0x1A4) => OpenAt(AtCwd, path, flags, mode);

    public long OpenAt(long directory, string path, OpenFlags flags, int mode = 0x1A4)
    {
        fixed (byte* p = Text(path))
        {
            long result = Raw(openat, directory, (long)p, (long)flags, mode);
            Write($"openat {Short(path)} {flags}", result);
            return result;
        }
    }

    /// <summary>For a thread that blocks: nothing is written down.</summary>
    public long RawOpen(string path, OpenFlags flags)
    {
        fixed (byte* p = Text(path))
        {
            return Raw(openat, AtCwd, (long)p, (long)flags);
        }
    }

    /// <summary>utimensat(2).</summary>
    public void SetTimes(string path, long accessed, long accessedNanoseconds, long modified, long modifiedNanoseconds)
    {
        long* times = stackalloc long[4] { accessed, accessedNanoseconds, modified, modifiedNanoseconds };
        fixed (byte* p = Text(path))
        {
            Write("utimensat", Raw(utimensat, AtCwd, (long)p, (long)times));
        }
    }

    /// <summary>Times that have been set.</summary>
    public void ShowTimes(string path)
    {
        long* stat = stackalloc long[18];
        fixed (byte* p = Text(path))
        {
            long result = Raw(newfstatat, AtCwd, (long)p, (long)stat);
            Write($"times {stat[9]}.{stat[10]} {stat[11]}.{stat[12]}", result);
        }
    }

    /// <summary>A file with what it contains; returns no descriptor.</summary>
    public void Make(string path, string contents = "", int mode = 0x1A4)
    {
        long fd = Open(path, OpenFlags.O_CREAT | OpenFlags.O_WRONLY, mode);
        if (contents.Length > 0)
        {
            WriteBytes(fd, Encoding.UTF8.GetBytes(contents));
        }

        Call(close, fd);
    }

    public long Memfd(string name, MemfdFlags flags)
    {
        fixed (byte* p = Text(name))
        {
            long result = Raw(memfd_create, (long)p, (long)flags);
            Write($"memfd_create {Short(name)} {flags}", result);
            return result;
        }
    }

    public long WriteAt(long fd, string data, long offset)
    {
        fixed (byte* p = Text(data))
        {
            long result = Raw(pwrite64, fd, (long)p, data.Length, offset);
            Write($"pwrite {data.Length} {offset}", result);
            return result;
        }
    }

    public long ReadAt(long fd, int count, long offset)
    {
        byte[] buffer = new byte[count];
        fixed (byte* p = buffer)
        {
            long result = Raw(pread64, fd, (long)p, count, offset);
            Write($"pread {count} {offset}", result, buffer.AsSpan(0, (int)Math.Max(0, result)));
            return result;
        }
    }

    /// <summary>A call whose first word is a path.</summary>
    public long OnPath(SyscallNumber number, string path, long a1 = 0, long a2 = 0, long a3 = 0)
    {
        fixed (byte* p = Text(path))
        {
            long result = Raw(number, (long)p, a1, a2, a3);
            Write($"{number} {Short(path)} {a1}", result);
            return result;
        }
    }

    /// <summary>A call whose second word is a path, the first a directory.</summary>
    public long OnPathAt(SyscallNumber number, long directory, string path, long a2 = 0, long a3 = 0)
    {
        fixed (byte* p = Text(path))
        {
            long result = Raw(number, directory, (long)p, a2, a3);
            Write($"{number} {Short(path)} {a2} {a3}", result);
            return result;
        }
    }

    public long Mkdir(string path, int mode = 0x1ED) => OnPath(mkdir, path, mode);

    public long Symlink(string target, string path) => OnTwoPaths(symlink, target, path);

    public long Link(string path, string other, AtFlags flags = 0) => OnTwoPaths(linkat, path, other, (int)flags);

    public long Rename(string path, string other, RenameFlags flags = 0) => OnTwoPaths(renameat2, path, other, (int)flags);

    /// <summary>rename, link, symlink, or one of the calls with two directories.</summary>
    public long OnTwoPaths(SyscallNumber number, string path, string other, int flags = 0)
    {
        fixed (byte* p = Text(path), q = Text(other))
        {
            long result = number is linkat or renameat2
                ? Raw(number, AtCwd, (long)p, AtCwd, (long)q, flags)
                : Raw(number, (long)p, (long)q);
            Write($"{number} {Short(path)} {Short(other)} {flags}", result);
            return result;
        }
    }

    /// <summary>linkat(2) with AT_EMPTY_PATH, and what comes of it.</summary>
    public void LinkDescriptor(long fd, string path)
    {
        fixed (byte* empty = Text(""), p = Text(path))
        {
            Write("linkat of a descriptor", Raw(linkat, fd, (long)empty, AtCwd, (long)p, (long)AtFlags.AT_EMPTY_PATH));
            Write("linkat of an empty path", Raw(linkat, fd, (long)empty, AtCwd, (long)p, 0));
        }

        Status(path);
    }

    /// <summary>Whether a descriptor is of a device, whose permissions on this machine are not a case's to change.</summary>
    public bool IsOfTheMachine(long fd)
    {
        long* stat = stackalloc long[18];
        return Raw(fstat, fd, (long)stat) == 0 && (((int*)stat)[6] & 0xF000) == (int)FileType.CharacterDevice;
    }

    /// <summary>Kind, permissions, links, size and blocks of what a path leads to; of what is outside of the case only whether it is there.</summary>
    public long Status(string path, AtFlags flags = 0, long directory = AtCwd, bool isOutside = false)
    {
        long* stat = stackalloc long[18];
        fixed (byte* p = Text(path))
        {
            long result = Raw(newfstatat, directory, (long)p, (long)stat, (long)flags);
            Write($"newfstatat {Short(path)} {flags} {(result < 0 || isOutside ? "" : Show(stat))}", result);
            return result;
        }
    }

    public long Status(long fd)
    {
        long* stat = stackalloc long[18];
        long result = Raw(fstat, fd, (long)stat);
        Write($"fstat {(result < 0 ? "" : Show(stat))}", result);
        return result;
    }

    public long ReadLink(string path, int room = 100, long directory = AtCwd)
    {
        byte* target = stackalloc byte[Math.Max(1, room)];
        fixed (byte* p = Text(path))
        {
            long result = Raw(readlinkat, directory, (long)p, (long)target, room);
            Write($"readlinkat {Short(path)} {room} -> {(result < 0 ? "" : Encoding.UTF8.GetString(target, (int)result))}", result);
            return result;
        }
    }

    /// <summary>The path of the working directory, with the case's own directory left out.</summary>
    public long WorkingDirectory(int room = 4096)
    {
        byte* path = stackalloc byte[4096];
        long result = Raw(getcwd, (long)path, room);
        string shown = result < 0 ? Show(result) : Encoding.UTF8.GetString(path, (int)result - 1);
        int start = shown.IndexOf("/case", StringComparison.Ordinal) is var at and >= 0 ? at + 5 : 0;
        Note($"getcwd {room} {shown[start..]}");
        return result;
    }

    /// <summary>What is left to be listed, in the order of the list.</summary>
    public long List(long fd, int room = 4096)
    {
        byte[] buffer = new byte[room];
        fixed (byte* p = buffer)
        {
            long result = Raw(getdents64, fd, (long)p, room);
            string shown = string.Join(" ", Entries(buffer.AsSpan(0, (int)Math.Max(0, result))).Select(entry => $"{entry.Name}:{entry.Type}"));
            Write($"getdents64 {room} -> {shown}", result);
            return result;
        }
    }

    /// <summary>The entries in a buffer of getdents64(2).</summary>
    public static List<(string Name, FileType Type)> Entries(ReadOnlySpan<byte> buffer)
    {
        List<(string, FileType)> entries = [];
        while (!buffer.IsEmpty)
        {
            int length = BinaryPrimitives.ReadUInt16LittleEndian(buffer[16..]);
            ReadOnlySpan<byte> name = buffer[19..length];
            entries.Add((Encoding.UTF8.GetString(name[..name.IndexOf((byte)0)]), (FileType)(buffer[18] << 12)));
            buffer = buffer[length..];
        }

        return entries;
    }

    private static byte[] Text(string path) => Encoding.UTF8.GetBytes(path + "\0");

    private static string Short(string path) => path.Length <= 60 ? $"\"{path}\"" : $"\"{path[..20]}...\" of {path.Length}";

    private static string Show(long* stat)
    {
        int* halves = (int*)stat;
        return string.Create(CultureInfo.InvariantCulture,
            $"{Convert.ToString(halves[6], 8)} links {stat[2]} size {stat[6]} blocks {stat[8]} of {stat[7]} device {halves[10]:X}");
    }
}
