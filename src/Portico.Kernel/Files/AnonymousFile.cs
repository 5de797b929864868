using Portico.Net;

namespace Portico.Kernel;

/// <summary>A file that has no place in any directory: an eventfd, a timerfd, an epoll instance (Linux: anon_inode).</summary>
internal abstract class AnonymousFile(StackDriver driver) : KernelFile(driver)
{
    internal override FileType Type => FileType.Anonymous;

    internal override bool CanSeek => true;

    /// <summary>There is no position to move, and it is always 0 (noop_llseek).</summary>
    internal override Errno Seek(OpenFileDescription description, long offset, SeekWhence whence, out long position)
    {
        position = 0;
        return Errno.None;
    }

    internal override void Stat(ref FileStatus status)
    {
        base.Stat(ref status);
        status.Permissions = 0x180;
    }

    internal override void OnReleased(OpenFileDescription description)
    {
    }
}
