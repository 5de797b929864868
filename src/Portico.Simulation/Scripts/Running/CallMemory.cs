using System.Runtime.InteropServices;

namespace Portico.Simulation.Scripts;

/// <summary>Memory for the arguments of system calls; all of it is kept until the script ends, since MSG_ZEROCOPY refers to it.</summary>
internal sealed unsafe class CallMemory : IDisposable
{
    private readonly List<nint> _blocks = [];

    /// <summary>So many bytes of 0, and room behind them for calls that write more than they were given.</summary>
    public nint Allocate(long bytes)
    {
        nint block = (nint)NativeMemory.AllocZeroed((nuint)bytes + 64);
        lock (_blocks)
        {
            _blocks.Add(block);
        }

        return block;
    }

    public nint Put(ReadOnlySpan<byte> bytes)
    {
        nint block = Allocate(bytes.Length);
        bytes.CopyTo(new Span<byte>((void*)block, bytes.Length));
        return block;
    }

    public nint Put(int value) => Put(MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in value)));

    public static int ReadInt(nint at) => *(int*)at;

    public static ReadOnlySpan<byte> Read(nint at, int length) => new((void*)at, length);

    public void Dispose()
    {
        foreach (nint block in _blocks)
        {
            NativeMemory.Free((void*)block);
        }

        _blocks.Clear();
    }
}
