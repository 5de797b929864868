using Portico.Net;

namespace Portico.Kernel;

// getsockopt(2) and setsockopt(2) of unix sockets: only SOL_SOCKET has any, and nearly all of it is the same for all sockets.
internal sealed partial class UnixSocket
{
    /// <summary>What an accepted socket has from its listener.</summary>
    private const GenericFlags Inherited = GenericFlags.PassCredentials | GenericFlags.PassRights | GenericFlags.PassSecurity;

    protected override bool IsListening => _stage == Stage.Listening;

    protected override UnixCredentials PeerCredentials => _peerCredentials;

    private bool PassesCredentials => Generic.Has(GenericFlags.PassCredentials);

    private bool PassesRights => Generic.Has(GenericFlags.PassRights);

    private bool ReadsInline => Generic.Has(GenericFlags.OobInline);

    /// <summary>A stream has one to no effect, as in Linux.</summary>
    protected override SocketFilter? Filter { get; set; }

    protected override void OnGenericChanged(SocketOption option)
    {
        if (option is SocketOption.SO_SNDBUF or SocketOption.SO_SNDBUFFORCE)
        {
            Waiters.Notify(WriteRoom, Driver);
        }
    }

    private void Inherit(UnixSocket listener)
    {
        GenericFlags flags = (Generic.Flags & ~Inherited) | (listener.Generic.Flags & Inherited);
        if (flags != Generic.Flags)
        {
            OwnGeneric.Flags = flags;
        }
    }
}
