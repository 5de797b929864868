using Portico.Kernel;

namespace Portico.Differential.Tests.Systems;

/// <summary>A kernel, as a program sees it: system calls in Linux's own form, by the number and six words.</summary>
internal interface ISystem
{
    /// <summary>For messages.</summary>
    string Name { get; }

    /// <summary>Makes a call: the value, or the negated errno.</summary>
    long Call(SyscallNumber number, long a0, long a1, long a2, long a3, long a4, long a5);

    /// <summary>
    /// Makes a child of the process, with a copy of its descriptors, that makes the calls it is told to. It has everything blocked and no handler,
    /// and ends with the case.
    /// </summary>
    ISystem Fork();

    /// <summary>
    /// Runs a case in a process whose descriptors are 0, 1 and 2 (all of them /dev/null) and nothing else; of user 0 where
    /// <paramref name="asRoot"/> says so, as it always is on Linux, where it has no capabilities.
    /// </summary>
    void InFreshProcess(Action body, bool asRoot = false);

    /// <summary>Makes calls as a process that may open raw sockets (CAP_NET_RAW), which those of a case may not.</summary>
    void WithNetRaw(Action calls);
}
