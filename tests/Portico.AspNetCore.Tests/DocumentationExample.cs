using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Portico.Net;

namespace Portico.AspNetCore.Tests;

/// <summary>The example in docs/aspnetcore.md: what stands between the two marks is compared with it, compiled and run.</summary>
internal static class DocumentationExample
{
    public static async Task<string> RunAsync()
    {
        // docs/aspnetcore.md begins
        using PorticoNetwork network = new();
        PorticoHost server = network.AddHost("server", "10.0.0.1/24", "fd00::1/64");
        PorticoHost client = network.AddHost("client", "10.0.0.2/24", "fd00::2/64");

        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.UsePortico(server).UseUrls("http://*:80");
        await using WebApplication application = builder.Build();
        application.Run(context =>
        {
            context.Features.Get<IPorticoSocketFeature>()!.Socket.GetInfo(out TcpInfo info);
            return context.Response.WriteAsync(
                $"hello, {context.Connection.RemoteIpAddress}; {info.State}, {info.SndCwnd} segments may be under way");
        });
        await application.StartAsync();

        using HttpClient http = new(client.CreateHttpHandler());
        string answer = await http.GetStringAsync("http://server/");
        Console.WriteLine(answer);
        // docs/aspnetcore.md ends
        return answer;
    }
}
