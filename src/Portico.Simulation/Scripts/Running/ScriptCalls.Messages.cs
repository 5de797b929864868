using System.Runtime.InteropServices;
using Portico.Kernel;

namespace Portico.Simulation.Scripts;

// sendmsg and recvmsg, with control messages.
internal static partial class ScriptCalls
{
    private const int ControlHeaderBytes = 16;
    private const int ExtendedErrorBytes = 16;
    private const int TimestampingBytes = 48;
    private const int SOL_SOCKET = 1;
    private const int SOL_IP = 0;
    private const int SCM_TIMESTAMPING = 37;

    private static readonly string[] s_extendedErrorFields = ["ee_errno", "ee_origin", "ee_type", "ee_code", "ee_info", "ee_data"];

    /// <summary>A control message as a script has it.</summary>
    private sealed record ControlTemplate(int Level, int Type, byte[] Data, Expression Source);

    private static StructureExpression Header(CallFrame frame)
    {
        frame.RequireArguments(3);
        if (frame.Argument(1) is StructureExpression header && header.Has("msg_name") && header["msg_iov"] is ListExpression pieces && header.Has("msg_flags"))
        {
            Expression? count = header.Fields.Find(static field => field.Name == "msg_iov")!.Length;
            return count == null || frame.Evaluate(count) == pieces.Items.Count ? header : throw frame.Fail($"msg_iov has {pieces.Items.Count} pieces");
        }

        throw frame.Fail("expected {msg_name(...)=..., msg_iov(1)=[{..., length}], msg_flags=..., msg_control=[...]}");
    }

    private static List<ControlTemplate> Controls(CallFrame frame, StructureExpression header)
    {
        List<ControlTemplate> controls = [];
        foreach (Expression item in header["msg_control"] is ListExpression list ? list.Items : [])
        {
            if (item is not StructureExpression control || control["cmsg_level"] is not { } levelExpression
                || control["cmsg_type"] is not { } type || control["cmsg_data"] is not { } data)
            {
                throw frame.Fail("expected {cmsg_level=..., cmsg_type=..., cmsg_data=...}");
            }

            int level = (int)frame.Evaluate(levelExpression);
            controls.Add(new ControlTemplate(level, (int)frame.Evaluate(type), ControlData(frame, level, data), data));
        }

        return controls;
    }

    private static byte[] ControlData(CallFrame frame, int level, Expression data)
    {
        if (data is not StructureExpression structure)
        {
            return BitConverter.GetBytes((int)frame.Evaluate(data));
        }

        if (structure["scm_sec"] is { } seconds && structure["scm_nsec"] is { } nanoseconds)
        {
            byte[] times = new byte[TimestampingBytes];
            BitConverter.TryWriteBytes(times, frame.Evaluate(seconds));
            BitConverter.TryWriteBytes(times.AsSpan(8), frame.Evaluate(nanoseconds));
            return times;
        }

        if (!s_extendedErrorFields.All(structure.Has))
        {
            throw frame.Fail("expected {ee_errno=..., ee_origin=..., ee_type=..., ee_code=..., ee_info=..., ee_data=...} or {scm_sec=..., scm_nsec=...}");
        }

        // Behind the error stands the address of who reported it.
        const int Ipv4AddressBytes = 16;
        const int Ipv6AddressBytes = 28;
        byte[] error = new byte[ExtendedErrorBytes + (level == SOL_IP ? Ipv4AddressBytes : Ipv6AddressBytes)];
        BitConverter.TryWriteBytes(error, (uint)frame.Evaluate(structure["ee_errno"]!));
        error[4] = (byte)frame.Evaluate(structure["ee_origin"]!);
        error[5] = (byte)frame.Evaluate(structure["ee_type"]!);
        error[6] = (byte)frame.Evaluate(structure["ee_code"]!);
        BitConverter.TryWriteBytes(error.AsSpan(8), (uint)frame.Evaluate(structure["ee_info"]!));
        BitConverter.TryWriteBytes(error.AsSpan(12), (uint)frame.Evaluate(structure["ee_data"]!));
        return error;
    }

    private static int Aligned(int length) => (length + 7) & ~7;

    private static byte[] Write(List<ControlTemplate> controls)
    {
        byte[] bytes = new byte[controls.Sum(static control => Aligned(ControlHeaderBytes + control.Data.Length))];
        int position = 0;
        foreach (ControlTemplate control in controls)
        {
            Span<byte> place = bytes.AsSpan(position);
            BitConverter.TryWriteBytes(place, (long)(ControlHeaderBytes + control.Data.Length));
            BitConverter.TryWriteBytes(place[8..], control.Level);
            BitConverter.TryWriteBytes(place[12..], control.Type);
            control.Data.CopyTo(place[ControlHeaderBytes..]);
            position += Aligned(ControlHeaderBytes + control.Data.Length);
        }

        return bytes;
    }

