using Portico.Differential.Tests.Systems;
using Portico.Kernel;
using static Portico.Kernel.SyscallNumber;

namespace Portico.Differential.Tests.Unix;

/// <summary>sendmmsg and recvmmsg, as operations and scenarios use them.</summary>
internal static unsafe class UnixScenarios
{
    public static void SendThree(Kit kit, long fd)
    {
        byte* bytes = stackalloc byte[12];
        IoVector* vectors = stackalloc IoVector[3];
        MultipleMessageHeader* messages = stackalloc MultipleMessageHeader[3];
        new Span<byte>(messages, 3 * sizeof(MultipleMessageHeader)).Clear();
        for (int i = 0; i < 3; i++)
        {
            new Span<byte>(bytes + (4 * i), 4).Fill((byte)('a' + i));
            vectors[i] = new IoVector(bytes + (4 * i), (nuint)(i + 2));
            messages[i].Header.Vectors = vectors + i;
            messages[i].Header.VectorCount = 1;
        }

        long result = kit.Raw(sendmmsg, fd, (long)messages, 3, (long)MessageFlags.MSG_NOSIGNAL);
        kit.Write($"sendmmsg {messages[0].Length} {messages[1].Length} {messages[2].Length}", result);
    }

    public static void ReceiveSome(Kit kit, long fd, int count, MessageFlags flags, long nanoseconds = -1)
    {
        byte[] room = new byte[16 * 8];
        long* time = stackalloc long[2] { nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000 };
        IoVector* vectors = stackalloc IoVector[8];
        MultipleMessageHeader* messages = stackalloc MultipleMessageHeader[8];
        new Span<byte>(messages, 8 * sizeof(MultipleMessageHeader)).Clear();
        fixed (byte* bytes = room)
        {
            for (int i = 0; i < count; i++)
            {
                vectors[i] = new IoVector(bytes + (16 * i), 16);
                messages[i].Header.Vectors = vectors + i;
                messages[i].Header.VectorCount = 1;
            }

            long result = kit.Raw(recvmmsg, fd, (long)messages, count, (long)flags, nanoseconds < 0 ? 0 : (long)time);
            kit.Write($"recvmmsg {count} {flags}", result);
            for (int i = 0; i < result; i++)
            {
                kit.Write($"  {messages[i].Header.Flags}", messages[i].Length, new ReadOnlySpan<byte>(bytes + (16 * i), (int)messages[i].Length));
            }
        }
    }
}
