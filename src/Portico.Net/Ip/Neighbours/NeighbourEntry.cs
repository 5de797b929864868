using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>
/// A place in a <see cref="NeighbourTable"/>; linked by index into a hash chain, a list of its state and a list of timers.
/// </summary>
[StructLayout(LayoutKind.Auto)]
internal struct NeighbourEntry
{
    public const int None = -1;

    public IpAddress Address;

    /// <summary>Zero while unknown.</summary>
    public MacAddress Mac;

    /// <summary>In <see cref="NudState.Reachable"/>: until when. Never for a permanent entry, zero in all other states.</summary>
    public MonoTime ReachableUntil;

    /// <summary>When the IP layer last sent to it; zero if it never has.</summary>
    public MonoTime Used;

    /// <summary>When the link-layer address or the state was last learned from the network.</summary>
    public MonoTime Updated;

    /// <summary>When the running timer of <see cref="TimerList"/> fires.</summary>
    public MonoTime Deadline;

    public Packet? QueueHead;
    public Packet? QueueTail;
    public int QueueBytes;
    public int QueueCount;

    /// <summary>The next entry of the bucket, or of the free list.</summary>
    public int HashNext;

    public int TimerNext;
    public int TimerPrevious;
    public int StateNext;
    public int StatePrevious;

    /// <summary>Solicitations sent in this state.</summary>
    public byte Probes;

    public NudState State;
    public bool IsRouter;

    /// <summary>Which of the table's timer lists it is in, or -1.</summary>
    public sbyte TimerList;

    /// <summary>Which of the table's state lists it is in, or -1.</summary>
    public sbyte StateList;
}

/// <summary>Head and tail of a list of entries.</summary>
internal struct NeighbourList
{
    public int Head;
    public int Tail;
    public int Count;
}
