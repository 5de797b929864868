using Portico.Net;

namespace Portico.Kernel;

/// <summary>A thread's place in the queue of one of the files that it polls; what it hears it passes on to the thread's own waiter.</summary>
internal sealed class PollWaiter : Waiter
{
    [ThreadStatic]
    private static PollWaiter?[]? t_cached;

    /// <summary>The description that is polled, which the poll holds.</summary>
    public OpenFileDescription? Description { get; private set; }

    private BlockingWaiter Target { get; } = BlockingWaiter.Current;

    /// <summary>The calling thread's own waiters, at least as many as asked for.</summary>
    public static PollWaiter?[] Rent(int count)
    {
        if (t_cached == null || t_cached.Length < count)
        {
            Array.Resize(ref t_cached, Math.Max(16, (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)count)));
        }

        return t_cached;
    }

    /// <summary>Under the lock: queues it.</summary>
    public void Begin(OpenFileDescription description, SocketEvents interest)
    {
        description.AddReference();
        Description = description;
        Interest = interest;
        description.File.Waiters.Add(this);
    }

    /// <summary>Under the lock: takes it out of the queue.</summary>
    public void End(StackDriver driver)
    {
        if (Description is { } description)
        {
            Description = null;
            description.File.Waiters.Remove(this, driver);
            description.Release();
        }
    }

    internal override void Notify(SocketEvents events, StackDriver driver) => Target.Notify(events, driver);

    protected override void Wake()
    {
    }
}
