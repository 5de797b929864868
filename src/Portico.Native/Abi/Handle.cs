using System.Runtime.InteropServices;

namespace Portico.Native;

/// <summary>What stands behind an opaque pointer that a C program holds.</summary>
internal static class Handle
{
    public static nint Make(object target) => GCHandle.ToIntPtr(GCHandle.Alloc(target));

    public static T Get<T>(nint handle)
        where T : class => (T)GCHandle.FromIntPtr(handle).Target!;

    public static void Free(nint handle) => GCHandle.FromIntPtr(handle).Free();
}
