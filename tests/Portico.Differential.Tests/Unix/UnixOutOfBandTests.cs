using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using Portico.Net;
using static Portico.Kernel.MessageFlags;
using static Portico.Kernel.SocketType;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>MSG_OOB of unix streams (F20).</summary>
public sealed unsafe class UnixOutOfBandTests
{
    private const SocketEvents Everything = (SocketEvents)0x7FFF;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_read_stops_before_the_byte_and_then_passes_over_it_or_not(bool inline) => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Option(first, 1, (int)SocketOption.SO_OOBINLINE, inline ? 1 : 0);
        kit.Send(second, "abcd!"u8, MSG_OOB);
        kit.Send(second, "efg"u8);
        Look(kit, first);
        kit.Receive(first, 100, MSG_DONTWAIT);
        Look(kit, first);
        kit.Receive(first, 100, MSG_DONTWAIT | MSG_PEEK);
        kit.Receive(first, 100, MSG_DONTWAIT);
        Look(kit, first);
        kit.Receive(first, 1, MSG_OOB);
    });

    [Fact]
    public void A_second_byte_takes_the_place_of_the_first() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "a!"u8, MSG_OOB);
        kit.Send(second, "b?"u8, MSG_OOB);
        Look(kit, first);
        kit.Receive(first, 1, MSG_OOB);
        kit.Receive(first, 1, MSG_OOB);
        kit.Receive(first, 100, MSG_DONTWAIT);
        Look(kit, first);
    });

    [Fact]
    public void Bytes_that_were_read_out_of_band_leave_marks_that_do_no_harm() => BothKernels.Run(kit =>
    {
        // The sequence of CVE-2025-38236.
        (long first, long second) = kit.Pair(SOCK_STREAM);
        for (int i = 0; i < 2; i++)
        {
            kit.Send(second, "!"u8, MSG_OOB);
            kit.Receive(first, 1, MSG_OOB);
        }

        kit.Send(second, "?"u8, MSG_OOB);
        kit.Receive(first, 1, MSG_DONTWAIT);
        kit.Receive(first, 1, MSG_OOB);
        Look(kit, first);
    });

    [Fact]
    public void A_mark_that_is_left_is_no_unread_data() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "!"u8, MSG_OOB);
        kit.Receive(first, 1, MSG_OOB);
        kit.Call(close, first);
        kit.Read(second, 10);
    });

    [Fact]
    public void FIONREAD_does_not_count_a_byte_that_was_passed_over() => BothKernels.Run(kit =>
    {
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.Send(second, "a!"u8, MSG_OOB);
        kit.IoctlInt(first, IoctlRequest.FIONREAD);
        kit.Receive(first, 100, MSG_DONTWAIT);
        kit.Receive(first, 100, MSG_DONTWAIT);
        int bytes = -1;
        kit.Raw(ioctl, first, (long)IoctlRequest.FIONREAD, (long)(&bytes));
        kit.Differs("FIONREAD", bytes, linux: 1, portico: 0);
    });

    [Theory]
    [MemberData(nameof(Seeds))]
    public void Any_sequence_reads_the_same(int seed) => BothKernels.Run(kit =>
    {
        Random random = new(seed);
        (long first, long second) = kit.Pair(SOCK_STREAM);
        kit.NonBlocking(first);
        byte next = (byte)'a';
        for (int i = 0; i < 60; i++)
        {
            switch (random.Next(9))
            {
                case 0 or 1:
                    kit.Send(second, Next(random.Next(1, 4)));
                    break;
                case 2 or 3:
                    kit.Send(second, Next(random.Next(1, 3)), MSG_OOB);
                    break;
                case 4:
                    kit.Receive(first, 1, MSG_OOB | (random.Next(2) == 0 ? MSG_PEEK : 0));
                    break;
                case 5:
                    kit.Receive(first, random.Next(0, 6), MSG_PEEK);
                    break;
                case 6 when random.Next(3) == 0:
                    kit.Option(first, 1, (int)SocketOption.SO_OOBINLINE, random.Next(2));
                    break;
                default:
                    kit.Receive(first, random.Next(0, 6));
                    break;
            }

            Look(kit, first);
        }

        byte[] Next(int count)
        {
            byte[] bytes = new byte[count];
            for (int i = 0; i < count; i++)
            {
                bytes[i] = next++;
            }

            return bytes;
        }
    });

    public static TheoryData<int> Seeds => [.. Enumerable.Range(1, 40)];

    private static void Look(Kit kit, long fd)
    {
        kit.IoctlInt(fd, IoctlRequest.SIOCATMARK);
        kit.Poll(0, (fd, Everything));
    }
}
