using System.Diagnostics.Tracing;

namespace Portico.Bench;

/// <summary>Measures how long the collector stops the world, from its own events.</summary>
internal sealed class PauseListener : EventListener
{
    private const int SuspendBegin = 9;
    private const int RestartEnd = 3;
    private DateTime _suspended;

    public double LongestMilliseconds { get; private set; }

    public int Count { get; private set; }

    /// <summary>Forgets what was measured.</summary>
    public void Reset()
    {
        LongestMilliseconds = 0;
        Count = 0;
    }

    /// <summary>Makes garbage for the younger generations, then forces full collections, a compacting one among them.</summary>
    public void Churn()
    {
        object[] kept = new object[1000];
        for (int i = 0; i < 5_000_000; i++)
        {
            kept[i % kept.Length] = new byte[100];
        }

        GC.Collect(2, GCCollectionMode.Forced, blocking: false);
        GC.Collect(2, GCCollectionMode.Forced, blocking: true, compacting: true);
        GC.KeepAlive(kept);

        // The events come on a thread of their own.
        Thread.Sleep(100);
    }

    protected override void OnEventSourceCreated(EventSource eventSource)
    {
        if (eventSource.Name == "Microsoft-Windows-DotNETRuntime")
        {
            EnableEvents(eventSource, EventLevel.Informational, (EventKeywords)1);
        }
    }

    protected override void OnEventWritten(EventWrittenEventArgs eventData)
    {
        if (eventData.EventId == SuspendBegin)
        {
            _suspended = eventData.TimeStamp;
        }
        else if (eventData.EventId == RestartEnd && _suspended != default)
        {
            LongestMilliseconds = Math.Max(LongestMilliseconds, (eventData.TimeStamp - _suspended).TotalMilliseconds);
            Count++;
            _suspended = default;
        }
    }
}
