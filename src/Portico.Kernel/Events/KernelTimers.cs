using Portico.Net;

namespace Portico.Kernel;

/// <summary>A timer that can be set, moved and cancelled as often as one likes, at the same small cost.</summary>
internal abstract class KernelTimer
{
    /// <summary>When it is due, while it is set.</summary>
    public MonoTime Deadline { get; set; }

    /// <summary>Where it stands in the heap; -1 while it is not set.</summary>
    public int HeapIndex { get; set; } = -1;

    /// <summary>Under the lock: it is due and no longer set.</summary>
    public abstract void OnTime(MonoTime now);
}

/// <summary>
/// The timers of a kernel: a binary heap in which each knows its place. (The engine's own call-backs cannot be cancelled; a program that
/// sets a timerfd over and over would fill that heap.)
/// </summary>
internal sealed class KernelTimers : ITimerSource
{
    private KernelTimer[] _heap = new KernelTimer[16];
    private int _count;

    public KernelTimers(Engine engine)
    {
        Engine = engine;
        engine.TimerSource = this;
    }

    public Engine Engine { get; }

    public MonoTime NextDeadline => _count == 0 ? MonoTime.Never : _heap[0].Deadline;

    public void Set(KernelTimer timer, MonoTime deadline)
    {
        Cancel(timer);
        if (_count == _heap.Length)
        {
            Array.Resize(ref _heap, _count * 2);
        }

        timer.Deadline = deadline;
        Place(timer, _count++);
        Rise(timer);
    }

    public void Cancel(KernelTimer timer)
    {
        int index = timer.HeapIndex;
        if (index < 0)
        {
            return;
        }

        timer.HeapIndex = -1;
        KernelTimer last = _heap[--_count];
        _heap[_count] = null!;
        if (last != timer)
        {
            Place(last, index);
            Rise(last);
            Sink(last);
        }
    }

    public void Expire(MonoTime now)
    {
        while (_count > 0 && _heap[0].Deadline <= now)
        {
            KernelTimer due = _heap[0];
            Cancel(due);
            due.OnTime(now);
        }
    }

    private void Place(KernelTimer timer, int index)
    {
        _heap[index] = timer;
        timer.HeapIndex = index;
    }

    private void Rise(KernelTimer timer)
    {
        int index = timer.HeapIndex;
        while (index > 0 && timer.Deadline < _heap[(index - 1) / 2].Deadline)
        {
            Place(_heap[(index - 1) / 2], index);
            index = (index - 1) / 2;
        }

        Place(timer, index);
    }

    private void Sink(KernelTimer timer)
    {
        int index = timer.HeapIndex;
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && _heap[child + 1].Deadline < _heap[child].Deadline)
            {
                child++;
            }

            if (timer.Deadline <= _heap[child].Deadline)
            {
                break;
            }

            Place(_heap[child], index);
            index = child;
        }

        Place(timer, index);
    }
}
