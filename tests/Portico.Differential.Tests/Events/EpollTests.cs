using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.EpollFlags;
using static Portico.Kernel.EpollOperation;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Events;

/// <summary>epoll (F4, F5, F6, F7).</summary>
public sealed class EpollTests
{
    [Fact]
    public void A_closed_number_goes_on_being_watched_while_a_duplicate_lives() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN, 1);
        long copy = kit.Call(dup, reader);
        kit.Call(close, reader);
        kit.WriteBytes(writer, "x"u8);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EPOLL_CTL_DEL, reader, 0);
        kit.EpollControl(epoll, EPOLL_CTL_DEL, copy, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, copy, EPOLLIN, 2);
        kit.EpollWait(epoll);
        kit.Call(close, copy);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void An_interest_belongs_to_a_number_and_a_description() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        long epoll = kit.Call(epoll_create1, 0);
        long copy = kit.Call(dup, reader);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN, 1);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN, 1);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, copy, EPOLLIN, 2);
        kit.WriteBytes(writer, "x"u8);
        kit.EpollWait(epoll);

        // The same number for another description is another interest.
        kit.Call(dup2, writer, copy);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, copy, EPOLLOUT, 3);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void An_edge_is_told_once_and_each_write_is_one() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN | EPOLLET, 1);
        kit.EpollWait(epoll);
        kit.WriteBytes(writer, "abc"u8);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.Read(reader, 1);
        kit.EpollWait(epoll);
        kit.WriteBytes(writer, "d"u8);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EPOLL_CTL_MOD, reader, EPOLLIN | EPOLLET, 2);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
        kit.WriteBytes(writer, "e"u8);
        kit.Read(reader, 10);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void An_edge_of_room_is_told_when_a_full_pipe_is_read() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe(OpenFlags.O_NONBLOCK);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, writer, EPOLLOUT | EPOLLET, 1);
        kit.EpollWait(epoll);
        kit.WriteBytes(writer, new byte[1 << 20]);
        kit.EpollWait(epoll);
        kit.Read(reader, 100);
        kit.EpollWait(epoll);
        kit.Read(reader, 4096);
        kit.EpollWait(epoll);
        kit.Read(reader, 4096);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void A_one_shot_fires_once_until_it_is_armed_again() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLONESHOT, 1);
        kit.WriteUInt64(counter, 1);
        kit.EpollWait(epoll);
        kit.WriteUInt64(counter, 1);
        kit.EpollWait(epoll);
        kit.EpollControl(epoll, EPOLL_CTL_MOD, counter, EPOLLIN | EPOLLONESHOT, 2);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void Those_that_are_ready_take_turns_where_not_all_fit() => BothKernels.Run(kit =>
    {
        long epoll = kit.Call(epoll_create1, 0);
        for (ulong i = 0; i < 5; i++)
        {
            kit.EpollControl(epoll, EPOLL_CTL_ADD, kit.Call(eventfd2, 1, 0), EPOLLIN, i);
        }

        for (int i = 0; i < 6; i++)
        {
            kit.EpollWait(epoll, 2);
        }
    });

    [Fact]
    public void They_are_told_in_the_order_in_which_they_became_ready() => BothKernels.Run(kit =>
    {
        long epoll = kit.Call(epoll_create1, 0);
        long[] counters = [.. Enumerable.Range(0, 4).Select(_ => kit.Call(eventfd2, 0, 0))];
        for (int i = 0; i < 4; i++)
        {
            kit.EpollControl(epoll, EPOLL_CTL_ADD, counters[i], EPOLLIN | EPOLLET, (ulong)i);
        }

        kit.WriteUInt64(counters[2], 1);
        kit.WriteUInt64(counters[0], 1);
        kit.WriteUInt64(counters[3], 1);
        kit.WriteUInt64(counters[2], 1);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void The_end_of_the_other_side_is_told_as_hang_up_or_error() => BothKernels.Run(kit =>
    {
        (int reader, int writer) = kit.Pipe();
        (int reader2, int writer2) = kit.Pipe();
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, reader, EPOLLIN | EPOLLET, 1);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, writer2, EPOLLET, 2);
        kit.EpollWait(epoll);
        kit.Call(close, writer);
        kit.Call(close, reader2);
        kit.EpollWait(epoll);
        kit.EpollWait(epoll);
    });

    [Fact]
    public void A_nested_instance_is_readable_while_something_in_it_is_ready() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long inner = kit.Call(epoll_create1, 0);
        long outer = kit.Call(epoll_create1, 0);
        kit.EpollControl(inner, EPOLL_CTL_ADD, counter, EPOLLIN, 1);
        kit.EpollControl(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2);
        kit.EpollWait(outer);
        kit.WriteUInt64(counter, 1);
        kit.EpollWait(outer);
        kit.EpollWait(inner);
        kit.EpollWait(outer);
        kit.Read(counter, 8);
        kit.EpollWait(outer);
        kit.EpollWait(inner);
    });

    [Fact]
    public void A_nested_edge_is_told_once() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long inner = kit.Call(epoll_create1, 0);
        long outer = kit.Call(epoll_create1, 0);
        kit.EpollControl(inner, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET, 1);
        kit.EpollControl(outer, EPOLL_CTL_ADD, inner, EPOLLIN | EPOLLET, 2);
        kit.WriteUInt64(counter, 1);
        kit.EpollWait(outer);
        kit.EpollWait(outer);
        kit.EpollWait(inner);
        kit.WriteUInt64(counter, 1);
        kit.EpollWait(outer);
        kit.EpollWait(inner);
        kit.EpollWait(inner);
    });

    [Theory]
    [InlineData(2)]
    [InlineData(3)]
    public void Instances_cannot_watch_each_other_in_a_circle(int count) => BothKernels.Run(kit =>
    {
        long[] epolls = [.. Enumerable.Range(0, count).Select(_ => kit.Call(epoll_create1, 0))];
        for (int i = 0; i < count; i++)
        {
            kit.EpollControl(epolls[i], EPOLL_CTL_ADD, epolls[(i + 1) % count], EPOLLIN);
        }
    });

    [Fact]
    public void A_chain_of_instances_has_a_limit_from_above() => BothKernels.Run(kit =>
    {
        long[] epolls = [.. Enumerable.Range(0, 8).Select(_ => kit.Call(epoll_create1, 0))];
        for (int i = 0; i < 7; i++)
        {
            kit.EpollControl(epolls[i], EPOLL_CTL_ADD, epolls[i + 1], EPOLLIN);
        }
    });

    [Fact]
    public void A_chain_of_instances_has_a_limit_from_below() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long[] epolls = [.. Enumerable.Range(0, 8).Select(_ => kit.Call(epoll_create1, 0))];
        kit.EpollControl(epolls[0], EPOLL_CTL_ADD, counter, EPOLLIN);
        for (int i = 1; i < 8; i++)
        {
            kit.EpollControl(epolls[i], EPOLL_CTL_ADD, epolls[i - 1], EPOLLIN);
        }
    });

    [Fact]
    public void Four_exclusive_instances_on_one_file_wake_one_waiter_and_four_others_wake_all()
    {
        foreach (EpollFlags mode in (EpollFlags[])[0, EPOLLEXCLUSIVE])
        {
            BothKernels.Run(kit =>
            {
                long counter = kit.Call(eventfd2, 0, 0);
                List<Task<(string, long, byte[])>> waits = [];
                for (int i = 0; i < 4; i++)
                {
                    long epoll = kit.Call(epoll_create1, 0);
                    kit.EpollControl(epoll, EPOLL_CTL_ADD, counter, EPOLLIN | mode);
                    waits.Add(StartWait(kit, epoll, 300));
                }

                Kit.Settle();
                kit.WriteUInt64(counter, 1);
                foreach (Task wait in waits)
                {
                    wait.Wait();
                }

                kit.Note($"woken: {waits.Count(w => w.Result.Item2 == 1)}");
            });
        }
    }

    [Fact]
    public void One_edge_wakes_one_of_four_threads_that_wait_on_the_same_instance() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, counter, EPOLLIN | EPOLLET);
        List<Task<(string, long, byte[])>> waits = [.. Enumerable.Range(0, 4).Select(_ => StartWait(kit, epoll, 300))];
        Kit.Settle();
        kit.WriteUInt64(counter, 1);
        foreach (Task wait in waits)
        {
            wait.Wait();
        }

        kit.Note($"woken: {waits.Count(w => w.Result.Item2 == 1)}");
    });

    [Fact]
    public void A_wait_ends_by_an_interest_that_is_added_meanwhile() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 1, 0);
        long epoll = kit.Call(epoll_create1, 0);
        var wait = StartWait(kit, epoll, 10_000);
        Kit.Settle();
        kit.EpollControl(epoll, EPOLL_CTL_ADD, counter, EPOLLIN);
        kit.Join(wait);
    });

    [Fact]
    public void A_wait_goes_on_when_its_instance_is_closed() => BothKernels.Run(kit =>
    {
        long counter = kit.Call(eventfd2, 0, 0);
        long epoll = kit.Call(epoll_create1, 0);
        kit.EpollControl(epoll, EPOLL_CTL_ADD, counter, EPOLLIN);
        var wait = StartWait(kit, epoll, 10_000);
        Kit.Settle();
        kit.Call(close, epoll);
        Kit.Settle();
        kit.NoteWhetherDone("epoll_wait", wait);
        kit.WriteUInt64(counter, 1);
        kit.Join(wait);
    });

    private static unsafe Task<(string Call, long Result, byte[] Bytes)> StartWait(Kit kit, long epoll, int timeout) => kit.Start("epoll_wait", () =>
    {
        byte* events = stackalloc byte[12 * 4];
        long result = kit.Raw(epoll_wait, epoll, (long)events, 4, timeout);
        return (result, []);
    });
}
