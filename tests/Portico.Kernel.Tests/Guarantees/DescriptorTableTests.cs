using CsCheck;
using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>F1, F2 and F14: numbers, what they stand for, and tables that are copied and shared.</summary>
public sealed class DescriptorTableTests
{
    private const int NumbersMax = 48;

    private sealed record Operation(int Kind, int First, int Second);

    private static readonly Gen<Operation> s_operations = Gen.Select(
        Gen.Int[0, 10], Gen.Int[0, NumbersMax], Gen.Int[0, NumbersMax], (kind, first, second) => new Operation(kind, first, second));

    /// <summary>What a table is: from numbers to the description, and whether exec closes it.</summary>
    private sealed class Model
    {
        public SortedDictionary<int, (OpenFileDescription Description, bool CloseOnExec)> Open { get; private set; } = [];

        public int Limit { get; set; } = 32;

        public int LowestFree(int least)
        {
            while (Open.ContainsKey(least))
            {
                least++;
            }

            return least < Limit ? least : -1;
        }

        public void Keep(Func<int, (OpenFileDescription Description, bool CloseOnExec), bool> isKept) =>
            Open = new(Open.Where(entry => isKept(entry.Key, entry.Value)).ToDictionary());
    }

    [Fact]
    public void Any_sequence_of_calls_leaves_the_numbers_that_the_model_has()
    {
        using TestKernel test = new();
        s_operations.Array[1, 120].Sample(
            operations =>
            {
                Process process = test.NewProcess(new ResourceLimit(32, 64));
                Model model = new();
                foreach (Operation operation in operations)
                {
                    process = Apply(test, process, model, operation);
                    for (int fd = 0; fd <= NumbersMax + 1; fd++)
                    {
                        Assert.Same(model.Open.TryGetValue(fd, out var entry) ? entry.Description : null, test.Of(process, fd));
                    }
                }

                process.Exit();
            },
            iter: 400);
        test.AssertNothingIsLeft();
    }

    private static Process Apply(TestKernel test, Process process, Model model, Operation operation)
    {
        (int first, int second) = (operation.First, operation.Second);
        bool isOpen = model.Open.TryGetValue(first, out (OpenFileDescription Description, bool CloseOnExec) entry);
        switch (operation.Kind)
        {
            case 0 or 1:
                Opened(process.Eventfd(0, (first & 1) == 0 ? EventfdFlags.EFD_CLOEXEC : EventfdFlags.None), 0, null, (first & 1) == 0);
                break;
            case 2:
                Assert.Equal(isOpen ? Errno.None : Errno.EBADF, process.Close(first).Error);
                model.Open.Remove(first);
                break;
            case 3 when isOpen:
                Opened(process.Dup(first), 0, entry.Description, false);
                break;
            case 4 when isOpen && second < model.Limit:
                Opened(process.Fcntl(first, FcntlCommand.F_DUPFD_CLOEXEC, second), second, entry.Description, true);
                break;
            case 5:
                // Onto itself it looks at no limit, as in Linux.
                bool canReplace = isOpen && (first == second || second < model.Limit);
                Assert.Equal(canReplace ? second : -1, process.Dup2(first, second).Value);
                if (canReplace && first != second)
                {
                    model.Open[second] = (entry.Description, false);
                }

                break;
            case 6:
                process.CloseRange((uint)Math.Min(first, second), (uint)Math.Max(first, second), CloseRangeFlags.None).OrThrow();
                model.Keep((fd, _) => fd < Math.Min(first, second) || fd > Math.Max(first, second));
                break;
            case 7:
                model.Limit = Math.Clamp(first, 8, 40);
                process.SetRlimit(Resource.RLIMIT_NOFILE, new ResourceLimit((ulong)model.Limit, 64)).OrThrow();
                break;
            case 8:
                // The parent goes; what it had is the child's alone.
                Process child = process.Fork();
                process.Exit();
                return child;
            case 9:
                process.Exec();
                model.Keep((_, kept) => !kept.CloseOnExec);
                break;
            case 10:
                SyscallResult made = process.Pipe2(OpenFlags.O_CLOEXEC, out int reader, out int writer);
                int lower = model.LowestFree(0);
                int upper = lower < 0 ? -1 : model.LowestFree(lower + 1);
                Assert.Equal(upper < 0 ? Errno.EMFILE : Errno.None, made.Error);
                if (upper >= 0)
                {
                    Assert.Equal((lower, upper), (reader, writer));
                    model.Open[reader] = (test.Of(process, reader)!, true);
                    model.Open[writer] = (test.Of(process, writer)!, true);
                }

                break;
        }

        return process;

        void Opened(SyscallResult result, int least, OpenFileDescription? expected, bool closeOnExec)
        {
            int free = model.LowestFree(least);
            Assert.Equal(free < 0 ? (SyscallResult)Errno.EMFILE : free, result);
            if (free >= 0)
            {
                model.Open[free] = (expected ?? test.Of(process, free)!, closeOnExec);
            }
        }
    }

