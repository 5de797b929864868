namespace Portico.Net;

/// <summary>A timer that lives inside the record that it belongs to (a TCB, a SYN record); no memory of its own.</summary>
internal unsafe struct TimerNode
{
    public TimerNode* Next;
    public TimerNode* Previous;

    /// <summary>When it fires, in nanoseconds; valid while armed.</summary>
    public long Deadline;

    /// <summary>Index of the <see cref="ITimerHandler"/> that it belongs to.</summary>
    public ushort Handler;

    /// <summary>What the handler knows it by (its kind of record).</summary>
    public ushort Kind;

    /// <summary>The wheel's place for it (level and slot), or -1 when it is not armed.</summary>
    public short Place;
}

/// <summary>Whoever owns timers.</summary>
internal unsafe interface ITimerHandler
{
    /// <summary>The timer has fired and is no longer armed.</summary>
    void OnTimer(TimerNode* node);
}

/// <summary>STUB: owned by the structures helper.</summary>
internal sealed unsafe class TimerWheel
{
    public MonoTime NextDeadline => MonoTime.Never;

    public ushort Register(ITimerHandler handler) => 0;

    public static void Initialize(TimerNode* node, ushort handler, ushort kind)
    {
        *node = default;
        node->Handler = handler;
        node->Kind = kind;
        node->Place = -1;
    }

    public void Arm(TimerNode* node, MonoTime deadline)
    {
    }

    public void Cancel(TimerNode* node)
    {
    }

    public void Expire(MonoTime now)
    {
    }
}
