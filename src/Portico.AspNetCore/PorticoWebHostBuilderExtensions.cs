using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Portico.AspNetCore;

/// <summary>Lets an ASP.NET Core server listen at a Portico host.</summary>
public static class PorticoWebHostBuilderExtensions
{
    /// <summary>
    /// Has the server's IP end points, however they are configured, be the host's. Call it after what chose Kestrel
    /// (<c>WebApplication.CreateBuilder</c> and its like have done so).
    /// </summary>
    /// <param name="builder">The server; <c>WebApplicationBuilder.WebHost</c>.</param>
    /// <param name="host">Whose addresses and ports it listens at.</param>
    /// <param name="configure">Changes the transport's settings.</param>
    /// <example>
    /// <code>
    /// WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
    /// builder.WebHost.UsePortico(bob).UseUrls("http://10.0.0.2:80");
    /// </code>
    /// </example>
    public static IWebHostBuilder UsePortico(
        this IWebHostBuilder builder, PorticoHost host, Action<PorticoTransportOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentNullException.ThrowIfNull(host);
        return builder.ConfigureServices(services =>
        {
            if (configure != null)
            {
                services.Configure(configure);
            }

            // Kestrel asks the transport that was registered last first.
            services.AddSingleton<IConnectionListenerFactory>(provider => new PorticoTransportFactory(
                host,
                provider.GetRequiredService<IOptions<PorticoTransportOptions>>().Value,
                provider.GetRequiredService<ILoggerFactory>(),
                provider.GetService<IMemoryPoolFactory<byte>>()));
        });
    }
}
