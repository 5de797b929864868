using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace Portico.Kernel;

/// <summary>
/// A name of an inode in a directory (Linux: a dentry). It keeps its identity when it is renamed, so that whoever has a file open knows
/// what the file is called now.
/// </summary>
internal sealed class DirectoryEntry(DirectoryNode? parent, byte[] name, Inode inode)
{
    /// <summary>The longest name (NAME_MAX), in bytes.</summary>
    public const int NameBytesMax = 255;

    /// <summary>The directory that it is in; the root is in itself.</summary>
    public DirectoryNode Parent { get; private set; } = parent ?? (DirectoryNode)inode;

    /// <summary>The name: any bytes but '/' and 0.</summary>
    public byte[] Name { get; private set; } = name;

    public Inode Inode { get; private set; } = inode;

    /// <summary>Whether the name has been removed.</summary>
    public bool IsDeleted { get; set; }

    /// <summary>Where it stands in the directory for getdents(2).</summary>
    public long Cookie { get; set; }

    public bool IsRoot => Parent == Inode;

    /// <summary>Gives it another name.</summary>
    public void Move(DirectoryNode parent, byte[] name)
    {
        Parent = parent;
        Name = name;
    }

    /// <summary>The path from the root, as /proc/PID/fd shows it: with " (deleted)" behind a name that is gone.</summary>
    public string Path()
    {
        StringBuilder path = new();
        for (DirectoryEntry entry = this; !entry.IsRoot; entry = entry.Parent.Entry)
        {
            path.Insert(0, Encoding.UTF8.GetString(entry.Name)).Insert(0, '/');
        }

        return (path.Length == 0 ? "/" : path.ToString()) + (IsDeleted ? " (deleted)" : "");
    }
}

/// <summary>Compares names byte by byte, and finds one by bytes that are no array.</summary>
internal sealed class NameComparer : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
{
    public static readonly NameComparer Instance = new();

    public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

    public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

    public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

    public int GetHashCode(ReadOnlySpan<byte> alternate)
    {
        // Keyed by the runtime's own random seed: names come from programs.
        HashCode hash = default;
        hash.AddBytes(alternate);
        return hash.ToHashCode();
    }

    public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
}
