using System.Security.Cryptography;
using Portico.Net;

namespace Portico.Kernel;

/// <summary>The devices of /dev that are nothing but memory (null(4), full(4), random(4)).</summary>
public enum MemoryDeviceKind
{
    /// <summary>/dev/null.</summary>
    Null = 3,

    /// <summary>/dev/zero.</summary>
    Zero = 5,

    /// <summary>/dev/full.</summary>
    Full = 7,

    /// <summary>/dev/random.</summary>
    Random = 8,

    /// <summary>/dev/urandom.</summary>
    Urandom = 9,
}

/// <summary>One of the memory devices; its minor number is its kind.</summary>
internal sealed class MemoryDevice(StackDriver driver, MemoryDeviceKind kind) : KernelFile(driver)
{
    private const int ChunkBytes = 4096;
    private const int Major = 1;

    internal override FileType Type => FileType.CharacterDevice;

    internal override bool IsPollable => kind == MemoryDeviceKind.Random;

    internal override bool IsSeekable => true;

    internal override bool MovesPosition => false;

    internal override bool CanSpliceFrom => kind != MemoryDeviceKind.Null;

    internal override bool CanSpliceTo => kind != MemoryDeviceKind.Full;

    /// <summary>random never has to wait; that it can be written to it says only until its generator is seeded.</summary>
    public override SocketEvents Poll() =>
        SocketEvents.Readable | SocketEvents.ReadNormal
        | (kind == MemoryDeviceKind.Random ? 0 : SocketEvents.Writable | SocketEvents.WriteNormal);

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count) =>
        ReadAt(description, 0, ref destination, out count);

    internal override Errno ReadAt(OpenFileDescription description, long offset, ref IoCursor destination, out long count)
    {
        count = 0;
        if (kind == MemoryDeviceKind.Null)
        {
            return Errno.None;
        }

        if (!destination.TryTrim(destination.Remaining))
        {
            return Errno.EFAULT;
        }

        while (destination.Remaining > 0)
        {
            Span<byte> piece = destination.Next();
            piece = piece[..Math.Min(piece.Length, ChunkBytes)];
            if (kind is MemoryDeviceKind.Random or MemoryDeviceKind.Urandom)
            {
                RandomNumberGenerator.Fill(piece);
            }
            else
            {
                piece.Clear();
            }

            destination.Skip(piece.Length);
            count += piece.Length;
        }

        return Errno.None;
    }

    internal override Errno Write(OpenFileDescription description, ref IoCursor source, out long count) =>
        WriteAt(description, 0, ref source, out count);

    internal override Errno WriteAt(OpenFileDescription description, long offset, ref IoCursor source, out long count)
    {
        count = kind == MemoryDeviceKind.Full ? 0 : source.Remaining;
        return kind == MemoryDeviceKind.Full ? Errno.ENOSPC : Errno.None;
    }

    /// <summary>null, zero and full say that the position is 0 wherever one goes.</summary>
    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = 0;
        return Errno.None;
    }

    internal override Errno Ioctl(OpenFileDescription description, IoctlRequest request, Span<byte> argument) =>
        kind is MemoryDeviceKind.Random or MemoryDeviceKind.Urandom ? Errno.EINVAL : Errno.ENOTTY;

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = 0x1B6;
        status.Device = (Major << 8) | (int)kind;
    }

    internal override void OnReleased(OpenFileDescription description)
    {
    }
}
