using Portico.Net;

namespace Portico.Kernel;

/// <summary>Flags of signalfd(2).</summary>
[Flags]
public enum SignalfdFlags
{
#pragma warning disable CS1591, CA1707 // The names are those of signalfd(2).
    None = 0,
    SFD_NONBLOCK = 0x800,
    SFD_CLOEXEC = 0x8_0000,
#pragma warning restore CS1591, CA1707
}

/// <summary>A file to read signals from (signalfd(2)): those of whoever reads, whoever made it.</summary>
internal sealed class SignalFile(PorticoKernel kernel, ulong mask) : AnonymousFile(kernel.Driver)
{
    public ulong Mask { get; private set; } = mask;

    internal override bool HasWrite => false;

    public void SetMask(ulong mask)
    {
        Mask = mask;
        Wake();
    }

    /// <summary>A process has got a signal that somebody may wait for.</summary>
    public void Wake() => Waiters.NotifyEach(SocketEvents.Readable, Driver);

    public override SocketEvents Poll() =>
        kernel.Caller is { } caller && (caller.PendingSet & Mask) != 0 ? SocketEvents.Readable : SocketEvents.None;

    internal override Errno Read(OpenFileDescription description, ref IoCursor destination, out long count)
    {
        count = 0;
        if (destination.Remaining < SignalInfo.Bytes)
        {
            return Errno.EINVAL;
        }

        Span<byte> bytes = stackalloc byte[SignalInfo.Bytes];
        while (destination.Remaining >= SignalInfo.Bytes && kernel.Caller!.TryTakeSignal(Mask, out SignalInfo info))
        {
            info.Write(bytes);
            int copied = destination.Write(bytes);
            if (destination.HasFaulted)
            {
                return count > 0 ? Errno.None : Errno.EFAULT;
            }

            count += copied;
        }

        return count > 0 ? Errno.None : Errno.EAGAIN;
    }

    internal override void WriteDetails(ProcText text) => text.Add($"sigmask:\t{Mask:x16}\n");

    internal override void OnOpened(OpenFileDescription description) => kernel.SignalFiles.Add(this);

    internal override void OnReleased(OpenFileDescription description) => kernel.SignalFiles.Remove(this);
}
