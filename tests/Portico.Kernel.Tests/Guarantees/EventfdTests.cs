using Portico.Net;

namespace Portico.Kernel.Tests.Guarantees;

/// <summary>
/// An eventfd's count changes without the kernel's lock while nobody waits for it: nothing is counted twice or lost, and nobody is left
/// waiting, however those that look, those that wait and those that poll come and go.
/// </summary>
public sealed class EventfdTests
{
    private const int Writes = 60_000;

    /// <summary>A number that no sum of the others reaches; whoever reads it hands it on.</summary>
    private const long End = 1L << 30;

    [Fact]
    public void Every_number_written_is_read_once()
    {
        using TestKernel test = new();
        Process process = test.Process;
        int fd = process.Eventfd(0, EventfdFlags.None).OrThrow();
        long read = 0;
        int writers = 2;
        void WriteAll()
        {
            for (int i = 0; i < Writes; i++)
            {
                RestNowAndThen(i);
                process.Write(fd, BitConverter.GetBytes(1 + (i % 3L))).OrThrow();
            }

            if (Interlocked.Decrement(ref writers) == 0)
            {
                process.Write(fd, BitConverter.GetBytes(End)).OrThrow();
            }
        }

        void ReadAll(bool polls)
        {
            byte[] buffer = new byte[8];
            bool isEnd = false;
            while (!isEnd)
            {
                if (polls)
                {
                    PollDescriptor[] list = [new PollDescriptor { Fd = fd, Events = (short)SocketEvents.Readable }];
                    Assert.True(process.Poll(list, 60_000).Raw == 1, "a wake-up was lost");
                }

                process.Read(fd, buffer).OrThrow();
                long number = BitConverter.ToInt64(buffer);
                isEnd = number >= End;
                Interlocked.Add(ref read, number % End);
            }

            process.Write(fd, BitConverter.GetBytes(End)).OrThrow();
        }

        TestKernel.Together(WriteAll, WriteAll, () => ReadAll(polls: false), () => ReadAll(polls: false), () => ReadAll(polls: true));
        Assert.Equal(2 * Writes * 2, read);
        test.AssertNothingIsLeft();
    }

    [Fact]
    public void A_semaphore_lets_as_many_through_as_it_was_given()
    {
        using TestKernel test = new();
        Process process = test.Process;
        int fd = process.Eventfd(1, EventfdFlags.EFD_SEMAPHORE).OrThrow();
        int tickets = 0;
        void Post()
        {
            for (int i = 0; i < Writes; i++)
            {
                RestNowAndThen(i);
                process.Write(fd, BitConverter.GetBytes(1L)).OrThrow();
            }
        }

        void Wait()
        {
            byte[] buffer = new byte[8];
            while (Interlocked.Increment(ref tickets) <= 2 * Writes)
            {
                process.Read(fd, buffer).OrThrow();
                Assert.Equal(1, BitConverter.ToInt64(buffer));
            }
        }

        TestKernel.Together(Post, Post, Wait, Wait, Wait);
        using (test.Kernel.Driver.Enter())
        {
            Assert.Equal(SocketEvents.Readable | SocketEvents.Writable, test.Of(process, fd)!.File.Poll());
        }

        byte[] last = new byte[8];
        Assert.Equal(8, process.Read(fd, last).Raw);
        Sockets.SetNonBlocking(process, fd, true);
        Assert.Equal(Errno.EAGAIN, process.Read(fd, last).Error);
        test.AssertNothingIsLeft();
    }

    /// <summary>So that the readers find nothing for long enough to sleep.</summary>
    private static void RestNowAndThen(int round)
    {
        if (round % 3_000 == 0)
        {
            Thread.Sleep(1);
        }
    }
}
