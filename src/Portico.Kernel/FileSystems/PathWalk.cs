using Portico.Net;

namespace Portico.Kernel;

/// <summary>What the last component of a path is.</summary>
internal enum LastComponent
{
    /// <summary>A name.</summary>
    Name,

    /// <summary>".".</summary>
    Dot,

    /// <summary>"..".</summary>
    DotDot,

    /// <summary>The path has slashes only.</summary>
    Root,
}

/// <summary>
/// A walk along a path (path_resolution(7)), with the errors of Linux in its order. It first comes to the directory of the last component,
/// which is all that calls need that make or remove a name; the others go on to what the path names.
/// </summary>
internal ref struct PathWalk
{
    /// <summary>The longest path (PATH_MAX) without the 0 at its end, in bytes.</summary>
    public const int PathBytesMax = 4095;

    /// <summary>Symbolic links on one walk (MAXSYMLINKS).</summary>
    private const int LinksMax = 40;

    private readonly Process _process;
    private ReadOnlySpan<byte> _rest;
    private int _links;

    /// <summary>A walk that begins at a directory, or at the root where the path begins with a slash.</summary>
    public PathWalk(Process process, DirectoryEntry start, ReadOnlySpan<byte> path)
    {
        _process = process;
        _rest = path;
        Place = start;
    }

    /// <summary>Where the walk has come to: after <see cref="ToParent"/> the directory of the last component.</summary>
    public DirectoryEntry Place { get; private set; }

    /// <summary>The last component where it is a name.</summary>
    public ReadOnlySpan<byte> Name { get; private set; }

    /// <summary>What the last component is.</summary>
    public LastComponent Kind { get; private set; }

    /// <summary>Whether slashes follow the last component, so that only a directory will do.</summary>
    public bool HasTrailingSlash { get; private set; }

    public readonly DirectoryNode Directory => (DirectoryNode)Place.Inode;

    /// <summary>
    /// Goes to the directory of the last component. Errors: ENOENT, ENOTDIR, EACCES for a directory that may not be searched, ELOOP,
    /// ENAMETOOLONG.
    /// </summary>
    public Errno ToParent()
    {
        while (true)
        {
            if (!_rest.IsEmpty && _rest[0] == '/')
            {
                Place = _process.Kernel.Root;
                SkipSlashes();
                if (_rest.IsEmpty)
                {
                    Kind = LastComponent.Root;
                    Name = default;
                    HasTrailingSlash = false;
                    return Errno.None;
                }
            }

            Errno error = ToLast(out bool restarted);
            if (error != Errno.None || !restarted)
            {
                return error;
            }
        }
    }

    /// <summary>
    /// Looks the last component up, after <see cref="ToParent"/>: no link is followed, and nothing is asked about what it is. Errors: ENOENT,
    /// ENAMETOOLONG.
    /// </summary>
    public readonly Errno LookUpLast(out DirectoryEntry? entry)
    {
        entry = Kind switch
        {
            LastComponent.Root or LastComponent.Dot => Place,
            LastComponent.DotDot => Directory.Entry.Parent.Entry,
            _ => null,
        };
        return entry != null ? Errno.None : Directory.Lookup(Name, out entry);
    }

    /// <summary>
    /// After <see cref="LookUpLast"/> has found a symbolic link that is to be followed: takes its path for what is left, so that
    /// <see cref="ToParent"/> goes on there, or leads to its place at once (<paramref name="entry"/>). Errors: ELOOP, ENOENT.
    /// </summary>
    public Errno FollowLast(SymbolicLink link, out DirectoryEntry? entry)
    {
        _rest = HasTrailingSlash ? "/"u8 : default;
        return Enter(link, out entry);
    }

    /// <summary>Goes to what the path names. Errors: those of <see cref="ToParent"/>.</summary>
    public Errno ToEnd(bool follow, bool mustBeDirectory, out DirectoryEntry? entry)
    {
        while (true)
        {
            entry = null;
            Errno error = ToParent();
            if (error != Errno.None || (error = LookUpLast(out entry)) != Errno.None)
            {
                return error;
            }

            if (entry!.Inode is SymbolicLink link && (follow || HasTrailingSlash))
            {
                error = FollowLast(link, out entry);
                if (error != Errno.None)
                {
                    return error;
                }

                if (entry == null)
                {
                    continue;
                }
            }

            return (mustBeDirectory || HasTrailingSlash) && entry!.Inode.Type != FileType.Directory ? Errno.ENOTDIR : Errno.None;
        }
    }

    /// <summary>Takes components until one is the last, or a link's path has taken the place of the rest.</summary>
    private Errno ToLast(out bool restarted)
    {
        restarted = false;
        while (true)
        {
            Errno error = Place.Inode is not DirectoryNode directory ? Errno.ENOTDIR : directory.Check(_process, AccessMode.X_OK);
            if (error != Errno.None)
            {
                return error;
            }

            int end = _rest.IndexOf((byte)'/');
            Name = end < 0 ? _rest : _rest[..end];
            _rest = end < 0 ? default : _rest[end..];
            Kind = Name.SequenceEqual("."u8) ? LastComponent.Dot : Name.SequenceEqual(".."u8) ? LastComponent.DotDot : LastComponent.Name;
            ReadOnlySpan<byte> behind = _rest;
            SkipSlashes();
            HasTrailingSlash = !behind.IsEmpty;
            if (_rest.IsEmpty)
            {
                return Errno.None;
            }

            error = LookUpLast(out DirectoryEntry? entry);
            if (error != Errno.None)
            {
                return error;
            }

            if (entry!.Inode is SymbolicLink link)
            {
                _rest = behind;
                error = Enter(link, out entry);
                if (error != Errno.None || entry == null)
                {
                    restarted = error == Errno.None;
                    return error;
                }

                SkipSlashes();
            }

            Place = entry;
        }
    }

    private Errno Enter(SymbolicLink link, out DirectoryEntry? entry)
    {
        entry = null;
        if (++_links > LinksMax)
        {
            return Errno.ELOOP;
        }

        entry = link.Follow(_process);
        if (entry != null)
        {
            return Errno.None;
        }

        Errno error = link.ReadTarget(_process, out byte[] target);
        if (error != Errno.None)
        {
            return error;
        }

        _rest = _rest.IsEmpty ? target : (byte[])[.. target, .. _rest];
        return target.Length == 0 ? Errno.ENOENT : Errno.None;
    }

    private void SkipSlashes()
    {
        int first = _rest.IndexOfAnyExcept((byte)'/');
        _rest = first < 0 ? default : _rest[first..];
    }
}
