using System.Text;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;
using Portico.AspNetCore;

namespace Portico.Cli;

/// <summary>
/// The resources of <c>portico.internal</c>: the connection, the sockets and the counters, each as text for a terminal and as JSON,
/// and all of it as a page for a browser.
/// </summary>
internal sealed class StatusApplication(StatusSources sources) : IHttpApplication<HttpContext>
{
    private enum Form
    {
        Text,
        Json,
        Html,
    }

    public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

    public async Task ProcessRequestAsync(HttpContext context)
    {
        HttpRequest request = context.Request;
        HttpResponse response = context.Response;
        response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsGet(request.Method) && !HttpMethods.IsHead(request.Method))
        {
            response.StatusCode = StatusCodes.Status405MethodNotAllowed;
            response.Headers.Allow = "GET, HEAD";
            response.ContentLength = 0;
            return;
        }

        (string type, byte[] body) = Answer(context);
        response.ContentType = type;
        response.ContentLength = body.Length;
        await response.BodyWriter.WriteAsync(body).ConfigureAwait(false);
    }

    public void DisposeContext(HttpContext context, Exception? exception)
    {
    }

    private (string Type, byte[] Body) Answer(HttpContext context)
    {
        string path = context.Request.Path.Value ?? "/";
        bool isJson = path.EndsWith(".json", StringComparison.Ordinal);
        string name = isJson ? path[..^5] : path is "/index.html" ? "/" : path;
        if (name is not ("/" or "/connection" or "/sockets" or "/counters") || (isJson && name == "/"))
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Text("not found; there are /, /connection, /sockets and /counters, and each of them with .json\n");
        }

        context.Response.Headers.Vary = "Accept";
        Form form = isJson ? Form.Json : Preferred(context.Request.GetTypedHeaders().Accept, name == "/");
        if (name == "/sockets")
        {
            SocketReport sockets = new(sources);
            return form == Form.Json ? Json(sockets.Json()) : Text(sockets.Text());
        }

        if (name == "/counters")
        {
            CounterReport counters = new(sources);
            return form == Form.Json ? Json(counters.Json()) : Text(counters.Text());
        }

        ConnectionReport connection = new(context.Features.GetRequiredFeature<IPorticoSocketFeature>().Socket);
        if (form != Form.Html)
        {
            return form == Form.Json ? Json(connection.Json()) : Text(connection.Text());
        }

        // Nothing on the page comes from elsewhere, and what a name on it looks like cannot bring anything in.
        context.Response.Headers.ContentSecurityPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
        int? refresh = int.TryParse(context.Request.Query["refresh"], out int seconds) ? Math.Clamp(seconds, 1, 3600) : null;
        string page = HtmlPage.Render(sources.CommandLine, connection, new SocketReport(sources), new CounterReport(sources), refresh);
        return ("text/html; charset=utf-8", Encoding.UTF8.GetBytes(page));
    }

    /// <summary>What the caller likes best (RFC 9110, 12.5.1); text where it takes anything, as curl does.</summary>
    private static Form Preferred(IList<MediaTypeHeaderValue> accepted, bool hasPage)
    {
        Form best = Form.Text;
        double quality = 0;
        foreach (MediaTypeHeaderValue type in accepted)
        {
            Form? form = type.MediaType.Value switch
            {
                "application/json" => Form.Json,
                "text/html" or "application/xhtml+xml" when hasPage => Form.Html,
                "text/plain" or "text/*" or "*/*" => Form.Text,
                _ => null,
            };
            if (form is { } known && (type.Quality ?? 1) > quality)
            {
                best = known;
                quality = type.Quality ?? 1;
            }
        }

        return best;
    }

    private static (string Type, byte[] Body) Text(string text) => ("text/plain; charset=utf-8", Encoding.UTF8.GetBytes(text));

    private static (string Type, byte[] Body) Json(byte[] json) => ("application/json", json);
}
