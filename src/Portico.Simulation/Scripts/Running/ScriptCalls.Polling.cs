using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Portico.Kernel;
using Portico.Net;

namespace Portico.Simulation.Scripts;

// poll, epoll, pipes and files.
internal static partial class ScriptCalls
{
    /// <summary>struct epoll_event is packed on x86-64 only.</summary>
    private static readonly int s_epollEventBytes = RuntimeInformation.ProcessArchitecture == Architecture.X64 ? 12 : 16;

    private static readonly int s_epollDataOffset = s_epollEventBytes - 8;

    private static void Poll(CallFrame frame)
    {
        const int PollBytes = 8;
        frame.RequireArguments(3);
        if (frame.Argument(0) is not ListExpression list || list.Items.Count != frame.Int(1))
        {
            throw frame.Fail("expected [{fd=..., events=..., revents=...}, ...] and how many there are");
        }

        byte[] descriptors = new byte[list.Items.Count * PollBytes];
        short[] expected = new short[list.Items.Count];
        for (int i = 0; i < list.Items.Count; i++)
        {
            if (list.Items[i] is not StructureExpression item || item["fd"] is not { } fd || item["events"] is not { } events)
            {
                throw frame.Fail("expected {fd=..., events=..., revents=...}");
            }

            BitConverter.TryWriteBytes(descriptors.AsSpan(i * PollBytes), frame.Run.ToLiveFd(frame, (int)frame.Evaluate(fd)));
            BitConverter.TryWriteBytes(descriptors.AsSpan((i * PollBytes) + 4), (short)frame.Evaluate(events));
            expected[i] = item["revents"] is { } returned ? (short)frame.Evaluate(returned) : (short)0;
        }

        nint memory = frame.Memory.Put(descriptors);
        frame.Invoke(SyscallNumber.poll, memory, list.Items.Count, frame.Int(2));
        for (int i = 0; i < expected.Length; i++)
        {
            short actual = BitConverter.ToInt16(CallMemory.Read(memory + (i * PollBytes) + 6, 2));
            if (actual != expected[i])
            {
                throw frame.Fail($"revents of entry {i + 1}", ShowEvents((ushort)expected[i]), ShowEvents((ushort)actual));
            }
        }
    }

    private static string ShowEvents(uint events) => events == 0 ? "0" : $"{(SocketEvents)events} (0x{events:x})";

    private static void EpollCreate(CallFrame frame)
    {
        frame.RequireArguments(1);
        long fd = frame.Invoke(SyscallNumber.epoll_create, frame.Int(0), returnsFd: true);
        if (fd >= 0)
        {
            frame.Run.AddFd(frame, (int)frame.Evaluate(frame.Call.Result), (int)fd);
        }
    }

    /// <summary>{events=..., fd=...}, or ptr, u32 or u64 in place of fd.</summary>
    private static (uint Events, ulong Data) EpollEvent(CallFrame frame, int index)
    {
        if (frame.Argument(index) is StructureExpression { Fields: [{ Name: "events" } events, StructureField data] })
        {
            long value = frame.Evaluate(data.Value);
            switch (data.Name)
            {
                case "fd":
                    return ((uint)frame.Evaluate(events.Value), (uint)frame.Run.ToLiveFd(frame, (int)value));
                case "ptr" or "u64":
                    return ((uint)frame.Evaluate(events.Value), (ulong)value);
                case "u32":
                    return ((uint)frame.Evaluate(events.Value), (uint)value);
            }
        }

        throw frame.Fail("expected {events=..., fd=...}, or ptr, u32 or u64 in place of fd");
    }

    private static void EpollControl(CallFrame frame)
    {
        frame.RequireArguments(4);
        (uint events, ulong data) = EpollEvent(frame, 3);
        byte[] request = new byte[s_epollEventBytes];
        BitConverter.TryWriteBytes(request, events);
        BitConverter.TryWriteBytes(request.AsSpan(s_epollDataOffset), data);
        frame.Invoke(SyscallNumber.epoll_ctl, frame.Fd(0), frame.Int(1), frame.Fd(2), frame.Memory.Put(request));
    }

    private static void EpollWait(CallFrame frame)
    {
        frame.RequireArguments(4);
        (uint events, ulong data) = EpollEvent(frame, 1);
        int most = Math.Clamp(frame.Int(2), 0, 1024);
        nint memory = frame.Memory.Allocate((long)most * s_epollEventBytes);
        frame.Invoke(SyscallNumber.epoll_wait, frame.Fd(0), memory, frame.Int(2), frame.Int(3));
        ReadOnlySpan<byte> first = CallMemory.Read(memory, s_epollEventBytes);
        uint actualEvents = BitConverter.ToUInt32(first);
        ulong actualData = BitConverter.ToUInt64(first[s_epollDataOffset..]);
        if (actualEvents != events || actualData != data)
        {
            throw frame.Fail("the first event is another", $"{ShowEvents(events)}, data {data}", $"{ShowEvents(actualEvents)}, data {actualData}");
        }
    }

    private static void Pipe(CallFrame frame)
    {
        frame.RequireArguments(1);
        if (frame.Argument(0) is not ListExpression { Items: [Expression reader, Expression writer] })
        {
            throw frame.Fail("expected [reader, writer]");
        }

        nint fds = frame.Memory.Allocate(2 * sizeof(int));
        if (frame.Invoke(SyscallNumber.pipe, fds) >= 0)
        {
            frame.Run.AddFd(frame, (int)frame.Evaluate(reader), CallMemory.ReadInt(fds));
            frame.Run.AddFd(frame, (int)frame.Evaluate(writer), CallMemory.ReadInt(fds + sizeof(int)));
        }
    }

    private static void Splice(CallFrame frame)
    {
        frame.RequireArguments(6);
        if (frame.Number(1) != 0 || frame.Number(3) != 0)
        {
            throw frame.Fail("positions have to be NULL");
        }

        frame.Invoke(SyscallNumber.splice, frame.Fd(0), 0, frame.Fd(2), 0, frame.Int(4), frame.Int(5));
    }

    private static void Open(CallFrame frame)
    {
        const int AtCurrentDirectory = -100;
        frame.RequireArguments(2);
        byte[] path = frame.Argument(0) is StringExpression text ? [.. text.Bytes, 0] : throw frame.Fail("argument 1 has to be a path");
        long fd = frame.Invoke(SyscallNumber.openat, AtCurrentDirectory, frame.Memory.Put(path), frame.Int(1), returnsFd: true);
        if (fd >= 0)
        {
            frame.Run.AddFd(frame, (int)frame.Evaluate(frame.Call.Result), (int)fd);
        }
    }

    private static void SendFile(CallFrame frame)
    {
        frame.RequireArguments(4);
        nint offset = frame.Memory.Put(BitConverter.GetBytes(frame.Bracketed(2)));
        frame.Invoke(SyscallNumber.sendfile, frame.Fd(0), frame.Fd(1), offset, frame.Int(3));
    }
}
