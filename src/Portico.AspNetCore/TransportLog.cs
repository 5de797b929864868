using Microsoft.Extensions.Logging;

namespace Portico.AspNetCore;

/// <summary>What the transport logs; the wording is that of Kestrel's own socket transport.</summary>
internal static partial class TransportLog
{
    [LoggerMessage(1, LogLevel.Debug, "A connection failed before it was accepted.")]
    public static partial void AcceptFailed(ILogger logger, Exception exception);

    [LoggerMessage(6, LogLevel.Debug, @"Connection id ""{ConnectionId}"" received FIN.")]
    public static partial void ReadFin(ILogger logger, string connectionId);

    [LoggerMessage(7, LogLevel.Debug, @"Connection id ""{ConnectionId}"" sending FIN because: ""{Reason}""")]
    public static partial void WriteFin(ILogger logger, string connectionId, string reason);

    [LoggerMessage(8, LogLevel.Debug, @"Connection id ""{ConnectionId}"" sending RST because: ""{Reason}""")]
    public static partial void WriteRst(ILogger logger, string connectionId, string reason);

    [LoggerMessage(14, LogLevel.Debug, @"Connection id ""{ConnectionId}"" communication error.")]
    public static partial void Error(ILogger logger, string connectionId, Exception exception);

    [LoggerMessage(19, LogLevel.Debug, @"Connection id ""{ConnectionId}"" reset.")]
    public static partial void Reset(ILogger logger, string connectionId);

    [LoggerMessage(4, LogLevel.Debug, @"Connection id ""{ConnectionId}"" paused.")]
    public static partial void Pause(ILogger logger, string connectionId);

    [LoggerMessage(5, LogLevel.Debug, @"Connection id ""{ConnectionId}"" resumed.")]
    public static partial void Resume(ILogger logger, string connectionId);
}
