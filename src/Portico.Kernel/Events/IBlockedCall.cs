namespace Portico.Kernel;

/// <summary>A call of a process that waits, on a thread or as a ValueTask. Guarded by the lock of the <see cref="StackDriver"/>.</summary>
internal interface IBlockedCall
{
    /// <summary>Where it stands in its process's list of those that wait.</summary>
    int BlockedIndex { get; set; }

    /// <summary>Whether it begins anew after a signal that is caught so (SA_RESTART), instead of ending with EINTR.</summary>
    bool IsRestartable { get; }

    /// <summary>Ends the wait with EINTR, unless the call can be done after all.</summary>
    void Interrupt(StackDriver driver);
}
