using System.Runtime.InteropServices;

namespace Portico.Net;

/// <summary>One zeroed record in native memory, for what must not move and is not in a slab.</summary>
internal sealed unsafe class NativeRecord<T> : INativeMemory
    where T : unmanaged
{
    public T* Pointer { get; private set; } = (T*)NativeMemory.AllocZeroed(1, (nuint)sizeof(T));

    /// <inheritdoc/>
    public long BytesReserved => sizeof(T);

    public void Dispose()
    {
        NativeMemory.Free(Pointer);
        Pointer = null;
    }
}