    [Fact]
    public void Calls_of_several_threads_have_happened_in_some_order()
    {
        using TestKernel test = new();
        Gen.Const(() => test.NewProcess(new ResourceLimit(16, 16))).SampleParallel(
            Gen.Int[0, 3].Operation<Process>(i => $"eventfd {i}", (process, i) => process.Eventfd((uint)i, EventfdFlags.None)),
            Gen.Int[0, 8].Operation<Process>(fd => $"close {fd}", (process, fd) => process.Close(fd)),
            Gen.Int[0, 8].Operation<Process>(fd => $"dup {fd}", (process, fd) => process.Dup(fd)),
            Gen.Select(Gen.Int[0, 8], Gen.Int[0, 8]).Operation<Process>(pair => $"dup2 {pair}", (process, pair) => process.Dup2(pair.Item1, pair.Item2)),
            Gen.Operation<Process>("pipe", process => process.Pipe2(0, out _, out _)),
            equal: (one, other) => Show(one).SequenceEqual(Show(other)),
            print: process => string.Join(' ', Show(process)),
            iter: 300);
        test.AssertNothingIsLeft();

        // Which numbers are open and which of them are the same description, the first of whose numbers stands for it; and an eventfd's value.
        string[] Show(Process process) => [.. Enumerable.Range(0, 16).Select(fd =>
        {
            OpenFileDescription? description = test.Of(process, fd);
            int same = description == null ? -1 : Enumerable.Range(0, fd + 1).First(other => test.Of(process, other) == description);
            return $"{fd}:{same}:{description?.File.GetType().Name}:{description?.ReferenceCount}";
        })];
    }

    [Fact]
    public void A_number_that_is_used_again_is_never_met_by_a_call_on_what_it_was_before()
    {
        using TestKernel test = new();
        const int Threads = 6;
        const int Rounds = 400;
        TestKernel.Together([.. Enumerable.Range(0, Threads).Select(thread => (Action)(() =>
        {
            // Each thread opens, writes what only it can have written, has a reader wait, and closes the reader's number under it: the
            // other threads' next files take that number at once.
            Process process = test.Process;
            for (int round = 0; round < Rounds; round++)
            {
                long tag = ((long)thread << 32) | (uint)round;
                process.Pipe2(0, out int reader, out int writer).OrThrow();
                OpenFileDescription description = test.Of(process, reader)!;
                long read = -1;
                Thread waiting = new(() =>
                {
                    Span<byte> buffer = stackalloc byte[8];
                    read = process.Read(reader, buffer).Raw == 8 ? BitConverter.ToInt64(buffer) : -2;
                });
                waiting.Start();
                SpinWait.SpinUntil(() => description.ReferenceCount == 2);
                process.Close(reader).OrThrow();
                Assert.Equal(8, process.Write(writer, BitConverter.GetBytes(tag)).Raw);
                waiting.Join();
                Assert.Equal(tag, read);
                Assert.Equal(0, description.ReferenceCount);
                Assert.Equal(Errno.EPIPE, process.Write(writer, [1]).Error);
                process.Close(writer).OrThrow();
            }
        }))]);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void Forked_processes_share_descriptions_and_those_with_one_table_share_numbers()
    {
        using TestKernel test = new();
        Process parent = test.Process;
        int file = parent.Open("/tmp/shared", OpenFlags.O_CREAT | OpenFlags.O_RDWR, 0x180).OrThrow();
        Process child = parent.Fork();
        Process sibling = parent.Fork(shareDescriptors: true);
        Assert.Equal(3, child.Write(file, "abc"u8).Raw);
        Assert.Equal(3, parent.Lseek(file, 0, SeekWhence.SEEK_CUR).Raw);
        int own = child.Eventfd(0, EventfdFlags.None).OrThrow();
        int common = sibling.Eventfd(0, EventfdFlags.None).OrThrow();
        Assert.Equal(own, common);
        Assert.NotSame(test.Of(child, own), test.Of(parent, common));
        Assert.Same(test.Of(sibling, common), test.Of(parent, common));
        parent.Close(file).OrThrow();
        Assert.Equal(Errno.EBADF, sibling.Lseek(file, 0, SeekWhence.SEEK_CUR).Error);
        Assert.Equal(3, child.Lseek(file, 0, SeekWhence.SEEK_CUR).Raw);

        // CLOSE_RANGE_UNSHARE gives the caller a table of its own first.
        sibling.CloseRange(0, uint.MaxValue, CloseRangeFlags.CLOSE_RANGE_UNSHARE).OrThrow();
        Assert.NotNull(test.Of(parent, common));
        Assert.Null(test.Of(sibling, common));
        parent.Exit();
        Assert.Equal(1, child.Write(file, "d"u8).Raw);
        child.Unlinkat(Process.AT_FDCWD, "/tmp/shared"u8, 0).OrThrow();
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void The_end_of_a_process_ends_its_calls_and_leaves_no_byte_half_read()
    {
        using TestKernel test = new();
        Process writer = test.Process;
        for (int round = 0; round < 200; round++)
        {
            writer.Pipe2(0, out int input, out int output).OrThrow();
            Process reader = writer.Fork();
            long read = 0;
            TestKernel.Together(
                () =>
                {
                    Span<byte> one = stackalloc byte[1];
                    SyscallResult result;
                    while ((result = reader.Read(input, one)).Raw == 1)
                    {
                        read++;
                    }

                    Assert.True(result.Error is Errno.EINTR or Errno.ESRCH, result.ToString());
                },
                () => writer.Write(output, new byte[100]).OrThrow(),
                reader.Exit);

            // What the reader has not read is still there.
            byte[] rest = new byte[200];
            long left = writer.Fcntl(input, FcntlCommand.F_SETFL, (long)OpenFlags.O_NONBLOCK).Raw == 0 ? Math.Max(0, writer.Read(input, rest).Raw) : -1;
            Assert.Equal(100, read + left);
            writer.Close(input).OrThrow();
            writer.Close(output).OrThrow();
        }

        test.AssertNothingIsLeft();
    }
}
