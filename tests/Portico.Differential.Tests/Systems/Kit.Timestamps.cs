using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Portico.Differential.Tests.Systems;

// Times of sending: the times themselves differ, and so do most measurements that come with them.
internal sealed partial class Kit
{
    /// <summary>The attributes of SCM_TIMESTAMPING_OPT_STATS, with the values of those that both kernels must have the same.</summary>
    private static string ShowStatistics(ReadOnlySpan<byte> attributes)
    {
        StringBuilder text = new();
        while (attributes.Length >= 4)
        {
            int length = MemoryMarshal.Read<ushort>(attributes);
            int type = MemoryMarshal.Read<ushort>(attributes[2..]);
            bool isSame = type is 2 or 3 or 5 or 11 or 13 or 14 or 15 or 17 or 18 or 19 or 20 or 21 or 23 or 24 or 26 or 27;
            string value = isSame ? Convert.ToHexString(attributes[4..length]) : "";
            text.Append(CultureInfo.InvariantCulture, $" {type}/{length - 4}={value}");
            attributes = attributes[Math.Min(attributes.Length, (length + 3) & ~3)..];
        }

        return text.ToString();
    }
}