    private static unsafe nint WriteHeader(CallFrame frame, StructureExpression header, nint name, int nameLength, byte[] control)
    {
        (nint vectors, int count) = Vectors(frame, header["msg_iov"]);
        MessageHeader message = new()
        {
            Name = (void*)name,
            NameLength = (uint)nameLength,
            Vectors = (IoVector*)vectors,
            VectorCount = (nuint)count,
            Control = (void*)frame.Memory.Put(control),
            ControlLength = (nuint)control.Length,
        };
        return frame.Memory.Put(MemoryMarshal.AsBytes(new ReadOnlySpan<MessageHeader>(in message)));
    }

    private static void SendMessage(CallFrame frame)
    {
        StructureExpression header = Header(frame);
        int fd = frame.Fd(0);
        (nint address, int length) = BeginConnect(frame, -1);
        if (frame.Evaluate(header["msg_flags"]!) != 0)
        {
            throw frame.Fail("msg_flags has to be 0: sendmsg does not look at it");
        }

        frame.Invoke(SyscallNumber.sendmsg, fd, WriteHeader(frame, header, address, length, Write(Controls(frame, header))), frame.Int(2));
    }

    private static unsafe void ReceiveMessage(CallFrame frame)
    {
        StructureExpression header = Header(frame);
        List<ControlTemplate> expected = Controls(frame, header);

        // As much room as what is expected takes: more would be cut off, and say so.
        byte[] room = new byte[expected.Sum(static control => Aligned(ControlHeaderBytes + control.Data.Length))];
        nint message = WriteHeader(frame, header, frame.Memory.Allocate(AddressBytes), AddressBytes, room);
        if (frame.Invoke(SyscallNumber.recvmsg, frame.Fd(0), message, frame.Int(2)) < 0)
        {
            return;
        }

        MessageHeader received = *(MessageHeader*)message;
        int flags = (int)frame.Evaluate(header["msg_flags"]!);
        if ((int)received.Flags != flags)
        {
            throw frame.Fail("msg_flags", $"0x{flags:x}", $"0x{(int)received.Flags:x}");
        }

        CheckControls(frame, expected, CallMemory.Read((nint)received.Control, (int)received.ControlLength));
    }

    private static void CheckControls(CallFrame frame, List<ControlTemplate> expected, ReadOnlySpan<byte> actual)
    {
        int count = 0;
        while (actual.Length >= ControlHeaderBytes)
        {
            int length = (int)BitConverter.ToInt64(actual);
            int level = BitConverter.ToInt32(actual[8..]);
            int type = BitConverter.ToInt32(actual[12..]);
            if (count == expected.Count)
            {
                throw frame.Fail($"there are more than {count} control messages");
            }

            ControlTemplate control = expected[count++];
            if (level != control.Level || type != control.Type || length != ControlHeaderBytes + control.Data.Length)
            {
                throw frame.Fail(
                    $"control message {count}",
                    $"level {control.Level}, type {control.Type}, {ControlHeaderBytes + control.Data.Length} bytes", $"level {level}, type {type}, {length} bytes");
            }

            CheckControl(frame, control, count, actual[ControlHeaderBytes..length]);
            actual = actual[Math.Min(actual.Length, Aligned(length))..];
        }

        if (count < expected.Count)
        {
            throw frame.Fail($"there are {count} control messages, not {expected.Count}");
        }
    }

    private static void CheckControl(CallFrame frame, ControlTemplate control, int index, ReadOnlySpan<byte> actual)
    {
        if (control is { Level: SOL_SOCKET, Type: SCM_TIMESTAMPING })
        {
            CheckTimes(frame, control, index, actual);
            return;
        }

        // Of an error, the address behind is not compared.
        int compared = control.Source is StructureExpression ? ExtendedErrorBytes : control.Data.Length;
        if (!control.Data.AsSpan(0, compared).SequenceEqual(actual[..compared]))
        {
            throw frame.Fail($"the data of control message {index}", Show(control, control.Data), Show(control, actual));
        }
    }

    private static string Show(ControlTemplate control, ReadOnlySpan<byte> data) => control.Source is StructureExpression
        ? $"ee_errno={BitConverter.ToUInt32(data)}, ee_origin={data[4]}, ee_type={data[5]}, ee_code={data[6]}, ee_info={BitConverter.ToUInt32(data[8..])}, ee_data={BitConverter.ToUInt32(data[12..])}"
        : Convert.ToHexStringLower(data);

    /// <summary>Times are the script's, and may be off as far as all times; 0 is any.</summary>
    private static void CheckTimes(CallFrame frame, ControlTemplate control, int index, ReadOnlySpan<byte> actual)
    {
        for (int i = 0; i < TimestampingBytes; i += 16)
        {
            long expected = (BitConverter.ToInt64(control.Data, i) * 1_000_000) + (BitConverter.ToInt64(control.Data, i + 8) / 1000);
            long live = (BitConverter.ToInt64(actual[i..]) * 1_000_000) + (BitConverter.ToInt64(actual[(i + 8)..]) / 1000);
            long start = frame.Run.Clock.ToUnix(0);
            if (expected != 0 && Math.Abs(live - start - expected) > frame.Run.Configuration.ToleranceUsecs)
            {
                throw frame.Fail($"time {(i / 16) + 1} of control message {index}", ScriptClock.Show(expected), ScriptClock.Show(live - start));
            }
        }
    }
}
