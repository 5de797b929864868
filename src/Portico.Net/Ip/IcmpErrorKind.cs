namespace Portico.Net;

/// <summary>Errors that this host reports, in terms that both families share.</summary>
internal enum IcmpErrorKind : byte
{
    /// <summary>v4 3/0, v6 1/0.</summary>
    NetworkUnreachable,

    /// <summary>v4 3/1, v6 1/3.</summary>
    HostUnreachable,

    /// <summary>v4 3/2, v6 4/1 (which points at the next-header field; the parameter is its offset).</summary>
    ProtocolUnreachable,

    /// <summary>v4 3/3, v6 1/4.</summary>
    PortUnreachable,

    /// <summary>v4 3/13, v6 1/1.</summary>
    Prohibited,

    /// <summary>v4 3/4, v6 2/0; the parameter is the MTU.</summary>
    PacketTooBig,

    /// <summary>v4 11/0, v6 3/0.</summary>
    HopLimitExceeded,

    /// <summary>v4 11/1, v6 3/1.</summary>
    ReassemblyTimeExceeded,

    /// <summary>v4 12/0, v6 4/0; the parameter is the offset of the field in error.</summary>
    ParameterProblem,

    /// <summary>v6 4/2: an unrecognised option; the parameter is its offset.</summary>
    UnrecognisedOption,

    /// <summary>v6 4/3: a first fragment without the whole header chain (RFC 7112).</summary>
    IncompleteHeaderChain,

    /// <summary>v6 1/2: beyond scope of source address.</summary>
    BeyondScope,
}
