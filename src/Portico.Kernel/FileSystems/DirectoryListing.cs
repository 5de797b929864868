using System.Buffers.Binary;

namespace Portico.Kernel;

/// <summary>Writes entries of a directory into a buffer as struct linux_dirent64 (getdents(2)).</summary>
internal ref struct DirectoryListing(Span<byte> buffer)
{
    private const int HeaderBytes = 19;
    private readonly Span<byte> _buffer = buffer;

    /// <summary>Bytes written so far.</summary>
    public int Length { get; private set; }

    /// <summary>Whether an entry did not fit.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Adds entries that another kernel has written, as far as they fit; the position moves behind each that does.</summary>
    public bool TryAddAll(scoped ReadOnlySpan<byte> entries, ref long position)
    {
        while (!entries.IsEmpty)
        {
            long next = BinaryPrimitives.ReadInt64LittleEndian(entries[8..]);
            int length = BinaryPrimitives.ReadUInt16LittleEndian(entries[16..]);
            ReadOnlySpan<byte> name = entries[HeaderBytes..length];
            name = name[..name.IndexOf((byte)0)];
            if (!TryAdd(BinaryPrimitives.ReadInt64LittleEndian(entries), next, (FileType)(entries[18] << 12), name))
            {
                return false;
            }

            position = next;
            entries = entries[length..];
        }

        return true;
    }

    /// <summary>Adds an entry; <paramref name="next"/> is the position behind it. False where it does not fit.</summary>
    public bool TryAdd(long inode, long next, FileType type, scoped ReadOnlySpan<byte> name)
    {
        int length = (HeaderBytes + name.Length + 1 + 7) & ~7;
        if (length > _buffer.Length - Length)
        {
            IsFull = true;
            return false;
        }

        Span<byte> entry = _buffer.Slice(Length, length);
        entry.Clear();
        BinaryPrimitives.WriteInt64LittleEndian(entry, inode);
        BinaryPrimitives.WriteInt64LittleEndian(entry[8..], next);
        BinaryPrimitives.WriteUInt16LittleEndian(entry[16..], (ushort)length);
        entry[18] = (byte)((int)type >> 12);
        name.CopyTo(entry[HeaderBytes..]);
        Length += length;
        return true;
    }
}
