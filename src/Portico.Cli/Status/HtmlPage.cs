using System.Globalization;
using System.Net;
using System.Text;

namespace Portico.Cli;

/// <summary>The page for a browser: one file, without scripts, that needs nothing from anywhere else.</summary>
internal static class HtmlPage
{
    /// <summary>A longer table would keep a browser busy for no good.</summary>
    private const int SocketRowsMax = 500;

    private static readonly string[] s_columns = ["Protocol", "State", "Recv-Q", "Send-Q", "Here", "Peer", "Program"];

    private const string Style =
        """
        :root {
          color-scheme: light dark;
          --ink: #1c2126; --soft: #59636e; --paper: #f6f5f1; --card: #fff; --line: #dcdad3; --mark: #0b6e5f;
        }
        @media (prefers-color-scheme: dark) {
          :root { --ink: #e4e6e8; --soft: #9aa4ae; --paper: #14181b; --card: #1c2226; --line: #323a40; --mark: #5fd0bb; }
        }
        * { box-sizing: border-box; }
        body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
        header, main, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
        header { padding-top: 2.5rem; }
        h1 { margin: 0; font-size: 1.9rem; line-height: 1.2; letter-spacing: -.01em; }
        h2 { margin: 0 0 .75rem; font-size: 1.1rem; }
        p { margin: .5rem 0 0; color: var(--soft); }
        a { color: var(--mark); }
        code, td, dd, .path { font-family: ui-monospace, "Liberation Mono", Menlo, Consolas, monospace; font-size: .875rem; }
        section { margin: 1.5rem 0; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
        .path { display: flex; flex-wrap: wrap; align-items: baseline; gap: .25rem 1rem; margin: 0 0 1rem; }
        .path { color: var(--ink); font-size: 1.05rem; }
        .path b { color: var(--mark); }
        dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.5rem; margin: 0; }
        dt { color: var(--soft); }
        dd { margin: 0; overflow-wrap: anywhere; align-self: center; }
        .scroll { overflow-x: auto; }
        table { width: 100%; border-collapse: collapse; }
        th { padding: .25rem 1rem .25rem 0; color: var(--soft); font-weight: 500; text-align: left; white-space: nowrap; }
        td { padding: .25rem 1rem .25rem 0; border-top: 1px solid var(--line); white-space: nowrap; }
        .sockets :is(th, td):is(:nth-child(3), :nth-child(4)) { text-align: right; }
        .counters { columns: 19rem; column-gap: 2.5rem; }
        .counters dl { display: block; }
        .counters div { display: flex; justify-content: space-between; gap: 1rem; break-inside: avoid; }
        .counters div { border-bottom: 1px solid var(--line); }
        .counters dt { overflow-wrap: anywhere; }
        .counters dd { white-space: nowrap; }
        footer { padding-bottom: 2.5rem; }
        @media (max-width: 40rem) { .details { grid-template-columns: 1fr; } .details dd { margin-bottom: .4rem; } }
        """;

    /// <summary>Makes the page; with <paramref name="refreshSeconds"/> the browser asks for it again and again.</summary>
    public static string Render(
        IReadOnlyList<string> commandLine,
        ConnectionReport connection,
        SocketReport sockets,
        CounterReport counters,
        int? refreshSeconds)
    {
        StringBuilder page = new(16 * 1024);
        page.Append("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
        page.Append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        if (refreshSeconds is { } seconds)
        {
            page.Append(CultureInfo.InvariantCulture, $"<meta http-equiv=\"refresh\" content=\"{seconds}\">\n");
        }

        page.Append("<title>Portico</title>\n<link rel=\"icon\" href=\"data:,\">\n<style>\n").Append(Style);
        page.Append("\n</style>\n</head>\n<body>\n");
        page.Append("<header>\n<h1>You are talking to Portico</h1>\n");
        page.Append("<p>A TCP/IP stack in user space is the whole network of <code>");
        page.Append(Encode(string.Join(' ', commandLine))).Append("</code>, and answers here itself.</p>\n</header>\n<main>\n");
        AppendConnection(page, connection);
        AppendSockets(page, sockets);
        AppendCounters(page, counters);
        page.Append("</main>\n<footer>\n<p>");
        page.Append(refreshSeconds == null
            ? "<a href=\"/?refresh=2\">Refresh every two seconds</a>"
            : "<a href=\"/\">Stop refreshing</a>");
        page.Append(" · as JSON: <a href=\"/connection.json\">connection</a>, ");
        page.Append("<a href=\"/sockets.json\">sockets</a>, <a href=\"/counters.json\">counters</a></p>\n");
        page.Append("</footer>\n</body>\n</html>\n");
        return page.ToString();
    }

    private static void AppendConnection(StringBuilder page, ConnectionReport connection)
    {
        page.Append("<section aria-labelledby=\"connection\">\n<h2 id=\"connection\">Your connection</h2>\n");
        page.Append("<p class=\"path\"><span>").Append(connection.Caller).Append("</span><b>→ tcp →</b><span>");
        page.Append(connection.Gateway).Append("</span></p>\n<dl class=\"details\">\n");
        foreach ((string name, string value) in connection.Rows().Skip(1))
        {
            page.Append("<dt>").Append(Encode(name)).Append("</dt><dd>").Append(Encode(value)).Append("</dd>\n");
        }

        page.Append("</dl>\n</section>\n");
    }

    private static void AppendSockets(StringBuilder page, SocketReport sockets)
    {
        List<string[]> rows = [];
        int count = sockets.Rows(SocketRowsMax, rows);
        page.Append("<section aria-labelledby=\"sockets\">\n<h2 id=\"sockets\">Sockets</h2>\n");

        // A region that scrolls must be reachable by the keyboard.
        page.Append("<div class=\"scroll\" role=\"region\" aria-labelledby=\"sockets\" tabindex=\"0\">\n");
        page.Append("<table class=\"sockets\">\n<thead><tr>");
        foreach (string title in s_columns)
        {
            page.Append("<th scope=\"col\">").Append(title).Append("</th>");
        }

        page.Append("</tr></thead>\n<tbody>\n");
        foreach (string[] row in rows)
        {
            page.Append("<tr>");
            foreach (string cell in row)
            {
                page.Append("<td>").Append(Encode(cell)).Append("</td>");
            }

            page.Append("</tr>\n");
        }

        page.Append("</tbody>\n</table>\n</div>\n");
        if (count > rows.Count)
        {
            page.Append(CultureInfo.InvariantCulture, $"<p>and {count - rows.Count} more: <a href=\"/sockets\">all of them</a></p>\n");
        }

        page.Append("</section>\n");
    }

    private static void AppendCounters(StringBuilder page, CounterReport counters)
    {
        page.Append("<section aria-labelledby=\"counters\">\n<h2 id=\"counters\">Counters</h2>\n<div class=\"counters\">\n<dl>\n");
        foreach ((string name, long value) in counters.Counters)
        {
            page.Append(CultureInfo.InvariantCulture, $"<div><dt>{name}</dt><dd>{value}</dd></div>\n");
        }

        page.Append("</dl>\n</div>\n</section>\n");
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
