using Portico.Net;

namespace Portico.Kernel;

/// <summary>/proc/net/unix: the unix sockets of a network namespace, a line each.</summary>
internal sealed class UnixTableReader(UnixSockets all, NetworkStack stack) : ProcReader
{
    private UnixSocket? _last;
    private bool _hasHeading;

    protected override void Restart()
    {
        _hasHeading = false;
        _last = null;
    }

    protected override bool WriteRecord(ProcText text)
    {
        if (!_hasHeading)
        {
            _hasHeading = true;
            text.Append("Num       RefCount Protocol Flags    Type St Inode Path\n");
            return true;
        }

        UnixSocket? next = _last == null ? all.First : all.After(_last);
        while (next != null && next.Stack != stack)
        {
            next = next.NextOfAll;
        }

        _last = next ?? _last;
        next?.WriteLine(text);
        return next != null;
    }
}
